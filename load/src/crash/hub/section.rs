//! The account of one section of a twin: who wrote what under which version, in which order, and
//! what anybody has seen. What is known to have a version must fit one order that keeps the order
//! of time: the section is linearizable. Refuses to know who asks, and how.

use std::collections::BTreeMap;

/// What stands in a section: numbers by key. Each write has its number under [`LAST`].
pub type Content = BTreeMap<String, u64>;

/// The books of a section.
#[derive(Debug)]
pub struct Section {
    writes: Vec<Write>,
    /// By version: the write that it was given to.
    at: BTreeMap<u64, usize>,
    /// By version: what stood there, as it was seen.
    states: BTreeMap<u64, Content>,
    /// The highest version that anybody was told.
    floor: u64,
    /// Writes that were answered.
    pub answered: u64,
}

#[derive(Debug)]
struct Write {
    change: Change,
    fate: Fate,
}

/// What a write does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Sets keys, and removes those without a number.
    Patch(BTreeMap<String, Option<u64>>),
    /// Is all that stands there then.
    Replace(Content),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// No answer: it may have been done, once.
    Open,
    /// Its version is known.
    At(u64),
    /// It must never be seen.
    Refused,
}

/// A write that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    write: usize,
    floor: u64,
    expected: Option<u64>,
}

/// A look that was begun: what anybody was told before must be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look(u64);

/// What is wrong, in words.
pub type Wrong = String;

impl Section {
    /// As it is created: version 1, without anything.
    pub fn new() -> Self {
        let created = Write { change: Change::Replace(Content::new()), fate: Fate::At(1) };
        let (at, states) = (BTreeMap::from([(1, 0)]), BTreeMap::from([(1, Content::new())]));
        Self { writes: vec![created], at, states, floor: 1, answered: 0 }
    }

    /// The number that the next write has.
    pub fn next(&self) -> u64 {
        self.writes.len() as u64
    }

    /// A write is about to be sent, perhaps on a version that it expects. It sets [`LAST`] to
    /// [`Section::next`].
    pub fn begin(&mut self, change: Change, expected: Option<u64>) -> Begun {
        self.writes.push(Write { change, fate: Fate::Open });
        Begun { write: self.writes.len() - 1, floor: self.floor, expected }
    }

    /// It was answered with success.
    ///
    /// # Errors
    /// When the version cannot be.
    pub fn done(&mut self, begun: Begun, version: u64) -> Result<(), Wrong> {
        self.answered += 1;
        let Begun { write, floor, expected } = begun;
        self.place(write, version)?;
        if version <= floor {
            return Err(format!("write {write} got version {version}, after {floor} was told"));
        }
        match expected {
            Some(expected) if version != expected + 1 => {
                Err(format!("write {write} got version {version} and was for {expected} only"))
            }
            _ => Ok(()),
        }
    }

    /// What stood in the answer to a write: the section as it left it.
    ///
    /// # Errors
    /// As [`Section::seen`].
    pub fn answer(&mut self, begun: Begun, version: u64, content: &Content) -> Result<(), Wrong> {
        self.seen(Look(begun.floor), version, content)
    }

    /// It was refused because the version is another than it expected.
    ///
    /// # Errors
    /// When it was done all the same, or nobody else can have written.
    pub fn refused(&mut self, begun: Begun) -> Result<(), Wrong> {
        let Begun { write, expected, .. } = begun;
        if let Fate::At(version) = self.writes[write].fate {
            return Err(format!("write {write} was refused and has version {version}"));
        }
        self.writes[write].fate = Fate::Refused;
        let Some(expected) = expected else {
            return Err(format!("write {write} expected nothing and was refused"));
        };
        let other = self.floor > expected || self.writes.iter().any(|w| w.fate == Fate::Open);
        if other {
            return Ok(());
        }
        Err(format!("write {write} was refused on version {expected}, after which nobody wrote"))
    }

    /// Somebody begins to look.
    pub fn look(&self) -> Look {
        Look(self.floor)
    }

    /// What was seen.
    ///
    /// # Errors
    /// When it is older than what was told before, or not what was written.
    pub fn seen(&mut self, look: Look, version: u64, content: &Content) -> Result<(), Wrong> {
        if version < look.0 {
            return Err(format!("version {version} is seen, after {} was told", look.0));
        }
        let last = content.get(LAST).copied().unwrap_or(0);
        let write = usize::try_from(last).unwrap_or(usize::MAX);
        if write >= self.writes.len() {
            return Err(format!("version {version} is of write {last}, which nobody began"));
        }
        self.place(write, version)?;
        let due = self.due(version);
        if due.as_ref().is_some_and(|due| due != content) {
            return Err(format!("version {version} should be {due:?} and is {content:?}"));
        }
        self.states.insert(version, content.clone());
        Ok(())
    }

    /// A device was told of a write.
    ///
    /// # Errors
    /// When the version is another's.
    pub fn told(&mut self, version: u64, last: Option<u64>) -> Result<(), Wrong> {
        match last.map(|last| usize::try_from(last).unwrap_or(usize::MAX)) {
            Some(write) if write < self.writes.len() => self.place(write, version),
            other => Err(format!("a device is told of version {version} by write {other:?}")),
        }
    }

