//! What a durable namespace writes into the log, as plain data with an encoding, and what it adds
//! up to when it is read back.
//!
//! Owns the kinds of records, their bytes, [`Reached`] and [`Replay`]. Refuses to know when
//! something is written, who is told afterwards, and where a record lies: it gets bytes and gives
//! bytes.
//!
//! Every payload begins with the version byte of its kind; numbers are unsigned LEB128 in their
//! shortest form, moments are wall milliseconds plus one with 0 for "never", texts and lists have
//! their length before them. There is one encoding of each value: what decodes encodes to the
//! same bytes.

mod carried;
#[cfg(test)]
pub(crate) mod chance;
mod clock;
mod content;
mod done;
mod entry;
mod group_progress;
mod last_will;
mod message;
mod owner;
mod presence;
mod progress;
mod publisher;
mod reached;
mod reader;
mod released;
mod replay;
mod sent;
mod session_begun;
mod session_ended;
mod session_id;
mod subscribed;
mod subscription;
mod writer;

pub use carried::{Carried, CarriedFor};
pub use clock::Clock;
pub use content::Content;
pub use done::Done;
pub use entry::{BadEntry, Entry};
pub use group_progress::GroupProgress;
pub use last_will::LastWill;
pub use message::Message;
pub use owner::{Owner, Rights};
pub use presence::{Attached, Detached, Presence, WillLeft};
pub use progress::{Progress, UnderWay, Via};
pub use publisher::{Publisher, Request};
pub use reached::Reached;
pub use released::{Direction, Released};
pub use replay::{Found, FoundGroup, FoundRequest, FoundRetained, FoundSession, Replaced, Replay};
pub use sent::Sent;
pub use session_begun::SessionBegun;
pub use session_ended::SessionEnded;
pub use session_id::SessionId;
pub use subscribed::{Subscribed, Unsubscribed};
pub use subscription::Subscription;
