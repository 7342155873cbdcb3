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
mod catch_up;
mod change;
mod document;
#[cfg(test)]
mod examples;
mod history;
mod if_version;
mod limits;
mod merge;
mod metadata;
mod node;
mod patch;
mod record;
mod refused;
mod section;
mod state;
mod tree;

pub use about::About;
pub use change::{Change, Notification, patch, patch_reported, replace};
pub(crate) use document::{write_capabilities, write_texts, write_thumbprints};
pub use history::History;
pub use if_version::IfVersion;
pub use limits::*;
pub use metadata::{Versions, write_metadata};
pub use node::{Kind, Node, Stamp};
pub use record::{Edit, Mode, Part, Record};
pub use refused::Refused;
pub use section::Section;
pub use state::{Gap, Twin};
pub use tree::Tree;
