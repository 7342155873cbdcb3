//! The words of a script line: bare words and `key=value`, values bare, quoted or in hex. Owns
//! their spelling in both directions and refuses to know what any key means.

/// One word of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// No `=` in it.
    Bare(String),
    /// `key=value`; the value as bytes.
    Pair(String, Vec<u8>),
}

/// Splits a line. Values: `t/1`, `"any text"`, `"x"*5000` (repeated), `hex:00ff`.
pub fn words(line: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let end = end_of_word(rest);
        words.push(word(&rest[..end]));
        rest = rest[end..].trim_start();
    }
    words
}

/// Bytes as a script would write them: quoted text where they are text, else hex. One long run of
/// the same character is written as `"x"*5000`.
pub fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().any(|c| c.is_control() || c == '"') => hex(bytes),
        Ok(text) => {
            let mut chars = text.chars();
            let count = text.chars().count();
            match chars.next() {
                Some(first) if count > RUN_MIN && chars.all(|c| c == first) => {
                    format!("\"{first}\"*{count}")
                }
                _ => format!("\"{text}\""),
            }
        }
        Err(_) => hex(bytes),
    }
}

/// The bytes behind `00 ff 1a` or `00ff1a`.
pub fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    assert!(digits.len().is_multiple_of(2), "hex with an odd number of digits: {text}");
    let digit = |d: u8| {
        let value = char::from(d).to_digit(16).unwrap_or_else(|| panic!("not hex: {text}"));
        u8::try_from(value).expect("a hex digit is below 16")
    };
    digits.chunks(2).map(|two| digit(two[0]) << 4 | digit(two[1])).collect()
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    format!("hex:{digits}")
}

fn end_of_word(text: &str) -> usize {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => return at,
            _ => {}
        }
    }
    assert!(!quoted, "a quote without end: {text}");
    text.len()
}

fn word(text: &str) -> Word {
    match text.split_once('=') {
        Some((key, value)) => Word::Pair(key.to_owned(), value_of(value)),
        None => Word::Bare(text.to_owned()),
    }
}

fn value_of(text: &str) -> Vec<u8> {
    if let Some(digits) = text.strip_prefix("hex:") {
        return from_hex(digits);
    }
    let Some(rest) = text.strip_prefix('"') else { return text.as_bytes().to_vec() };
    let (inner, times) = rest.split_once('"').expect("a quote without end");
    match times.strip_prefix('*') {
        Some(n) => inner.repeat(n.parse().expect("a number of repeats")).into_bytes(),
        None => inner.as_bytes().to_vec(),
    }
}

/// Shorter runs are written out.
const RUN_MIN: usize = 32;
