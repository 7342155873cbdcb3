//! JSON from the fuzzer's decisions: as it comes, or put together of what a twin may have and what
//! it may not. Refuses to know what becomes of it.

use crate::choices::Choices;

/// A text that is perhaps JSON.
pub fn json(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    if choices.one_in(4) {
        let len = usize::from(choices.byte());
        text.extend_from_slice(choices.take(len));
    } else {
        object(choices, DEPTH, &mut text);
    }
    text
}

fn object(choices: &mut Choices<'_>, depth: usize, out: &mut Vec<u8>) {
    out.push(b'{');
    for at in 0..choices.below(5) {
        if at > 0 {
            out.push(b',');
        }
        let key = choices.pick(KEYS);
        out.extend_from_slice(key.as_bytes());
        out.push(b':');
        value(choices, depth, out);
    }
    out.push(b'}');
}

fn value(choices: &mut Choices<'_>, depth: usize, out: &mut Vec<u8>) {
    match choices.below(if depth == 0 { 4 } else { 8 }) {
        0 => out.extend_from_slice(b"null"),
        1 => out.extend_from_slice(choices.pick(NUMBERS).as_bytes()),
        2 => out.extend_from_slice(choices.pick(TEXTS).as_bytes()),
        3 => out.extend_from_slice(choices.pick(&["true", "false"]).as_bytes()),
        4 => {
            out.push(b'[');
            for at in 0..choices.below(4) {
                if at > 0 {
                    out.push(b',');
                }
                value(choices, depth - 1, out);
            }
            out.push(b']');
        }
        _ => object(choices, depth - 1, out),
    }
}

/// More than a twin has, so that its bound is met.
const DEPTH: usize = 13;
const KEYS: &[&str] = &[
    "\"a\"",
    "\"b\"",
    "\"c\"",
    "\"d\"",
    "\"\\u0061\"",
    "\"\"",
    "\"é\"",
    "\"$version\"",
    "\"$metadata\"",
    "\"a.b\"",
    "\"a b\"",
    "\"#\"",
    "\"\\u0000\"",
    "\"\\ud83d\\ude00\"",
    "\"x\\ny\"",
];
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1",
    "1.0",
    "1e2",
    "-4503599627370496",
    "4503599627370495",
    "4503599627370496",
    "-4503599627370497",
    "0.1",
    "1E-400",
    "1e308",
    "1e309",
    "123456789012345678901234567890",
];
const TEXTS: &[&str] = &[
    "\"\"",
    "\"x\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\\u00e9\"",
    "\"é\"",
    "\"\\ud83d\\ude00\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"2021-04-21T11:30:16Z\"",
];
