//! What is known of an identity beside its record: its twin, and what was heard of it.

use super::Used;
use super::history::Remembered;
use super::methods::Invoker;
use broker::subscription::SessionRef;
use hub::command::Queue;
use hub::identity::{Activity, ConnectionState, Generation};
use hub::method::Calls;
use hub::registry::FoundTwin;
use hub::twin::Twin;
use std::borrow::Cow;
use store::op::Sequence;

/// One identity at its home. A registry has a million of them, most of which nobody has heard of.
pub(crate) struct Known {
    /// The record of its identity; 0 where nothing is kept.
    pub at: Sequence,
    /// The oldest record of this life: what its end speaks of.
    pub first: Sequence,
    /// Its twin, once somebody has written into it.
    pub twin: Option<Box<KeptTwin>>,
    /// Its commands, where it had some.
    pub commands: Option<Box<Queue>>,
    /// What was heard of it since the start.
    pub heard: Option<Box<Heard>>,
    /// The last changes of its twin since then.
    pub history: Option<Box<Remembered>>,
}

/// A twin and its records.
#[derive(Debug)]
pub(crate) struct KeptTwin {
    pub twin: Twin,
    /// The record that has the whole of it, if there is one.
    pub whole: Option<Sequence>,
    /// The records of the writes since.
    pub changes: Vec<Sequence>,
}

/// What was heard of an identity since the start.
#[derive(Default)]
pub(crate) struct Heard {
    pub activity: Activity,
    /// Its session, while it is connected.
    pub session: Option<SessionRef>,
    /// Methods that wait for it.
    pub calls: Calls<Invoker>,
    /// Of the last connection that named one.
    pub model_id: Box<str>,
    /// What it has used up, where that is bounded.
    pub used: Option<Box<Used>>,
}

impl Known {
    /// One that begins with the record `at`.
    pub fn new(at: Sequence) -> Self {
        Self { at, first: at, twin: None, commands: None, heard: None, history: None }
    }

    /// Its twin: the one it began with, where nobody has written into it.
    pub fn twin(&self, generation: Generation) -> Cow<'_, Twin> {
        match &self.twin {
            Some(kept) => Cow::Borrowed(&kept.twin),
            None => Cow::Owned(Twin::new(generation.begun_ms())),
        }
    }

    /// Whether it is connected, and since when.
    pub fn activity(&self) -> Activity {
        let known = self.heard.as_ref().map_or_else(Activity::default, |heard| heard.activity);
        let commands = self.commands.as_ref().map_or(0, |queue| queue.count());
        Activity { commands, ..known }
    }

    /// Whether it has a connection.
    pub fn is_connected(&self) -> bool {
        self.activity().state == ConnectionState::Connected
    }

    /// The model of the last connection that named one, else empty.
    pub fn model_id(&self) -> &str {
        self.heard.as_ref().map_or("", |heard| &heard.model_id)
    }

    /// All its records.
    pub fn records(&self) -> impl Iterator<Item = Sequence> {
        let twin = self.twin.iter().flat_map(|twin| twin.records());
        let commands = self.commands.iter().flat_map(|queue| queue.held());
        twin.chain(commands).chain([self.at]).filter(|at| at.0 > 0)
    }
}

impl KeptTwin {
    /// Its records.
    pub fn records(&self) -> impl Iterator<Item = Sequence> {
        self.whole.into_iter().chain(self.changes.iter().copied())
    }

    /// Whether the next write is better written as the whole twin: it overtakes all these.
    pub fn is_scattered(&self) -> bool {
        self.changes.len() >= CHANGES_MAX
    }
}

impl From<FoundTwin> for KeptTwin {
    fn from(found: FoundTwin) -> Self {
        let FoundTwin { twin, whole, changes } = found;
        Self { twin, whole, changes }
    }
}

/// So many writes are read again at a start, each a record to hold, before the whole twin is
/// written: a sixty-fourth of the writes are as large as the twin.
const CHANGES_MAX: usize = 63;
