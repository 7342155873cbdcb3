//! Jobs over many devices (iot-hub C7): a method or a write of twins, for all that a condition
//! selects.
//!
//! Owns the request ([`Plan`]), how far a job is with each of its devices ([`Job`]), and the
//! documents of both. Refuses to know the devices, HTTP, and how a device is worked on: a
//! [`method`](crate::method) or a [`patch`](crate::twin::patch).
//!
//! A job has no bytes for the log yet, so it does not outlive the process.

mod document;
mod id;
mod limits;
mod plan;
mod state;

pub use id::JobId;
pub use limits::*;
pub use plan::{Action, Kind, Plan};
pub use state::{Job, Response, Statistics, Status, Work};
