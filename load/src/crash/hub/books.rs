//! All accounts of the hub, what was found wrong, and the word that the process ends: what the
//! actors of a run share. Refuses to know what they do.

use super::calls::Calls;
use super::channel::Channel;
use super::events::Events;
use super::foreman::FLEET;
use super::jobs::Jobs;
use super::member::MEMBERS;
use super::queue::Queue;
use super::registered::Registered;
use super::section::{Section, Wrong};
use crate::crash::breach::Rule;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The accounts.
pub struct Books {
    /// By place in [`MEMBERS`].
    pub reported: Vec<Section>,
    /// Likewise.
    pub desired: Vec<Section>,
    /// Likewise; those of modules stay empty.
    pub queues: Vec<Queue>,
    /// Of direct methods.
    pub calls: Calls,
    /// Of jobs.
    pub jobs: Jobs,
    /// Of all members.
    pub channel: Channel,
    /// Of all identities.
    pub events: Events,
    /// By name.
    pub guests: Vec<Registered>,
    /// Rule, who has seen it, and what; until somebody takes it.
    pub found: Vec<(Rule, String, String)>,
}

/// What the actors share.
pub struct Shared {
    books: Mutex<Books>,
    ending: Mutex<bool>,
    ends: Condvar,
    /// Where choices come from.
    pub seed: u64,
}

/// Why an actor stops for this round.
#[derive(Debug)]
pub enum Stop {
    /// Its connection is gone, or the server refuses: right when the process ends.
    Broken(String),
    /// A rule is broken.
    Wrong(Rule, Wrong),
}

impl Shared {
    /// For all members, and so many guests.
    pub fn new(seed: u64, guests: usize) -> Self {
        let sections = || MEMBERS.iter().map(|_| Section::new()).collect();
        let books = Books {
            reported: sections(),
            desired: sections(),
            queues: MEMBERS.iter().map(|_| Queue::default()).collect(),
            calls: Calls::default(),
            jobs: Jobs::new(FLEET),
            channel: Channel::new(MEMBERS.len()),
            events: Events::default(),
            guests: (0..guests).map(|_| Registered::new()).collect(),
            found: Vec::new(),
        };
        let (books, ending) = (Mutex::new(books), Mutex::new(false));
        Self { books, ending, ends: Condvar::new(), seed }
    }

    /// The accounts. An actor that panicked has left them whole: each step is one call.
    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the process ends or has ended.
    pub fn is_ending(&self) -> bool {
        *self.ending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says so, or that it serves again.
    pub fn set_ending(&self, ending: bool) {
        *self.ending.lock().unwrap_or_else(PoisonError::into_inner) = ending;
        self.ends.notify_all();
    }

    /// Waits so long, or until the process ends; whether it does not.
    pub fn goes_on(&self, wait: Duration) -> bool {
        let ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.ends.wait_timeout_while(ending, wait, |ending| !*ending);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Enters why an actor stopped, unless the process had ended.
    pub fn stopped(&self, who: &str, stop: Stop) {
        let (rule, what) = match stop {
            Stop::Broken(_) if self.is_ending() => return,
            Stop::Broken(what) => (Rule::Protocol, what),
            Stop::Wrong(rule, what) => (rule, what),
        };
        self.books().found.push((rule, who.to_owned(), what));
    }
}

/// A judgement under its rule.
pub fn by(rule: Rule) -> impl FnOnce(Wrong) -> Stop {
    move |wrong| Stop::Wrong(rule, wrong)
}

/// What broke.
impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Self::Broken(format!("{error:#}"))
    }
}
