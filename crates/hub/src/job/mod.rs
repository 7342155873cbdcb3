//! Jobs over many devices (iot-hub C7): a method or a write of twins, for all that a condition
//! selects.
//!
//! Owns the request ([`Plan`]), how far a job is with each of its devices ([`Job`]), all jobs and
//! which of them are kept ([`Board`]), their bytes in the log ([`Record`]) and what those add up
//! to, and the documents that services read. Refuses to know the devices, HTTP, and how a device is
//! worked on: a [`method`](crate::method) or a [`patch`](crate::twin::patch).
//!
//! As in [`command`](crate::command), what is decided is a record and [`Board::heard`] makes it a
//! fact. What the vendor's text leaves open and we chose:
//!
//! - The devices of a job are those that its condition selects when it begins, in order of homes
//!   and ids; one that is gone by its turn has failed.
//! - A twin is written once, whatever crashes: that a device is done with is in the log together
//!   with the write. A job with an etag in `updateTwin` takes it as the precondition for each.
//! - A device is asked a method at most once: that it is about to be asked is in the log before. Of
//!   whom a start finds nothing more than that nobody knows whether it was: it has failed, and says
//!   so.
//! - More than [`RUNNING_MAX`] jobs wait as `queued`; a job takes its time from when it begins.
//! - Who is in work when a job ends goes on and is counted.

mod board;
mod document;
mod id;
mod limits;
mod loss;
mod plan;
mod record;
mod replay;
mod state;

pub use board::Board;
pub use id::JobId;
pub use limits::*;
pub use loss::{Loss, Losses};
pub use plan::{Action, Kind, Plan};
pub use record::{Done, Planned, Record};
pub use replay::Replay;
pub use state::{End, Job, Outcome, Response, Statistics, Status, Work};
