//! All identities of a home with what belongs to each, in order of their ids, and what the log
//! keeps of them.
//!
//! Owns the order ([`Index`]), the kinds of records and their bytes ([`Entry`]), and what they add
//! up to at a start ([`Replay`]). Refuses to know where records lie and when one is written.

mod entry;
mod index;
mod lives;
mod replay;

pub use entry::{Entry, Of};
pub use index::{Ids, Index};
pub use replay::{Found, FoundTwin, Replay};
