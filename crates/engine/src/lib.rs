//! How an operation becomes a fact.
//!
//! Completions instead of futures, so that a reactor never waits: what is submitted in a turn comes
//! back in a later one, in the order of the log. Never looks inside a record.

mod committer;
mod fact;
mod intake;
mod memory;

pub use committer::{Committer, Step};
pub use fact::{Fact, Facts, Formed, Outcome};
pub use intake::{Form, Handle, Intake};
pub use memory::{LogEnd, Memory};

/// Where one reactor's operations become facts.
pub enum Engine<R> {
    /// In memory: at once, for as long as the process lives.
    Memory(Memory),
    /// In the log: when a commit has come back, told by [`Facts`].
    Log(Handle<R>),
}
