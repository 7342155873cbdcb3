//! What a write makes of a section (B1.5), value by value, with their stamps. Refuses to know
//! whether it may be written.
//!
//! What a patch names is written, so it and the objects around it get the new stamp; the rest
//! keeps its own.

use super::node::{Kind, Node, NodeWriter, Stamp};
use super::tree::Tree;

/// A section after a write.
pub(super) struct Merged {
    pub tree: Tree,
    /// Whether a key that was there is gone: what changed since then is no longer a patch.
    pub removed: bool,
}

/// `old` with `patch` merged into it.
pub(super) fn merge(old: Node<'_>, patch: Node<'_>, stamp: Stamp) -> Merged {
    let mut removed = false;
    let len = old.body.len() + patch.body.len();
    let tree = Tree::build(len, |w| object(w, old, patch, stamp, &mut removed));
    Merged { tree, removed }
}

/// The new section of a replacement: nulls are no keys.
pub(super) fn plant(patch: Node<'_>, stamp: Stamp) -> Tree {
    Tree::build(patch.body.len(), |w| planted(w, patch, stamp, Stamp::default()))
}

fn object(
    w: &mut NodeWriter<'_>,
    old: Node<'_>,
    patch: Node<'_>,
    stamp: Stamp,
    removed: &mut bool,
) {
    // Only a root has a parent with another stamp, and that is the default.
    merged(w, old, patch, (stamp, Stamp::default()), removed);
}

fn merged(
    w: &mut NodeWriter<'_>,
    old: Node<'_>,
    patch: Node<'_>,
    (stamp, parent): (Stamp, Stamp),
    removed: &mut bool,
) {
    let open = w.open(Kind::Object, stamp, parent);
    let mut edits = Edits::of(patch);
    for (key, value) in old.raw_entries() {
        let Some(edit) = edits.take(key) else {
            w.key(key);
            w.copy(value, stamp);
            continue;
        };
        match (value.kind, edit.kind) {
            (_, Kind::Null) => *removed = true,
            (Kind::Object, Kind::Object) => {
                w.key(key);
                merged(w, value, edit, (stamp, stamp), removed);
            }
            (was, _) => {
                *removed |= was == Kind::Object;
                w.key(key);
                planted(w, edit, stamp, stamp);
            }
        }
    }
    for (key, edit) in edits.left().filter(|(_, edit)| edit.kind != Kind::Null) {
        w.key(key);
        planted(w, edit, stamp, stamp);
    }
    w.close(&open);
}

/// A value of a patch where nothing was: without the members that are null.
fn planted(w: &mut NodeWriter<'_>, value: Node<'_>, stamp: Stamp, parent: Stamp) {
    if value.kind != Kind::Object {
        return w.copy(value.with_stamp(stamp), parent);
    }
    let open = w.open(Kind::Object, stamp, parent);
    for (key, value) in value.raw_entries().filter(|(_, value)| value.kind != Kind::Null) {
        w.key(key);
        planted(w, value, stamp, stamp);
    }
    w.close(&open);
}

/// The members of a patch object, each to be taken once. Found by halving where they are many, so
/// that a large patch of a large section takes no square of their sizes.
struct Edits<'a> {
    all: Vec<(&'a [u8], Option<Node<'a>>)>,
    sorted: Vec<u32>,
}

impl<'a> Edits<'a> {
    fn of(patch: Node<'a>) -> Self {
        let all: Vec<_> = patch.raw_entries().map(|(key, value)| (key, Some(value))).collect();
        let mut sorted = Vec::new();
        if all.len() > SEARCHED_IN_ORDER_MAX {
            sorted.extend(0..all.len() as u32);
            sorted.sort_unstable_by_key(|&at| all[at as usize].0);
        }
        Self { all, sorted }
    }

