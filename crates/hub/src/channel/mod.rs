//! The built-in telemetry channel (iot-hub B4, B6): what the log keeps of each message, how far it
//! reaches, and how far consumer groups and endpoints have come.
//!
//! Owns the kinds of records 32 to 34 and 37 and their bytes, which device belongs to which
//! partition, and how a record is shown. Refuses to know where the log lies, who reads it and when
//! something is too old.

mod delivered;
mod entry;
mod envelope;
mod group_name;
mod limits;
mod partition;
mod replay;
mod shown;

pub use entry::{Entry, GroupOffsets, Mark, Outlet, State};
pub use envelope::{ENVELOPE, Envelope, Head, enqueued_ms};
pub use group_name::{GroupName, NoGroupName};
pub use limits::*;
pub use partition::Partitions;
pub use replay::{Found, FoundGroup, FoundOutlet, Replay};
