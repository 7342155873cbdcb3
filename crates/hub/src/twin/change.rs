//! Requests to change a twin, decided: the record, the state after it, and what to tell whom.
//! Refuses to know how the requester is answered and whether the device is there to be told.

use super::if_version::IfVersion;
use super::limits::REQUEST_BYTES_MAX;
use super::patch::{Echo, encode};
use super::record::{Edit, Mode, Part, Record};
use super::refused::Refused;
use super::state::Twin;
use crate::IfMatch;
use crate::json::{self, Value};

/// An accepted request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The state once the record is a fact.
    pub twin: Twin,
    /// What has to be kept before anybody is told; nothing if the request named no part.
    pub record: Option<Record>,
}

/// What a device hears of its desired properties (A14.6, B1.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The `$version` of desired, for the user property or the topic.
    pub version: u64,
    /// JSON: the patch as submitted, or the whole section after a replacement, and `$version`.
    pub payload: Vec<u8>,
}

/// A device writes into its reported section (A14.3): a patch.
///
/// # Errors
/// The rule of B1.4 or B1.6 that the request breaks; the twin stays as it is.
pub fn patch_reported(
    twin: &Twin,
    request: &[u8],
    if_version: IfVersion,
    now_ms: u64,
) -> Result<Change, Refused> {
    if_version.check(twin.reported.version)?;
    let section = read(request)?;
    if !matches!(section, Value::Object(_)) {
        return Err(Refused::NotAnObject("request"));
    }
    let tree = encode(Part::Reported, &section, Echo::Refused)?;
    decide(twin, vec![Edit { part: Part::Reported, mode: Mode::Merge, tree }], now_ms)
}

/// A service patches tags and desired (C4, PATCH): `{tags?, properties: {desired?}}`. Whatever
/// else stands in the request is not looked at, null for a part means that it is not there.
///
/// # Errors
/// As [`patch_reported`].
pub fn patch(
    twin: &Twin,
    request: &[u8],
    if_match: &IfMatch,
    now_ms: u64,
) -> Result<Change, Refused> {
    by_service(twin, request, if_match, now_ms, Mode::Merge)
}

/// A service replaces tags and desired, as far as they stand in the request (C4, PUT).
///
/// # Errors
/// As [`patch_reported`].
pub fn replace(
    twin: &Twin,
    request: &[u8],
    if_match: &IfMatch,
    now_ms: u64,
) -> Result<Change, Refused> {
    by_service(twin, request, if_match, now_ms, Mode::Replace)
}

fn by_service(
    twin: &Twin,
    request: &[u8],
    if_match: &IfMatch,
    now_ms: u64,
    mode: Mode,
) -> Result<Change, Refused> {
    if if_match.names_other_than(twin.etag.twin_text().as_str()) {
        return Err(Refused::EtagDiffers);
    }
    let request = read(request)?;
    let tags = part_of(&request, "request", "tags")?;
    let properties = part_of(&request, "request", "properties")?;
    let desired = match properties {
        Some(properties) => part_of(properties, "properties", "desired")?,
        None => None,
    };
    let mut edits = Vec::with_capacity(2);
    for (part, section) in [(Part::Tags, tags), (Part::Desired, desired)] {
        if let Some(section) = section {
            edits.push(Edit { part, mode, tree: encode(part, section, Echo::LeftOut)? });
        }
    }
    decide(twin, edits, now_ms)
}

fn read(request: &[u8]) -> Result<Value<'_>, Refused> {
    if request.len() > REQUEST_BYTES_MAX {
        return Err(Refused::RequestTooLong(request.len()));
    }
    json::parse(request, REQUEST_DEPTH_MAX).map_err(Refused::Json)
}

fn part_of<'v>(
    object: &'v Value<'v>,
    name: &'static str,
    key: &str,
) -> Result<Option<&'v Value<'v>>, Refused> {
    match object {
        Value::Object(_) => Ok(object.member(key).filter(|part| !matches!(part, Value::Null))),
        _ => Err(Refused::NotAnObject(name)),
    }
}

fn decide(twin: &Twin, edits: Vec<Edit>, now_ms: u64) -> Result<Change, Refused> {
    if edits.is_empty() {
        return Ok(Change { twin: twin.clone(), record: None });
    }
    let record = Record { version: twin.version.saturating_add(1), at_ms: now_ms, edits };
    let next = twin.after(&record);
    record.edits.iter().try_for_each(|edit| next.check_size(edit.part))?;
    Ok(Change { twin: next, record: Some(record) })
}

