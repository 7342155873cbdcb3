//! Who is registered: devices and modules, their proofs, and the hub's policies (iot-hub A4, A5,
//! C2, C3).
//!
//! Owns the records and what may become of them, their JSON documents and their bytes in the log.
//! Refuses to know twins, connections, HTTP, and where keys, numbers and the time come from: they
//! are arguments.

mod activity;
mod admission;
mod authentication;
mod bulk;
mod change;
mod document;
#[cfg(test)]
pub(crate) mod examples;
mod generation;
mod id;
mod limits;
pub(crate) mod member;
mod policy;
mod record;
mod registered;
mod wanted;

pub use activity::{Activity, ConnectionState};
pub use admission::{Candidate, Certificate, Chain, Denied, Signer};
pub use authentication::{Authentication, AuthenticationType, Thumbprint, Thumbprints};
pub use bulk::{BulkChange, BulkResult, BulkRow, ImportMode, RowError, TwinRow};
pub use change::{
    Change, Fresh, Loss, Neighbours, Standing, create, delete, not_found, put, standing, update,
};
pub use generation::Generation;
pub use id::{DeviceId, IdentityId, ModuleId, NameError};
pub use limits::*;
pub use policy::{DEFAULT_POLICIES, Policies, Policy, PolicyError, Right, Rights};
pub use record::Packed;
pub use registered::{Device, Edge, Identity, Module, Part, Status};
pub use wanted::{Wanted, WantedAuthentication};
