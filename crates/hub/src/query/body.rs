//! The body of a message as conditions look into it (B5): JSON that says so and says its encoding.
//! Refuses to know where the message is from.

use super::limits::BODY_DEPTH_MAX;
use crate::json::{self, Value};
use std::borrow::Cow;

/// The text of a body that conditions may look into; [`Body::value`] reads it.
#[derive(Debug, Clone)]
pub struct Body<'m> {
    text: Cow<'m, [u8]>,
}

impl<'m> Body<'m> {
    /// A body of content type `application/json` and encoding UTF-8, -16 or -32, which a `charset`
    /// may say as well; none for any other.
    pub fn of(
        bytes: &'m [u8],
        content_type: Option<&str>,
        content_encoding: Option<&str>,
    ) -> Option<Self> {
        let mut parameters = content_type?.split(';').map(str::trim);
        if !parameters.next()?.eq_ignore_ascii_case("application/json") {
            return None;
        }
        let charset = parameters.filter_map(|parameter| parameter.split_once('=')).find_map(
            |(name, value)| name.trim().eq_ignore_ascii_case("charset").then(|| value.trim()),
        );
        let encoding = content_encoding.or(charset)?.trim().trim_matches('"');
        let is = |name: &str| encoding.eq_ignore_ascii_case(name);
        let text = match () {
            () if is("utf-8") => Cow::Borrowed(bytes.strip_prefix(BOM_8).unwrap_or(bytes)),
            () if is("utf-16") => Cow::Owned(from_utf16(bytes)?),
            () if is("utf-32") => Cow::Owned(from_utf32(bytes)?),
            () => return None,
        };
        Some(Self { text })
    }

    /// The body, if it is JSON at all.
    pub fn value(&self) -> Option<Value<'_>> {
        json::parse(&self.text, BODY_DEPTH_MAX).ok()
    }
}

/// Little-endian, or as the byte order mark says.
fn from_utf16(bytes: &[u8]) -> Option<Vec<u8>> {
    let (units, []) = bytes.as_chunks::<2>() else { return None };
    let big = units.first() == Some(&[0xFE, 0xFF]);
    let unit =
        |unit: &[u8; 2]| if big { u16::from_be_bytes(*unit) } else { u16::from_le_bytes(*unit) };
    let units = units.iter().map(unit).enumerate().filter(|unit| *unit != (0, 0xFEFF));
    let text: Result<String, _> = char::decode_utf16(units.map(|(_, unit)| unit)).collect();
    text.ok().map(String::into_bytes)
}

/// Likewise.
fn from_utf32(bytes: &[u8]) -> Option<Vec<u8>> {
    let (units, []) = bytes.as_chunks::<4>() else { return None };
    let big = units.first() == Some(&[0, 0, 0xFE, 0xFF]);
    let unit =
        |unit: &[u8; 4]| if big { u32::from_be_bytes(*unit) } else { u32::from_le_bytes(*unit) };
    let units = units.iter().map(unit).enumerate().filter(|unit| *unit != (0, 0xFEFF));
    let text: Option<String> = units.map(|(_, unit)| char::from_u32(unit)).collect();
    text.map(String::into_bytes)
}

const BOM_8: &[u8] = b"\xEF\xBB\xBF";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], content_type: &str, encoding: Option<&str>) -> Option<String> {
        let body = Body::of(bytes, Some(content_type), encoding)?;
        let mut out = Vec::new();
        body.value()?.write(&mut out);
        String::from_utf8(out).ok()
    }

    #[test]
    fn bodies_are_read_if_they_say_what_they_are() {
        let json = "application/json";
        for (content_type, encoding, read_at_all) in [
            (json, Some("utf-8"), true),
            ("Application/Json", Some("UTF-8"), true),
            ("application/json;charset=utf-8", Some("utf-8"), true),
            ("application/json; charset=\"UTF-8\"", None, true),
            (json, None, false),
            (json, Some("gzip"), false),
            (json, Some(""), false),
            ("text/plain", Some("utf-8"), false),
            ("application/jsonx", Some("utf-8"), false),
        ] {
            let found = read(b"{\"a\":1}", content_type, encoding);
            assert_eq!(found.is_some(), read_at_all, "{content_type} {encoding:?}");
        }
        assert!(Body::of(b"{}", None, Some("utf-8")).is_none());
        assert_eq!(read(b"{", json, Some("utf-8")), None);
        assert_eq!(read(b"\xEF\xBB\xBF1", json, Some("utf-8")).as_deref(), Some("1"));
    }

    #[test]
    fn wide_encodings_are_read_in_both_orders() {
        let text = "[\"é😀\"]";
        let units16: Vec<u16> = text.encode_utf16().collect();
        let units32: Vec<u32> = text.chars().map(u32::from).collect();
        let little16: Vec<u8> = units16.iter().flat_map(|u| u.to_le_bytes()).collect();
        let big16: Vec<u8> =
            [0xFEFF].iter().chain(&units16).flat_map(|u| u.to_be_bytes()).collect();
        let little32: Vec<u8> =
            [0xFEFF].iter().chain(&units32).flat_map(|u| u.to_le_bytes()).collect();
        let big32: Vec<u8> =
            [0xFEFF].iter().chain(&units32).flat_map(|u| u.to_be_bytes()).collect();
        for (bytes, encoding) in
            [(&little16, "utf-16"), (&big16, "UTF-16"), (&little32, "utf-32"), (&big32, "utf-32")]
        {
            let found = read(bytes, "application/json", Some(encoding));
            assert_eq!(found.as_deref(), Some(text), "{encoding}");
        }
        for (bytes, encoding) in [
            (&[0x31][..], "utf-16"),
            (&[0x00, 0xD8], "utf-16"),
            (&[0x31, 0, 0], "utf-32"),
            (&[0, 0, 0x11, 0], "utf-32"),
        ] {
            assert_eq!(read(bytes, "application/json", Some(encoding)), None, "{bytes:?}");
        }
    }
}
