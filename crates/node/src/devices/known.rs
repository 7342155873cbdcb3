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
    /// What else there is of it, where there is anything.
    pub heard: Option<Box<Heard>>,
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

/// What was heard of an identity since the start, and its commands, before that too.
#[derive(Default)]
pub(crate) struct Heard {
    /// Where it had some.
    pub commands: Option<Box<Queue>>,
    /// The last changes of its twin.
    pub history: Option<Box<Remembered>>,
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
        Self { at, first: at, twin: None, heard: None }
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
        let commands = self.commands().map_or(0, Queue::count);
        Activity { commands, ..known }
    }

    /// Its commands, where it had some.
    pub fn commands(&self) -> Option<&Queue> {
        self.heard.as_ref()?.commands.as_deref()
    }

    /// The same, to change them.
    pub fn commands_mut(&mut self) -> Option<&mut Queue> {
        self.heard.as_mut()?.commands.as_deref_mut()
    }

    /// The last changes of its twin.
    pub fn history(&self) -> Option<&Remembered> {
        self.heard.as_ref()?.history.as_deref()
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
        let commands = self.commands().into_iter().flat_map(Queue::held);
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

/// A million of them, most with nothing of their own.
const _: () = assert!(size_of::<Known>() <= 32);
