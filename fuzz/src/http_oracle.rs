//! How HTTP carries a publish (event-grid 2.2, 2.3), read in the plainest way. Refuses to know
//! limits and which values may stand where.

/// The decoded value of the first parameter of this name.
pub fn parameter(query: &str, key: &str) -> Option<Vec<u8>> {
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let is_key = |name: &str| percent(name.as_bytes()).is_some_and(|n| n == key.as_bytes());
    let (_, value) = pairs.find(|(name, _)| is_key(name))?;
    percent(value.as_bytes())
}

/// Percent triplets decoded once; `None` for a `%` without two hexadecimal digits behind it.
pub fn percent(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if text[at] == b'%' {
            let hex = std::str::from_utf8(text.get(at + 1..at + 3)?).ok()?;
            if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            out.push(u8::from_str_radix(hex, 16).ok()?);
            at += 3;
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    Some(out)
}

/// Digits as a number.
pub fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Base64 of either alphabet, padding ignored; bits left over are.
pub fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for byte in text.iter().filter(|b| **b != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held & 0xFF) as u8);
        }
    }
    Some(out)
}

/// The pairs of a JSON array whose objects have one member each, which any JSON reader can give;
/// `None` for other arrays: their order and repeats are not to be had that way.
pub fn pairs(json: &[u8]) -> Option<Vec<(String, String)>> {
    let array: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_slice(json).ok()?;
    let members = json.iter().filter(|b| **b == b':').count();
    if members != array.len() {
        return None;
    }
    let mut pairs = Vec::new();
    for object in array {
        let mut members = object.into_iter();
        let (key, value) = members.next()?;
        pairs.push((key, value.as_str()?.to_owned()));
        if members.next().is_some() {
            return None;
        }
    }
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_specification_shows() {
        let query = "topic=devices%2FCXa-23112%2Fprompt&qos=1&topic=x";
        assert_eq!(parameter(query, "topic").expect("there"), b"devices/CXa-23112/prompt");
        assert_eq!(parameter(query, "retain"), None);
        assert_eq!((percent(b"%4"), percent(b"a%41")), (None, Some(b"aA".to_vec())));
        for text in [&b"AAEC/w=="[..], b"AAEC/w", b"AAEC_w"] {
            assert_eq!(base64(text), Some(vec![0, 1, 2, 255]));
        }
        let json = br#"[{"a":"1"},{"b":"2"},{"a":"3"}]"#;
        let wanted = [("a", "1"), ("b", "2"), ("a", "3")];
        assert!(pairs(json).expect("pairs").iter().map(|(k, v)| (&**k, &**v)).eq(wanted));
        assert_eq!(pairs(br#"[{"a":"1","a":"2"}]"#), None);
    }
}
