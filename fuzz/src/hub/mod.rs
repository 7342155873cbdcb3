//! What services and devices of the hub send, one kind a file. Refuses to know who may send it.

pub mod bag;
mod document;
pub mod plane;
pub mod query;
pub mod sas;
pub mod twin;
