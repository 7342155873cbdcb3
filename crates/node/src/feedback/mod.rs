//! Feedback of commands (iot-hub B2, C6): what their senders are told of their ends.
//!
//! A command ends at the home of its device, and the outbox is one of the hub: it is at home on
//! reactor 0. [`reporting`] is the way there: an end that somebody wants to hear of goes to the log
//! as a record of its own beside the record of the end, in one batch, which is in the log whole or
//! not at all. So a crash neither loses nor doubles a report, wherever it comes: the record is what
//! a start makes the feedback of. Reactor 0 hears of it by a post once it is a fact. [`asking`] is
//! what readers ask, [`keeping`] what becomes of the outbox. Refuses to know HTTP.

mod asking;
mod keeping;
mod reporting;

pub use asking::{FeedbackAsk, FeedbackGiven, FeedbackSettlement};
pub(crate) use keeping::Settling;
pub(crate) use reporting::{News, Reporting};

use hub::feedback::Outbox;

/// What reactor 0 has of the feedback.
#[derive(Default)]
pub(crate) struct Desk {
    outbox: Outbox,
    /// Where nothing is kept: the last number that an item or a record was given.
    last: u64,
}