impl Change {
    /// What the device hears, if desired was written.
    pub fn notification(&self) -> Option<Notification> {
        self.record.as_ref().and_then(|record| self.twin.notification(record))
    }
}

impl Twin {
    /// What the device hears of a record, which this is the state after (B1.7).
    pub fn notification(&self, record: &Record) -> Option<Notification> {
        let edit = record.edit(Part::Desired)?;
        let content = match edit.mode {
            Mode::Merge => edit.tree.root(),
            Mode::Replace => self.desired.root(),
        };
        Some(Notification::of(self.desired.version, |out| content.write_members(out)))
    }
}

impl Notification {
    /// `members` writes what changed and says how many it wrote.
    pub(super) fn of(version: u64, members: impl FnOnce(&mut Vec<u8>) -> usize) -> Self {
        let mut payload = vec![b'{'];
        let count = members(&mut payload);
        let comma = if count > 0 { "," } else { "" };
        payload.extend_from_slice(format!("{comma}\"$version\":{version}}}").as_bytes());
        Self { version, payload }
    }
}

/// Deeper than any part with its metadata, which some libraries send back.
const REQUEST_DEPTH_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Etag;
    use crate::errors::ErrorCode;

    const NOW: u64 = 1_600_987_195_320;

    fn device_view(twin: &Twin) -> String {
        let mut out = Vec::new();
        twin.write_for_device(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn reported(twin: &Twin) -> String {
        let mut out = Vec::new();
        twin.reported.root().write_json(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn after(twin: &Twin, patch: &str) -> Result<Twin, Refused> {
        patch_reported(twin, patch.as_bytes(), IfVersion::Any, NOW).map(|change| change.twin)
    }

    /// Objects in each other, `levels` of them, and a leaf in the last.
    fn nested(levels: usize) -> String {
        format!("{}{{\"leaf\":1}}{}", "{\"k\":".repeat(levels), "}".repeat(levels))
    }

    #[test]
    fn patches_do_what_the_table_says() {
        // B1.5: what is there, the patch, what is there then.
        for (before, patch, expected) in [
            ("{}", r#"{"a":1}"#, r#"{"a":1}"#),
            (r#"{"a":1,"b":2}"#, r#"{"a":null}"#, r#"{"b":2}"#),
            (r#"{"a":1}"#, r#"{"x":null}"#, r#"{"a":1}"#),
            (r#"{"a":1,"b":2,"c":3}"#, r#"{"d":4,"b":5}"#, r#"{"a":1,"b":5,"c":3,"d":4}"#),
            (r#"{"a":{"x":1,"y":2}}"#, r#"{"a":{"x":null}}"#, r#"{"a":{"y":2}}"#),
            (r#"{"a":{"x":1}}"#, r#"{"a":{"x":null}}"#, r#"{"a":{}}"#),
            (r#"{"a":{"x":1}}"#, r#"{"a":{}}"#, r#"{"a":{"x":1}}"#),
            (r#"{"a":{"x":1}}"#, r#"{"a":[1,2]}"#, r#"{"a":[1,2]}"#),
            (r#"{"a":[1,2]}"#, r#"{"a":[3]}"#, r#"{"a":[3]}"#),
            (r#"{"a":5}"#, r#"{"a":{"x":{"y":1}}}"#, r#"{"a":{"x":{"y":1}}}"#),
            ("{}", r#"{"a":{"x":null,"y":{"z":null}}}"#, r#"{"a":{"y":{}}}"#),
            (r#"{"a":5}"#, r#"{"a":{"x":null}}"#, r#"{"a":{}}"#),
            ("{}", r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
            ("{}", r#"{"a":1.0,"b":1e2,"c":-0}"#, r#"{"a":1.0,"b":1e2,"c":-0}"#),
            ("{}", r#"{"a":4503599627370495}"#, r#"{"a":4503599627370495}"#),
            ("{}", r#"{"a":0.1234567890123456789}"#, r#"{"a":0.1234567890123456789}"#),
            ("{}", "{ }", "{}"),
        ] {
            let twin = after(&Twin::new(NOW), before).unwrap();
            let next = after(&twin, patch).unwrap();
            assert_eq!(reported(&next), expected, "{before} {patch}");
            assert_eq!(next.reported.version, 3, "each write counts");
            assert_eq!((next.version, next.etag), (4, Etag(1)));
        }
    }

    #[test]
    fn what_breaks_a_rule_is_refused_with_its_name() {
        // B1.4.
        let text = |len: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(len));
        let key = |len: usize| format!(r#"{{"{}":1}}"#, "k".repeat(len));
        let list = r#"{"a":[1,{"b":{"c":null}}]}"#;
        for (patch, said) in [
            (text(4096), None),
            (text(4097), Some("value of 'a': a string has at most 4096 bytes")),
            (format!(r#"{{"a":"{}"}}"#, "é".repeat(2049)), Some("4096 bytes")),
            (key(1024), None),
            (key(1025), Some("a key has at most 1024 bytes")),
            (nested(10), None),
            (nested(11), Some("at most 10 deep")),
            (nested(9).replace('1', "[1]"), None),
            (nested(10).replace('1', "[1]"), Some("at most 10 deep")),
            (r#"{"a.b":1}"#.into(), Some("key 'a.b'")),
            (r#"{"o":{"a b":1}}"#.into(), Some("key 'o.a b'")),
            (r#"{"o":{"$x":1}}"#.into(), Some("key 'o.$x'")),
            (r#"{"a#":1}"#.into(), Some("key 'a#'")),
            (r#"{"a\u0085":1}"#.into(), Some("key")),
            (r#"{"a\u00a0":1}"#.into(), Some("key")),
            (r#"{"$version":1}"#.into(), Some("key '$version'")),
            (r#"{"$metadata":{}}"#.into(), Some("key '$metadata'")),
            (r#"{"a":[null]}"#.into(), Some("value of 'a': there is no null in an array")),
            (list.into(), Some("value of 'a.b.c': there is no null in an array")),
            (r#"{"a":-4503599627370496}"#.into(), None),
            (r#"{"a":4503599627370496}"#.into(), Some("an integer is between")),
            (r#"{"a":-4503599627370497}"#.into(), Some("an integer is between")),
            (r#"{"a":99999999999999999999}"#.into(), Some("an integer is between")),
            (r#"{"a":1e308}"#.into(), None),
            (r#"{"a":1e309}"#.into(), Some("a number is too large")),
            (format!("{{\"a\":0.{}}}", "1".repeat(127)), Some("at most 128 characters")),
            ("[]".into(), Some("request has to be a JSON object")),
            ("null".into(), Some("request has to be a JSON object")),
            ("".into(), Some("byte 0: it ends too early")),
            ("{\"a\":NaN}".into(), Some("byte 5")),
            (" ".repeat(REQUEST_BYTES_MAX + 1), Some("is not read")),
        ] {
            let found = after(&Twin::new(NOW), &patch).map_err(|e| e.to_string());
            match (said, found) {
                (None, outcome) => assert!(outcome.is_ok(), "{patch}: {outcome:?}"),
                (Some(said), Err(found)) => assert!(found.contains(said), "{patch}: {found}"),
                (Some(said), Ok(_)) => panic!("{patch} is accepted, not '{said}'"),
            }
        }
    }

    #[test]
    fn sizes_are_counted_as_the_page_counts_them() {
        // 8 KB and 32 KB: a key of one character and a text, and what counts nothing.
        let texts = |count: usize, rest: usize| {
            let one = |n: usize, len: usize| {
                let key = char::from_u32(0x4e00 + n as u32).unwrap();
                format!("\"{key}\":\"\\u0000{}\"", "y".repeat(len))
            };
            let mut all: Vec<String> = (0..count).map(|n| one(n, 4095)).collect();
            all.push(one(count, rest));
            format!("{{{}}}", all.join(","))
        };
        let tags = |tags: &str| {
            let request = format!("{{\"tags\":{tags}}}");
            patch(&Twin::new(NOW), request.as_bytes(), &IfMatch::Any, NOW).map(|_| ())
        };
        assert_eq!(tags(&texts(1, 4095)), Ok(()));
        let refused = Refused::TooLarge { part: "tags", size: 8193, size_max: 8192 };
        assert_eq!(tags(&texts(1, 4095).replace('}', ",\"\":\"z\"}")), Err(refused));
        let twin = after(&Twin::new(NOW), &texts(7, 4095)).unwrap();
        for more in [r#"{"x":1}"#, r#"{"x":true}"#, r#"{"x":[[],{}]}"#] {
            let e = after(&twin, more).unwrap_err();
            assert_eq!(e.code(), ErrorCode::ArgumentInvalid, "{more}");
        }
        assert!(after(&twin, r#"{"一":null,"x":1,"y":true}"#).is_ok());
        let empty = format!("{{\"a\":[{}[]]}}", "[],".repeat(200_000));
        let e = after(&Twin::new(NOW), &empty).unwrap_err().to_string();
        assert!(e.contains("262144"), "what counts nothing has a bound too: {e}");
    }

    #[test]
    fn preconditions_are_checked_against_their_own_counter() {
        let twin = after(&Twin::new(NOW), "{}").unwrap();
        let device = |is| patch_reported(&twin, b"{\"a\":1}", is, NOW).map(|_| ());
        assert_eq!(device(IfVersion::Is(2)), Ok(()));
        let refused = device(IfVersion::Is(1)).unwrap_err();
        assert_eq!(refused, Refused::VersionDiffers { version: 2 });
        assert_eq!(refused.code(), ErrorCode::PreconditionFailed);
        let service = |header| {
            let request = br#"{"tags":{"a":1}}"#;
            patch(&twin, request, &IfMatch::parse(header), NOW).map(|change| change.twin.etag)
        };
        assert_eq!(service(Some("\"AAAAAAAAAAE=\"")), Ok(Etag(2)));
        assert_eq!(service(Some("\"AAAAAAAAAAI=\"")), Err(Refused::EtagDiffers));
        assert_eq!(service(None), Ok(Etag(2)));
    }

    #[test]
    fn services_write_what_stands_in_the_request() {
        let begin = br#"{"tags":{"a":1},"properties":{"desired":{"x":{"y":1},"z":2}}}"#;
        let twin = patch(&Twin::new(NOW), begin, &IfMatch::Any, NOW).unwrap().twin;
        assert_eq!((twin.version, twin.etag, twin.desired.version), (3, Etag(2), 2));
        // Request, by PUT; tags, what the device reads, what it hears.
        let rows = [
            (r#"{"tags":{"b":2}}"#, Mode::Merge, r#"{"a":1,"b":2}"#, r#"{"x":{"y":1},"z":2"#, None),
            (r#"{"tags":{"b":2}}"#, Mode::Replace, r#"{"b":2}"#, r#"{"x":{"y":1},"z":2"#, None),
            (
                r#"{"etag":1,"properties":{"desired":{"x":{"y":null},"w":1.0},"reported":5}}"#,
                Mode::Merge,
                r#"{"a":1}"#,
                r#"{"x":{},"z":2,"w":1.0"#,
                Some(r#"{"x":{"y":null},"w":1.0,"$version":3}"#),
            ),
            (
                concat!(
                    r#"{"tags":null,"properties":{"desired":{"x":{"q":null},"#,
                    r#""$version":9,"$metadata":{"x":{}}}}}"#
                ),
                Mode::Replace,
                r#"{"a":1}"#,
                r#"{"x":{}"#,
                Some(r#"{"x":{},"$version":3}"#),
            ),
            (
                r#"{"properties":{"desired":{}}}"#,
                Mode::Replace,
                r#"{"a":1}"#,
                "{",
                Some(r#"{"$version":3}"#),
            ),
            (r#"{"properties":null}"#, Mode::Merge, r#"{"a":1}"#, r#"{"x":{"y":1},"z":2"#, None),
        ];
        for (request, mode, tags, desired, heard) in rows {
            let decide = if mode == Mode::Merge { patch } else { replace };
            let change = decide(&twin, request.as_bytes(), &IfMatch::Any, NOW).unwrap();
            let mut found = Vec::new();
            change.twin.tags().write_json(&mut found);
            assert_eq!(String::from_utf8_lossy(&found), tags, "{request}");
            let view = device_view(&change.twin);
            assert!(view.starts_with(&format!("{{\"desired\":{desired}")), "{request}: {view}");
            let payload = change.notification().map(|n| String::from_utf8(n.payload).unwrap());
            assert_eq!(payload.as_deref(), heard, "{request}");
        }
        for (request, said) in [
            (r#"{"tags":1}"#, "tags has to be"),
            (r#"{"properties":[]}"#, "properties has to be"),
            (r#"{"properties":{"desired":"x"}}"#, "desired has to be"),
            (r#"{"tags":{"$x":1}}"#, "key '$x'"),
            ("7", "request has to be"),
        ] {
            let refused = patch(&twin, request.as_bytes(), &IfMatch::Any, NOW).unwrap_err();
            assert!(refused.to_string().starts_with(said), "{request}: {refused}");
        }
    }
}
