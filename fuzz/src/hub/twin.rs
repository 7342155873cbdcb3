//! Writes into a twin, one after the other: what is taken is what RFC 7396 says of it by another
//! library, with the versions that go with it and the same through the log; what is not taken
//! breaks a rule of B1.4 that is found here too. Refuses to know who writes.

use hub::IfMatch;
use hub::twin::{
    Change, DEPTH_MAX, INTEGER_MAX, INTEGER_MIN, IfVersion, KEY_BYTES_MAX, Node, Notification,
    Record, Refused, TEXT_BYTES_MAX, Twin, patch, patch_reported, replace,
};
use serde_json::{Map, Value};

use super::document::json;
use crate::choices::Choices;

/// A kind and a document for each write.
pub fn check(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut twin = Twin::new(1);
    let mut now_ms = 1;
    while !choices.is_empty() {
        now_ms += 1;
        let way = choices.below(8);
        let stale = choices.one_in(8);
        let document = json(&mut choices);
        let (tags, desired, reported) = sections(&twin);
        let (request, written) = match way {
            0..=2 => (document.clone(), Write::Reported),
            3 => ([b"{\"tags\":", &document[..], b"}"].concat(), Write::Patch),
            4 => ([b"{\"tags\":", &document[..], b"}"].concat(), Write::Replace),
            5 | 6 => (of_desired(&document), Write::Patch),
            _ => (of_desired(&document), Write::Replace),
        };
        if is_beyond_the_other(&request) {
            continue;
        }
        let decided = decide(&twin, &request, written, stale, now_ms);
        let expected = match written {
            Write::Reported => Request::reported(&request),
            Write::Patch | Write::Replace => Request::service(&request),
        };
        let change = match decided {
            Ok(change) => change,
            Err(refused) => {
                is_refused_for(&refused, expected.as_ref(), stale);
                continue;
            }
        };
        assert!(!stale, "a stale write was taken");
        let expected = expected.expect("what was taken is JSON and has its parts as objects");
        let Request { parts: [new_tags, new_desired, new_reported] } = expected;
        let merged = |old: &Value, part: &Option<Value>| {
            let Some(part) = part else { return old.clone() };
            assert_ne!(rule(part), Verdict::Broken, "{part} was taken");
            let base = if written == Write::Replace { &Value::Null } else { old };
            merge(base, part)
        };
        let (a, b, c) = sections(&change.twin);
        assert_eq!(a, merged(&tags, &new_tags));
        assert_eq!(b, merged(&desired, &new_desired));
        assert_eq!(c, merged(&reported, &new_reported));
        let grown = |part: &Option<Value>| u64::from(part.is_some());
        let is_written = grown(&new_tags) + grown(&new_desired) + grown(&new_reported) > 0;
        assert_eq!(change.twin.version(), twin.version() + u64::from(is_written));
        let versions = |twin: &Twin| (twin.desired().version(), twin.reported().version());
        let (desired_was, reported_was) = versions(&twin);
        let after = (desired_was + grown(&new_desired), reported_was + grown(&new_reported));
        assert_eq!(versions(&change.twin), after);
        let is_service = written != Write::Reported && is_written;
        assert_eq!(change.twin.etag() != twin.etag(), is_service);
        notifies(&change, new_desired.as_ref(), written, &b);
        same_through_the_log(&twin, &change);
        shown_to_its_device(&change.twin);
        twin = change.twin;
    }
}

/// Who writes, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    Reported,
    Patch,
    Replace,
}

fn of_desired(document: &[u8]) -> Vec<u8> {
    [b"{\"properties\":{\"desired\":", document, b"}}"].concat()
}

fn decide(
    twin: &Twin,
    request: &[u8],
    write: Write,
    stale: bool,
    now_ms: u64,
) -> Result<Change, Refused> {
    let version = twin.reported().version();
    let on = if stale { IfVersion::Is(version + 1) } else { IfVersion::Is(version) };
    let etag = twin.etag().twin_text().as_str().to_owned();
    let if_match = IfMatch::parse(Some(if stale { "\"other\"" } else { &etag }));
    match write {
        Write::Reported => patch_reported(twin, request, on, now_ms),
        Write::Patch => patch(twin, request, &if_match, now_ms),
        Write::Replace => replace(twin, request, &if_match, now_ms),
    }
}

/// The other library has no number of 1e309, which may stand in what is left out.
fn is_beyond_the_other(request: &[u8]) -> bool {
    let read = serde_json::from_slice::<Value>(request);
    read.is_err_and(|error| error.to_string().starts_with("number out of range"))
}

/// A request as another library reads it.
struct Request {
    /// Tags, desired, reported: what is written, without what is left out.
    parts: [Option<Value>; 3],
}

impl Request {
    /// `None` where it is no request at all.
    fn reported(request: &[u8]) -> Option<Self> {
        let section: Value = serde_json::from_slice(request).ok()?;
        section.is_object().then_some(Self { parts: [None, None, Some(section)] })
    }

    fn service(request: &[u8]) -> Option<Self> {
        let request: Value = serde_json::from_slice(request).ok()?;
        let tags = part(&request, "tags")?;
        let desired = match part(&request, "properties")? {
            Some(properties) => part(&properties, "desired")?,
            None => None,
        };
        // A list or a text is no section, whatever else stands in the request.
        let is_section = |part: &Option<Value>| part.as_ref().is_none_or(Value::is_object);
        let all = is_section(&tags) && is_section(&desired);
        all.then(|| Self { parts: [tags.map(without_echo), desired.map(without_echo), None] })
    }
}