    fn take(&mut self, key: &[u8]) -> Option<Node<'a>> {
        let at = match self.sorted[..] {
            [] => self.all.iter().position(|(k, _)| *k == key)?,
            _ => {
                let found = self.sorted.binary_search_by_key(&key, |&at| self.all[at as usize].0);
                self.sorted[found.ok()?] as usize
            }
        };
        self.all[at].1.take()
    }

    fn left(self) -> impl Iterator<Item = (&'a [u8], Node<'a>)> {
        self.all.into_iter().filter_map(|(key, value)| Some((key, value?)))
    }
}

const SEARCHED_IN_ORDER_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::super::examples::object;
    use super::super::{IfVersion, Mode, Twin, patch, patch_reported, replace};
    use crate::IfMatch;
    use crate::chance::Chance;
    use serde_json::{Value, json};

    /// RFC 7396, 2, as it is printed there.
    fn naive(target: &Value, patch: &Value) -> Value {
        let Value::Object(members) = patch else { return patch.clone() };
        let mut target = target.as_object().cloned().unwrap_or_default();
        for (key, value) in members {
            if value.is_null() {
                target.remove(key);
            } else {
                let merged = naive(target.get(key).unwrap_or(&Value::Null), value);
                target.insert(key.clone(), merged);
            }
        }
        Value::Object(target)
    }

    fn desired(twin: &Twin) -> Value {
        let mut out = Vec::new();
        twin.desired().root().write_json(&mut out);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn merging_is_what_the_rfc_says_and_devices_can_catch_up() {
        let mut patches = 0;
        for seed in 0..60 {
            let mut chance = Chance::new(seed);
            let mut twin = Twin::new(1_000);
            let mut states = vec![json!({}), json!({})];
            for step in 0..40 {
                let text = object(&mut chance, 4, true);
                let (mode, decide): (_, fn(&_, &_, &_, _) -> _) = match chance.below(12) {
                    0 => (Mode::Replace, replace),
                    _ => (Mode::Merge, patch),
                };
                let request = format!("{{\"properties\":{{\"desired\":{text}}}}}");
                let change = decide(&twin, request.as_bytes(), &IfMatch::Any, 2_000 + step);
                let Ok(change) = change else { panic!("{request}: {change:?}") };
                let asked: Value = serde_json::from_str(&text).unwrap();
                let expected = match mode {
                    Mode::Merge => naive(states.last().unwrap(), &asked),
                    Mode::Replace => naive(&json!({}), &asked),
                };
                assert_eq!(desired(&change.twin), expected, "seed {seed}: {text}");
                twin = change.twin;
                states.push(expected);
                let seen = 1 + chance.below(twin.desired().version() as usize);
                let Some(missed) = twin.catch_up(seen as u64) else {
                    assert_eq!(seen as u64, twin.desired().version());
                    continue;
                };
                let mut missed: Value = serde_json::from_slice(&missed.payload).unwrap();
                let version = missed.as_object_mut().unwrap().remove("$version");
                assert_eq!(version, Some(json!(twin.desired().version())));
                let whole = (seen as u64) < twin.desired().removed_version;
                let base = if whole { &json!({}) } else { &states[seen] };
                assert_eq!(&naive(base, &missed), states.last().unwrap(), "seed {seed}");
                patches += usize::from(!whole && missed != states[states.len() - 1]);
            }
        }
        assert!(patches > 20, "most of what is caught up is not the whole: {patches}");
    }

    #[test]
    fn a_large_patch_of_a_large_section_takes_no_square() {
        let many = |from: usize, to: usize, value: &str| {
            let members: Vec<_> = (from..to).map(|n| format!("\"{n:x}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        };
        let first = many(0, 7_000, "{}");
        let twin = Twin::new(0);
        let twin = patch_reported(&twin, first.as_bytes(), IfVersion::Any, 1).unwrap().twin;
        let second = many(3_500, 30_000, "null");
        let twin = patch_reported(&twin, second.as_bytes(), IfVersion::Any, 2).unwrap().twin;
        assert_eq!(twin.reported().root().entries().count(), 3_500);
    }
}
