//! JSON for people: indented, keys in the order and numbers in the digits of the server. Refuses to
//! know what it says.

use anyhow::Context;
use hub::json::{Value, parse, write_text};

/// A document as a program reads it: one line.
///
/// # Errors
/// When the server's answer is no JSON.
pub fn line(document: &[u8]) -> anyhow::Result<String> {
    let mut out = Vec::new();
    read(document)?.write(&mut out);
    text(out)
}

/// A document with a member or element a line.
///
/// # Errors
/// As [`line`].
pub fn pretty(document: &[u8]) -> anyhow::Result<String> {
    let mut out = Vec::new();
    write(&read(document)?, 0, &mut out);
    text(out)
}

/// The elements of an array, each as a document.
///
/// # Errors
/// When the server's answer is no array.
pub fn elements(document: &[u8]) -> anyhow::Result<Vec<Vec<u8>>> {
    let Value::List(list) = read(document)? else { anyhow::bail!("the answer is no array") };
    let bytes = |one: &Value<'_>| {
        let mut out = Vec::new();
        one.write(&mut out);
        out
    };
    Ok(list.iter().map(bytes).collect())
}

fn read(document: &[u8]) -> anyhow::Result<Value<'_>> {
    parse(document, DEPTH_MAX).context("the server's answer is no JSON")
}

fn text(mut out: Vec<u8>) -> anyhow::Result<String> {
    out.push(b'\n');
    String::from_utf8(out).context("the server's answer is no UTF-8")
}

fn write(value: &Value<'_>, depth: usize, out: &mut Vec<u8>) {
    let begin = |at: usize, out: &mut Vec<u8>| {
        out.extend_from_slice(if at > 0 { b",\n" } else { b"\n" });
        out.resize(out.len() + INDENT * (depth + 1), b' ');
    };
    let end = |bracket, out: &mut Vec<u8>| {
        out.push(b'\n');
        out.resize(out.len() + INDENT * depth, b' ');
        out.push(bracket);
    };
    match value {
        Value::Object(members) if !members.is_empty() => {
            out.push(b'{');
            for (at, (key, value)) in members.iter().enumerate() {
                begin(at, out);
                write_text(key, out);
                out.extend_from_slice(b": ");
                write(value, depth + 1, out);
            }
            end(b'}', out);
        }
        Value::List(list) if !list.is_empty() => {
            out.push(b'[');
            for (at, value) in list.iter().enumerate() {
                begin(at, out);
                write(value, depth + 1, out);
            }
            end(b']', out);
        }
        plain => plain.write(out),
    }
}

const INDENT: usize = 2;
const DEPTH_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_digits_stay() {
        let document = br#"{ "b":1.50,"a":[{},[1, "x\u0001"]],"c":{} }"#;
        assert_eq!(line(document).unwrap(), "{\"b\":1.50,\"a\":[{},[1,\"x\\u0001\"]],\"c\":{}}\n");
        let expected = "{\n  \"b\": 1.50,\n  \"a\": [\n    {},\n    [\n      1,\n      \
                        \"x\\u0001\"\n    ]\n  ],\n  \"c\": {}\n}\n";
        assert_eq!(pretty(document).unwrap(), expected);
        assert_eq!(elements(b"[1.0,{}]").unwrap(), [b"1.0".to_vec(), b"{}".to_vec()]);
        assert!(elements(b"{}").is_err() && line(b"{").is_err());
    }
}