/// A member of an object; `None` where there is no object, null is as good as nothing.
fn part(of: &Value, name: &str) -> Option<Option<Value>> {
    Some(of.as_object()?.get(name).filter(|part| !part.is_null()).cloned())
}

/// Services send back what they read (B1.2).
fn without_echo(mut section: Value) -> Value {
    if let Some(members) = section.as_object_mut() {
        members.retain(|key, _| key != "$version" && key != "$metadata");
    }
    section
}

/// RFC 7396, 2.
fn merge(target: &Value, patch: &Value) -> Value {
    let Value::Object(members) = patch else { return patch.clone() };
    let mut merged = target.as_object().cloned().unwrap_or_else(Map::new);
    for (key, value) in members {
        if value.is_null() {
            merged.remove(key);
        } else {
            let value = merge(merged.get(key).unwrap_or(&Value::Null), value);
            merged.insert(key.clone(), value);
        }
    }
    Value::Object(merged)
}

/// What B1.4 says of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Kept,
    Broken,
    /// The other library does not tell the text of a number.
    Unclear,
}

fn rule(section: &Value) -> Verdict {
    value(section, DEPTH_MAX + 1, false)
}

fn value(one: &Value, depth_left: usize, in_list: bool) -> Verdict {
    let deeper = depth_left.checked_sub(1);
    match (one, deeper) {
        (Value::Null, _) if in_list => Verdict::Broken,
        (Value::Null | Value::Bool(_), _) => Verdict::Kept,
        (Value::String(text), _) if text.len() > TEXT_BYTES_MAX => Verdict::Broken,
        (Value::String(_), _) => Verdict::Kept,
        (Value::Number(number), _) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(INTEGER_MIN..=INTEGER_MAX), ..) => Verdict::Kept,
            (Some(_), ..) | (None, Some(_), _) => Verdict::Broken,
            // Digits of any length are a float there.
            (.., Some(float)) if float.fract() == 0.0 => Verdict::Unclear,
            _ => Verdict::Kept,
        },
        (Value::Array(_) | Value::Object(_), None) => Verdict::Broken,
        (Value::Array(all), Some(left)) => worst(all.iter().map(|one| value(one, left, true))),
        (Value::Object(all), Some(left)) => worst(all.iter().map(|(key, one)| {
            let bad = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '.' | '$' | '#');
            if key.len() > KEY_BYTES_MAX || key.chars().any(bad) {
                return Verdict::Broken;
            }
            value(one, left, in_list)
        })),
    }
}

fn worst(all: impl Iterator<Item = Verdict>) -> Verdict {
    all.fold(Verdict::Kept, |worst, one| match (worst, one) {
        (Verdict::Broken, _) | (_, Verdict::Broken) => Verdict::Broken,
        (Verdict::Unclear, _) | (_, Verdict::Unclear) => Verdict::Unclear,
        _ => Verdict::Kept,
    })
}

fn is_refused_for(refused: &Refused, request: Option<&Request>, stale: bool) {
    let broken =
        |request: &Request| request.parts.iter().flatten().any(|part| rule(part) != Verdict::Kept);
    let right = match refused {
        // The other library takes what is deeper, and longer.
        Refused::Json(_) | Refused::TooLarge { .. } | Refused::RequestTooLong(_) => true,
        Refused::NotAnObject(_) => request.is_none(),
        Refused::Key { .. } | Refused::Value { .. } => request.is_none_or(broken),
        _ => stale,
    };
    assert!(right, "{refused:?} without a reason");
}

fn sections(twin: &Twin) -> (Value, Value, Value) {
    (shown(twin.tags()), shown(twin.desired().root()), shown(twin.reported().root()))
}

fn shown(node: Node<'_>) -> Value {
    let mut out = Vec::new();
    node.write_json(&mut out);
    serde_json::from_slice(&out).expect("what we write is JSON")
}

/// A device hears the patch as it was submitted, or the section after a replacement (B1.7).
fn notifies(change: &Change, part: Option<&Value>, write: Write, desired: &Value) {
    let Some(Notification { version, payload }) = change.notification() else {
        return assert!(part.is_none(), "nobody is told of {part:?}");
    };
    assert_eq!(version, change.twin.desired().version());
    let mut told: Value = serde_json::from_slice(&payload).expect("what we write is JSON");
    let members = told.as_object_mut().expect("an object");
    assert_eq!(members.remove("$version"), Some(version.into()));
    let due = if write == Write::Replace { desired } else { part.expect("desired was written") };
    assert_eq!(&told, due);
}

fn same_through_the_log(before: &Twin, change: &Change) {
    if let Some(record) = &change.record {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        let read = Record::decode(&bytes).expect("what was encoded");
        assert_eq!(&read, record);
        assert_eq!(before.apply(&read), Ok(Some(change.twin.clone())));
    }
    let mut bytes = Vec::new();
    change.twin.encode(&mut bytes);
    assert_eq!(Twin::decode(&bytes).expect("what was encoded"), change.twin);
}

fn shown_to_its_device(twin: &Twin) {
    let mut out = Vec::new();
    twin.write_for_device(&mut out);
    let mut told: Value = serde_json::from_slice(&out).expect("what we write is JSON");
    for (name, section) in [("desired", twin.desired()), ("reported", twin.reported())] {
        let members = told[name].as_object_mut().expect("a section");
        assert_eq!(members.remove("$version"), Some(section.version().into()));
        assert_eq!(told[name], shown(section.root()));
    }
}
