//! Bytes to a JSON value (RFC 8259), strictly, with a bound on depth. Refuses to know what the
//! value is for, and never takes more than linear time but for the sorting of an object's keys.

use super::value::Value;
use std::borrow::Cow;

/// Why some bytes are no JSON that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {what}")]
pub struct Malformed {
    /// The offset of the byte that cannot be read, from 0.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}

/// One value and nothing behind it. `depth_max`: how many arrays and objects may hold each other.
///
/// # Errors
/// The first place that is not UTF-8, not JSON, or too deep.
pub fn parse(bytes: &[u8], depth_max: usize) -> Result<Value<'_>, Malformed> {
    let text = std::str::from_utf8(bytes)
        .map_err(|e| Malformed { at: e.valid_up_to(), what: "this is not UTF-8" })?;
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(depth_max)?;
    parser.blank();
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.wrong("something follows the end of the value")),
    }
}

/// Whether a text is a number as JSON writes it.
pub fn is_number(text: &str) -> bool {
    let mut parser = Parser { text, at: 0 };
    parser.number().is_ok() && parser.at == text.len()
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn value(&mut self, depth_left: usize) -> Result<Value<'a>, Malformed> {
        self.blank();
        match self.peek() {
            Some(b'{') => self.object(depth_left),
            Some(b'[') => self.list(depth_left),
            Some(b'"') => Ok(Value::Text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => Ok(Value::Number(self.number()?)),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) => Err(self.wrong("no JSON value begins so")),
            None => Err(self.wrong(EARLY)),
        }
    }

    fn object(&mut self, depth_left: usize) -> Result<Value<'a>, Malformed> {
        let Some(depth_left) = depth_left.checked_sub(1) else {
            return Err(self.wrong("arrays and objects lie too deep in each other"));
        };
        let mut members = Vec::new();
        self.at += 1;
        self.blank();
        if self.took(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            self.blank();
            if self.peek() != Some(b'"') {
                return Err(self.wrong("a key in quotes is missing"));
            }
            let key = self.string()?;
            self.blank();
            if !self.took(b':') {
                return Err(self.wrong("a colon is missing"));
            }
            members.push((key, self.value(depth_left)?));
            self.blank();
            if self.took(b'}') {
                return Ok(Value::Object(without_repeats(members)));
            }
            if !self.took(b',') {
                return Err(self.wrong("a comma or a closing brace is missing"));
            }
        }
    }

    fn list(&mut self, depth_left: usize) -> Result<Value<'a>, Malformed> {
        let Some(depth_left) = depth_left.checked_sub(1) else {
            return Err(self.wrong("arrays and objects lie too deep in each other"));
        };
        let mut list = Vec::new();
        self.at += 1;
        self.blank();
        if self.took(b']') {
            return Ok(Value::List(list));
        }
        loop {
            list.push(self.value(depth_left)?);
            self.blank();
            if self.took(b']') {
                return Ok(Value::List(list));
            }
            if !self.took(b',') {
                return Err(self.wrong("a comma or a closing bracket is missing"));
            }
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        self.at += 1;
        let mut start = self.at;
        let mut owned = String::new();
        loop {
            match self.peek() {
                None => return Err(self.wrong(EARLY)),
                Some(b'"') => {
                    let rest = &self.text[start..self.at];
                    self.at += 1;
                    if owned.is_empty() {
                        return Ok(Cow::Borrowed(rest));
                    }
                    owned.push_str(rest);
                    return Ok(Cow::Owned(owned));
                }
                Some(b'\\') => {
                    owned.push_str(&self.text[start..self.at]);
                    self.at += 1;
                    owned.push(self.escape()?);
                    start = self.at;
                }
                Some(0..=0x1F) => return Err(self.wrong("a control character is not escaped")),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<char, Malformed> {
        let plain = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.code_point(),
            _ => return Err(self.wrong("there is no such escape")),
        };
        self.at += 1;
        Ok(plain)
    }

    fn code_point(&mut self) -> Result<char, Malformed> {
        let begin = self.at;
        let wrong = Malformed { at: begin, what: "this escape is no character" };
        let first = self.unit()?;
        let code = match first {
            0xD800..=0xDBFF => {
                if !self.took(b'\\') || self.peek() != Some(b'u') {
                    return Err(wrong);
                }
                match self.unit()? {
                    low @ 0xDC00..=0xDFFF => 0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00),
                    _ => return Err(wrong),
                }
            }
            unit => unit,
        };
        char::from_u32(code).ok_or(wrong)
    }

    /// `u` and four hexadecimal digits.
    fn unit(&mut self) -> Result<u32, Malformed> {
        let bytes = self.text.as_bytes();
        let Some(digits) = bytes.get(self.at + 1..self.at + 5) else {
            return Err(self.wrong(EARLY));
        };
        let mut unit = 0;
        for &digit in digits {
            let Some(digit) = char::from(digit).to_digit(16) else {
                return Err(self.wrong("four hexadecimal digits are missing"));
            };
            unit = unit << 4 | digit;
        }
        self.at += 5;
        Ok(unit)
    }

    fn number(&mut self) -> Result<&'a str, Malformed> {
        let start = self.at;
        self.took(b'-');
        if !self.took(b'0') {
            self.digits()?;
        }
        if self.took(b'.') {
            self.digits()?;
        }
        if self.took(b'e') || self.took(b'E') {
            if !self.took(b'+') {
                self.took(b'-');
            }
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.wrong("a digit is missing")) } else { Ok(()) }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, Malformed> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.wrong("no JSON value begins so"))
        }
    }

    fn took(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn wrong(&self, what: &'static str) -> Malformed {
        Malformed { at: self.at, what }
    }
}

