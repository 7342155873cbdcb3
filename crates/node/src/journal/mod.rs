//! What a durable namespace writes into the log, as plain data with an encoding, and what one
//! session's delivery adds up to when it is read back.
//!
//! Owns the kinds of records, their bytes and [`Reached`]. Refuses to know when something is
//! written, who is told afterwards, and where a record lies: it gets bytes and gives bytes.
//!
//! Every payload begins with the version byte of its kind; numbers are unsigned LEB128 in their
//! shortest form, moments are wall milliseconds plus one with 0 for "never", texts and lists have
//! their length before them. There is one encoding of each value: what decodes encodes to the
//! same bytes.

#[cfg(test)]
mod chance;
mod clock;
mod completed;
mod content;
mod done;
mod entry;
mod message;
mod owner;
mod progress;
mod publisher;
mod reached;
mod reader;
mod received_released;
mod released;
mod sent;
mod session_begun;
mod session_ended;
mod session_id;
mod subscription;
mod writer;

pub use clock::Clock;
pub use completed::{Completed, Ended};
pub use content::Content;
pub use done::Done;
pub use entry::{BadEntry, Entry};
pub use message::Message;
pub use owner::{Owner, Rights};
pub use progress::{Progress, UnderWay};
pub use publisher::{Publisher, Request};
pub use reached::Reached;
pub use received_released::ReceivedReleased;
pub use released::Released;
pub use sent::Sent;
pub use session_begun::{LastWill, Presence, SessionBegun};
pub use session_ended::SessionEnded;
pub use session_id::SessionId;
pub use subscription::Subscription;
