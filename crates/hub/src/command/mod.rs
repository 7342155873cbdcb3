//! Commands from the cloud to a device: one durable queue a device (iot-hub B2, A14.4).
//!
//! Owns the queue ([`Queue`]), what may become of a command in it, its bytes in the log
//! ([`Record`]), and what senders are told of ends ([`Report`]). Refuses to know the log,
//! connections, HTTP, and where the time and the tokens of locks come from.
//!
//! What is decided is a record; deciding only reserves, so that nothing is decided twice while a
//! record is on its way. Hearing of it and replaying it are the same [`Queue::heard`], which also
//! says what the log need not keep any more. A command, an abandon and an end are durable; a lock
//! is not: after a crash what somebody worked on waits again, and is delivered again.
//!
//! What the vendor's text leaves open and we chose: what a connection says of a command after its
//! lock counts as long as nobody else has it; a purge ends what waits, not what is in work; the
//! value of a property is any text without controls.

mod content;
mod dead_letter;
mod entry;
#[cfg(test)]
mod examples;
mod fact;
#[cfg(test)]
mod history_tests;
mod limits;
mod outcome;
mod queue;
mod record;
mod report;
mod sending;
mod settings;
mod waiting;

pub use content::{Command, Content, Properties};
pub use dead_letter::DeadLetter;
pub use entry::Holder;
pub use limits::*;
pub use outcome::{Ack, Outcome};
pub use queue::{Claim, Delivery, LockLost, Queue, Settlement, Step};
pub use record::{Ended, Record};
pub use report::Report;
pub use settings::Settings;
pub use waiting::{Place, Waiting};