    fn place(&mut self, write: usize, version: u64) -> Result<(), Wrong> {
        let fate = self.writes[write].fate;
        match fate {
            Fate::Refused => {
                return Err(format!("write {write} was refused and has version {version}"));
            }
            Fate::At(other) if other != version => {
                return Err(format!("write {write} has version {other} and version {version}"));
            }
            Fate::At(_) | Fate::Open => {}
        }
        let other = *self.at.entry(version).or_insert(write);
        if other != write {
            return Err(format!("version {version} is write {other}'s and write {write}'s"));
        }
        self.writes[write].fate = Fate::At(version);
        self.floor = self.floor.max(version);
        Ok(())
    }

    /// What has to stand at a version, where all writes since a known state are known.
    fn due(&self, version: u64) -> Option<Content> {
        let (from, state) = self.states.range(..=version).next_back()?;
        let mut state = state.clone();
        for version in from + 1..=version {
            match &self.writes[*self.at.get(&version)?].change {
                Change::Replace(content) => state.clone_from(content),
                Change::Patch(keys) => {
                    for (key, number) in keys {
                        match number {
                            Some(number) => state.insert(key.clone(), *number),
                            None => state.remove(key),
                        };
                    }
                }
            }
        }
        Some(state)
    }
}

/// Where each write leaves its number.
pub const LAST: &str = "last";

#[cfg(test)]
mod tests {
    use super::*;

    fn content(rows: &[(&str, u64)]) -> Content {
        rows.iter().map(|(key, number)| ((*key).to_owned(), *number)).collect()
    }

    fn patch(section: &mut Section, rows: &[(&str, Option<u64>)], on: Option<u64>) -> Begun {
        let mut keys: BTreeMap<_, _> =
            rows.iter().map(|(key, number)| ((*key).to_owned(), *number)).collect();
        keys.insert(LAST.into(), Some(section.next()));
        section.begin(Change::Patch(keys), on)
    }

    #[test]
    fn a_right_history_is_right() {
        let mut section = Section::new();
        let first = patch(&mut section, &[("k", Some(1))], None);
        let lost = patch(&mut section, &[("k", None)], None);
        section.done(first, 2).unwrap();
        let look = section.look();
        section.seen(look, 2, &content(&[("last", 1), ("k", 1)])).unwrap();
        // What was not answered may have been done, and is known when it is seen.
        section.seen(look, 3, &content(&[("last", 2)])).unwrap();
        section.done(lost, 3).unwrap();
        let replace = Change::Replace(content(&[("last", 3), ("r", 3)]));
        let replaced = section.begin(replace, Some(3));
        section.done(replaced, 4).unwrap();
        section.seen(section.look(), 4, &content(&[("last", 3), ("r", 3)])).unwrap();
        let late = patch(&mut section, &[], Some(3));
        section.refused(late).unwrap();
        section.told(4, Some(3)).unwrap();
        assert_eq!(section.answered, 3);
    }

    #[test]
    fn a_version_that_was_told_and_is_gone_is_seen() {
        let mut section = Section::new();
        let begun = patch(&mut section, &[], None);
        section.done(begun, 2).unwrap();
        let why = section.seen(section.look(), 1, &content(&[])).unwrap_err();
        assert!(why.contains("after 2 was told"), "{why}");
        // And so is one that comes back under another's number.
        let next = patch(&mut section, &[], None);
        assert!(section.done(next, 2).unwrap_err().contains("write 1's and write 2's"));
    }

    #[test]
    fn wrong_histories_are_seen() {
        type History = fn(&mut Section) -> Result<(), Wrong>;
        let rows: [(&str, History); 8] = [
            ("twice", |s| {
                let (a, b) = (patch(s, &[], None), patch(s, &[], None));
                s.done(a, 2)?;
                s.done(b, 2)
            }),
            ("done twice", |s| {
                let a = patch(s, &[], None);
                s.done(a, 2)?;
                s.seen(s.look(), 3, &content(&[("last", 1)]))
            }),
            ("against time", |s| {
                let a = patch(s, &[], None);
                s.done(a, 3)?;
                let b = patch(s, &[], None);
                s.done(b, 2)
            }),
            ("on another version", |s| {
                let a = patch(s, &[], Some(1));
                s.done(a, 3)
            }),
            ("refused for nothing", |s| {
                let a = patch(s, &[], Some(1));
                s.refused(a)
            }),
            ("refused and done", |s| {
                let (a, _) = (patch(s, &[], Some(1)), patch(s, &[], None));
                s.refused(a)?;
                s.seen(s.look(), 2, &content(&[("last", 1)]))
            }),
            ("a key lost", |s| {
                let a = patch(s, &[("k", Some(1))], None);
                s.done(a, 2)?;
                s.seen(s.look(), 2, &content(&[("last", 1)]))
            }),
            ("nobody's", |s| s.told(2, Some(7))),
        ];
        for (name, history) in rows {
            assert!(history(&mut Section::new()).is_err(), "{name}");
        }
    }
}
