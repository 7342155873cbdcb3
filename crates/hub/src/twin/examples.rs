//! Documents of the tests: objects over few keys, so that patches meet what is there. Refuses to
//! know what is done with them.

use crate::chance::Chance;

/// The JSON text of an object; nulls as members where `nulls`.
pub(super) fn object(chance: &mut Chance, depth: usize, nulls: bool) -> String {
    let members: Vec<String> = (0..chance.below(5))
        .map(|_| {
            let key = chance.one_of(&["a", "b", "c", "d", "é", "long-key", ""]);
            format!("\"{key}\":{}", value(chance, depth, nulls))
        })
        .collect();
    format!("{{{}}}", members.join(","))
}

fn value(chance: &mut Chance, depth: usize, nulls: bool) -> String {
    match chance.below(if depth == 0 { 6 } else { 10 }) {
        0 if nulls => "null".to_owned(),
        0 | 1 => chance.one_of(&["true", "false"]).to_owned(),
        2 => chance.one_of(&["0", "-1", "1.0", "2e3", "4503599627370495"]).to_owned(),
        3 => "[1,[],{\"a\":\"b\"},true]".to_owned(),
        4 => format!("\"{}\"", "x".repeat(chance.below(200))),
        5 => chance.one_of(&["\"\"", "\"\\u0000é\"", "\"text\""]).to_owned(),
        _ => object(chance, depth - 1, nulls),
    }
}
