//! Twins: what is known of a device or a module, what is wanted of it and what it reported
//! (iot-hub B1).
//!
//! Owns the state of one twin, the rules for what may be written into it, what follows from a
//! write as plain data ([`Change`]) and the bytes of both for the log. Refuses to know who may
//! write, where twins lie, who is connected and how anything is sent.
//!
//! A section is one run of bytes ([`Node`]) in which every value carries when it was last written,
//! so it is its own durable form, is looked into without being read first, and takes about the
//! room of its text. What a write does stands in a [`Record`]; deciding, hearing of it and
//! replaying it are the same [`Twin::apply`].

mod about;
mod bytes;
mod catch_up;
#[cfg(test)]
pub(crate) mod chance;
mod change;
mod document;
mod etag;
mod limits;
mod merge;
mod metadata;
mod node;
mod patch;
mod precondition;
mod record;
mod refused;
mod section;
mod state;
mod timestamp;
mod tree;

pub use about::{About, Authentication, Connection, Status};
pub use change::{Change, Notification, patch, patch_reported, replace};
pub(crate) use document::{write_capabilities, write_texts, write_thumbprints};
pub use etag::{Etag, EtagText};
pub use limits::*;
pub use metadata::{Versions, write_metadata};
pub use node::{Kind, Node, Stamp};
pub use precondition::{IfMatch, IfVersion};
pub use record::{Edit, Mode, Part, Record};
pub use refused::{BadTwin, Refused};
pub use section::Section;
pub use state::Twin;
pub use timestamp::Timestamp;
pub use tree::Tree;
