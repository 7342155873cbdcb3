//! The last changes of one twin, for people who ask what has changed it. Memory: it begins when
//! somebody first writes into the twin after a start. Refuses to know who may look.

use super::record::{Mode, Part, Record};
use super::state::Twin;
use crate::Moment;
use std::collections::VecDeque;

/// The last changes, the oldest first.
#[derive(Debug, Default)]
pub struct History {
    changes: VecDeque<Remembered>,
    bytes: usize,
    /// Changes that were forgotten for newer ones.
    forgotten: u64,
}

#[derive(Debug)]
struct Remembered {
    record: Record,
    /// `$version` of desired after it.
    desired: u64,
    /// `$version` of reported after it.
    reported: u64,
}

impl History {
    /// Remembers that `record` has led to `twin`, and forgets the oldest: there are at most so many
    /// changes, of so many bytes together.
    pub fn push(&mut self, record: Record, twin: &Twin, (changes_max, bytes_max): (usize, usize)) {
        let (desired, reported) = (twin.desired().version(), twin.reported().version());
        let change = Remembered { record, desired, reported };
        self.bytes += change.bytes();
        self.changes.push_back(change);
        while self.changes.len() > changes_max || self.bytes > bytes_max {
            let Some(oldest) = self.changes.pop_front() else { return };
            self.bytes -= oldest.bytes();
            self.forgotten += 1;
        }
    }

    /// What it holds.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends it as JSON: `{"forgotten","changes":[{"version","time","by", ...}]}`, where each of
    /// `tags`, `desired` and `reported` that was written stands as it was asked for, nulls
    /// included.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(
            format!("{{\"forgotten\":{},\"changes\":[", self.forgotten).as_bytes(),
        );
        for (at, change) in self.changes.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            change.write_json(out);
        }
        out.extend_from_slice(b"]}");
    }
}

impl Remembered {
    fn bytes(&self) -> usize {
        let trees: usize = self.record.edits.iter().map(|edit| edit.tree.bytes().len()).sum();
        size_of::<Self>() + trees
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        let Self { record, desired, reported } = self;
        let (version, time) = (record.version, Moment::at(record.at_ms));
        let by_device = record.edits.iter().any(|edit| edit.part == Part::Reported);
        let by = if by_device { "device" } else { "service" };
        out.extend_from_slice(
            format!("{{\"version\":{version},\"time\":\"{time}\",\"by\":\"{by}\"").as_bytes(),
        );
        for edit in &record.edits {
            let (name, how) = (edit.part.name(), word(edit.mode));
            let version = match edit.part {
                Part::Tags => String::new(),
                Part::Desired => format!("\"$version\":{desired},"),
                Part::Reported => format!("\"$version\":{reported},"),
            };
            let text = format!(",\"{name}\":{{{version}\"how\":\"{how}\",\"value\":");
            out.extend_from_slice(text.as_bytes());
            edit.tree.root().write_json(out);
            out.push(b'}');
        }
        out.push(b'}');
    }
}

fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Merge => "patch",
        Mode::Replace => "replace",
    }
}

#[cfg(test)]
mod tests {
    use super::super::{IfVersion, patch, patch_reported, replace};
    use super::*;
    use crate::IfMatch;

    fn text(history: &History) -> String {
        let mut out = Vec::new();
        history.write_json(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_last_changes_stand_as_they_were_asked_for() {
        let (mut twin, mut history) = (Twin::new(0), History::default());
        let mut take = |change: super::super::Change| {
            let record = change.record.unwrap();
            history.push(record, &change.twin, (3, 1 << 20));
            change.twin
        };
        let first = br#"{"tags":{"floor":1}}"#;
        twin = take(patch(&twin, first, &IfMatch::Any, 1_000).unwrap());
        let second = br#"{"properties":{"desired":{"a":1,"b":null}}}"#;
        twin = take(patch(&twin, second, &IfMatch::Any, 2_000).unwrap());
        twin = take(patch_reported(&twin, b"{\"a\":1.50}", IfVersion::Any, 3_000).unwrap());
        let last = br#"{"tags":{},"properties":{"desired":{"c":[1]}}}"#;
        let _ = take(replace(&twin, last, &IfMatch::Any, 4_000).unwrap());
        assert_eq!(
            text(&history),
            concat!(
                r#"{"forgotten":1,"changes":["#,
                r#"{"version":4,"time":"1970-01-01T00:00:02.0000000Z","by":"service","#,
                r#""desired":{"$version":2,"how":"patch","value":{"a":1,"b":null}}},"#,
                r#"{"version":5,"time":"1970-01-01T00:00:03.0000000Z","by":"device","#,
                r#""reported":{"$version":2,"how":"patch","value":{"a":1.50}}},"#,
                r#"{"version":6,"time":"1970-01-01T00:00:04.0000000Z","by":"service","#,
                r#""tags":{"how":"replace","value":{}},"#,
                r#""desired":{"$version":3,"how":"replace","value":{"c":[1]}}}]}"#,
            )
        );
    }

    #[test]
    fn its_bytes_are_bounded_too() {
        let (mut twin, mut history) = (Twin::new(0), History::default());
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(1_000));
        for at_ms in 0..9 {
            let change = patch_reported(&twin, long.as_bytes(), IfVersion::Any, at_ms).unwrap();
            history.push(change.record.unwrap(), &change.twin, (100, 5_000));
            twin = change.twin;
            assert!(history.bytes() <= 5_000);
        }
        assert_eq!(
            (history.changes.len() + history.forgotten as usize, history.bytes > 3_000),
            (9, true)
        );
        let change = patch_reported(&twin, b"{}", IfVersion::Any, 10).unwrap();
        history.push(change.record.unwrap(), &change.twin, (0, 5_000));
        assert_eq!(
            (text(&history), history.bytes()),
            (r#"{"forgotten":10,"changes":[]}"#.into(), 0)
        );
    }
}
