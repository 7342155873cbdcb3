//! Percent-encoding (RFC 3986, 2.1) of tokens, property bags and user names. A `+` is a plus.
//! Refuses to know which field it is.

use std::borrow::Cow;

/// Decodes `%` and two hex digits of either case; everything else stands for itself.
///
/// `None` when a `%` is not followed by two digits, or the bytes are no UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            bytes.push(digit(digits[0])? << 4 | digit(digits[1])?);
            rest = after;
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// As [`decode`]; borrows what has no `%`.
pub(crate) fn decode_borrowed(text: &str) -> Option<Cow<'_, str>> {
    if text.contains('%') { decode(text).map(Cow::Owned) } else { Some(Cow::Borrowed(text)) }
}

/// Encodes everything but letters, digits and `-_.~`, with digits of upper case.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 3 / 2);
    encode_into(text, &mut encoded);
    encoded
}

/// As [`encode`], at the end of a text.
pub(crate) fn encode_into(text: &str, encoded: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(HEX[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_their_forms() {
        let rows = [
            ("h/devices/D1", "h%2Fdevices%2FD1"),
            ("localhost:8444", "localhost%3A8444"),
            ("a-b_c.d~e", "a-b_c.d~e"),
            ("+= é%", "%2B%3D%20%C3%A9%25"),
        ];
        for (text, form) in rows {
            assert_eq!(encode(text), form);
            assert_eq!(decode(form).as_deref(), Some(text));
            assert_eq!(decode(&form.replace('F', "f")).as_deref(), Some(text));
            assert_eq!(decode_borrowed(form).as_deref(), Some(text));
        }
        assert_eq!(decode("7/a+b=").as_deref(), Some("7/a+b="));
    }

    #[test]
    fn what_is_no_form() {
        for form in ["%", "a%2", "%2G", "%+2", "%é", "%C3", "%FF"] {
            assert_eq!(decode(form), None, "{form}");
        }
    }
}
