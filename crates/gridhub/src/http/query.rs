//! The query of a request: percent decoding once (RFC 3986; `+` stays `+`) and keys that may
//! stand there once. Refuses to know which keys exist.

use std::borrow::Cow;

use super::error::HttpError;

/// The raw query of a URI; nothing is decoded before it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    /// `raw` without the question mark; no query is an empty one.
    pub fn new(raw: Option<&'a str>) -> Self {
        Query(raw.unwrap_or(""))
    }

    /// The decoded value of `key`, `None` when it is absent.
    ///
    /// # Errors
    /// 400 when the key stands there twice, has a malformed percent triplet (event-grid 2.3, E8) or
    /// decodes to something that is not UTF-8.
    pub fn one(&self, key: &str) -> Result<Option<Cow<'a, str>>, HttpError> {
        let mut found = None;
        for pair in self.0.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !is_key(name, key) {
                continue;
            }
            if found.is_some() {
                return Err(HttpError::bad_request(
                    "DuplicateQueryParameter",
                    format!("query parameter '{key}' is there more than once; keep one of them"),
                ));
            }
            found = Some(value);
        }
        found.map(|value| text(key, value)).transpose()
    }

    /// As [`Query::one`], and 400 when the key is absent.
    pub fn required(&self, key: &'static str) -> Result<Cow<'a, str>, HttpError> {
        self.one(key)?.ok_or_else(|| {
            HttpError::bad_request(
                "MissingQueryParameter",
                format!("query parameter '{key}' is missing; add ?{key}="),
            )
        })
    }

    /// The number that is the value of `key`, or a default where it is absent.
    ///
    /// # Errors
    /// 400 as for [`one`](Self::one), and for what is no number of the range.
    pub fn number(
        &self,
        key: &'static str,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<u64, HttpError> {
        let Some(text) = self.one(key)? else { return Ok(default) };
        text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            let (low, high) = (range.start(), range.end());
            let message = format!("{key} '{text}' is not in the range of {low} to {high}");
            HttpError::bad_request("InvalidQueryParameter", message)
        })
    }
}

/// Decodes percent triplets once.
///
/// # Errors
/// `BadPercent` at a `%` that two hexadecimal digits do not follow.
pub fn percent_decode(text: &str) -> Result<Cow<'_, [u8]>, BadPercent> {
    let bytes = text.as_bytes();
    let Some(first) = bytes.iter().position(|&b| b == b'%') else {
        return Ok(Cow::Borrowed(bytes));
    };
    let mut out = Vec::with_capacity(bytes.len());
    out.extend_from_slice(&bytes[..first]);
    let mut rest = &bytes[first..];
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            out.push(byte);
            rest = after;
            continue;
        }
        let (Some(high), Some(low)) = (digit(after.first()), digit(after.get(1))) else {
            return Err(BadPercent { at: bytes.len() - rest.len() });
        };
        out.push(high << 4 | low);
        rest = &after[2..];
    }
    Ok(Cow::Owned(out))
}

/// A `%` at byte `at` without two hexadecimal digits behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPercent {
    pub at: usize,
}

/// Percent-encodes everything that is not unreserved in a query (RFC 3986, 2.3), `/` included.
pub fn percent_encode(text: &str) -> String {
    encode(text, |b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
}

/// Makes any text a header value: printable ASCII stays, the rest and `%` become triplets.
pub fn header_encode(text: &str) -> String {
    encode(text, |b| (b' '..=b'~').contains(&b) && b != b'%')
}

fn encode(text: &str, keep: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if keep(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}

fn is_key(name: &str, key: &str) -> bool {
    name == key || (name.contains('%') && percent_decode(name).is_ok_and(|n| *n == *key.as_bytes()))
}

fn text<'a>(key: &str, value: &'a str) -> Result<Cow<'a, str>, HttpError> {
    let decoded = percent_decode(value).map_err(|bad| {
        HttpError::bad_request(
            "BadPercentEncoding",
            format!(
                "query parameter '{key}' has a '%' at byte {} that is not followed by two \
                 hexadecimal digits; write a percent sign as %25",
                bad.at
            ),
        )
    })?;
    let utf8 = match decoded {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    };
    utf8.ok_or_else(|| {
        HttpError::bad_request(
            "BadPercentEncoding",
            format!("query parameter '{key}' does not decode to UTF-8; percent-encode UTF-8 text"),
        )
    })
}

fn digit(byte: Option<&u8>) -> Option<u8> {
    char::from(*byte?).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_decoding_table() {
        let rows: &[(&str, Result<&[u8], usize>)] = &[
            ("", Ok(b"")),
            ("plain", Ok(b"plain")),
            ("devices%2FCXa-23112%2Fprompt", Ok(b"devices/CXa-23112/prompt")),
            ("a+b", Ok(b"a+b")),
            ("a%2bb", Ok(b"a+b")),
            ("%252F", Ok(b"%2F")),
            ("%c3%A4", Ok("\u{e4}".as_bytes())),
            ("%2XXXX", Err(0)),
            ("ab%", Err(2)),
            ("ab%2", Err(2)),
            ("%%41", Err(0)),
            ("%+1", Err(0)),
        ];
        for (text, expected) in rows {
            let got = percent_decode(text).map(Cow::into_owned).map_err(|b| b.at);
            assert_eq!(got.as_deref().map_err(|e| *e), expected.map(|b| b), "{text}");
        }
    }

    #[test]
    fn keys_stand_once_and_may_be_encoded() {
        let query = Query::new(Some("topic=a%2Fb&qos&api%2Dversion=x&z=%zz&qos2=1"));
        assert_eq!(query.one("topic").unwrap().unwrap(), "a/b");
        assert_eq!(query.one("qos").unwrap().unwrap(), "");
        assert_eq!(query.one("api-version").unwrap().unwrap(), "x");
        assert_eq!(query.one("absent").unwrap(), None);
        assert_eq!(query.one("z").unwrap_err().code, "BadPercentEncoding");
        assert_eq!(query.required("absent").unwrap_err().code, "MissingQueryParameter");
        for raw in ["topic=a&topic=b", "topic=a&topi%63=a", "topic&topic"] {
            let error = Query::new(Some(raw)).one("topic").unwrap_err();
            assert_eq!(error.code, "DuplicateQueryParameter", "{raw}");
        }
        let error = Query::new(Some("topic=%ff")).one("topic").unwrap_err();
        assert!(error.message.contains("UTF-8"));
    }

    #[test]
    fn encodings_are_undone_by_decoding() {
        for text in ["a/b+c#d e%f", "\u{1F600}/\u{e4}", "-._~"] {
            assert_eq!(*percent_decode(&percent_encode(text)).unwrap(), *text.as_bytes());
            assert_eq!(*percent_decode(&header_encode(text)).unwrap(), *text.as_bytes());
        }
        assert_eq!(percent_encode("a/b+#"), "a%2Fb%2B%23");
        assert_eq!(header_encode("a/b +#%"), "a/b +#%25");
    }
}