type Members<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// The last value of each key at the place of its first. Sorts, so that an object of many keys
/// from a hostile peer costs no more than its length says.
fn without_repeats(mut members: Members<'_>) -> Members<'_> {
    let mut order: Vec<u32> = (0..members.len() as u32).collect();
    let key_of = |at: u32| &members[at as usize].0;
    order.sort_by(|&a, &b| key_of(a).cmp(key_of(b)).then(a.cmp(&b)));
    if order.windows(2).all(|pair| key_of(pair[0]) != key_of(pair[1])) {
        return members;
    }
    let runs: Vec<(u32, u32)> = order
        .chunk_by(|&a, &b| key_of(a) == key_of(b))
        .filter(|run| run.len() > 1)
        .map(|run| (run[0], run[run.len() - 1]))
        .collect();
    let mut dropped = vec![false; members.len()];
    let all = order.chunk_by(|&a, &b| key_of(a) == key_of(b));
    all.for_each(|run| run[1..].iter().for_each(|&at| dropped[at as usize] = true));
    for (first, last) in runs {
        members[first as usize].1 = std::mem::replace(&mut members[last as usize].1, Value::Null);
    }
    let mut at = 0;
    members.retain(|_| {
        at += 1;
        !dropped[at - 1]
    });
    members
}

const EARLY: &str = "it ends too early";

#[cfg(test)]
mod tests {
    use super::*;

    fn again(text: &str) -> Result<String, Malformed> {
        let mut out = Vec::new();
        parse(text.as_bytes(), 8)?.write(&mut out);
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_is_read_is_written_again() {
        for (text, expected) in [
            (" null ", "null"),
            ("[true,\tfalse\n]", "[true,false]"),
            ("-0", "-0"),
            ("1.0", "1.0"),
            ("1.50e+07", "1.50e+07"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            (r#""\u00e9\/\n\u0001\ud83d\ude00\"""#, "\"é/\\n\\u0001😀\\\"\""),
            (r#"{"b":1,"a":{},"":[]}"#, r#"{"b":1,"a":{},"":[]}"#),
            (r#"{"a":1,"b":2,"a":3,"c":4,"a":{"x":null}}"#, r#"{"a":{"x":null},"b":2,"c":4}"#),
            (r#"{"a":1,"\u0061":2}"#, r#"{"a":2}"#),
        ] {
            assert_eq!(again(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        for (text, at) in [
            ("", 0),
            ("nul", 0),
            ("01", 1),
            ("1.", 2),
            (".5", 0),
            ("1e", 2),
            ("+1", 0),
            ("NaN", 0),
            ("[1,]", 3),
            ("[1 2]", 3),
            ("{\"a\" 1}", 5),
            ("{a:1}", 1),
            ("{\"a\":1,}", 7),
            ("\"\t\"", 1),
            ("\"abc", 4),
            ("\"\\x\"", 2),
            ("\"\\ud800\"", 2),
            ("\"\\ud800\\u0041\"", 2),
            ("\"\\udc00\"", 2),
            ("\"\\u12g4\"", 2),
            ("{} {}", 3),
            ("// x", 0),
        ] {
            assert_eq!(again(text).map_err(|e| e.at), Err(at), "{text}");
        }
        assert_eq!(parse(b"\"\xff\"", 8).map_err(|e| e.at), Err(1));
    }

    #[test]
    fn depth_has_a_bound_that_protects_the_stack() {
        assert!(again("[[[[[[[[]]]]]]]]").is_ok());
        assert_eq!(again("[[[[[[[[[]]]]]]]]]").map_err(|e| e.at), Err(8));
        assert!(parse("[".repeat(1_000_000).as_bytes(), 64).is_err());
        assert!(parse("{\"a\":".repeat(1_000_000).as_bytes(), 64).is_err());
    }

    #[test]
    fn many_repeated_keys_take_no_time() {
        let members: Vec<String> = (0..40_000).map(|n| format!("\"{}\":{n}", n % 20_000)).collect();
        let text = format!("{{{}}}", members.join(","));
        let Ok(Value::Object(members)) = parse(text.as_bytes(), 8) else { panic!("an object") };
        assert_eq!(members.len(), 20_000);
        assert_eq!((&*members[7].0, &members[7].1), ("7", &Value::Number("20007")));
    }

    #[test]
    fn numbers_are_told_from_what_looks_like_them() {
        for good in ["0", "-1", "1.5e-3", "10E5"] {
            assert!(is_number(good), "{good}");
        }
        for bad in ["", "-", "00", "1 ", "0x1", "1e", "inf"] {
            assert!(!is_number(bad), "{bad}");
        }
    }
}
