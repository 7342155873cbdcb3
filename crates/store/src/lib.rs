//! The vocabulary of storage as plain data (`op`).
//!
//! Knows bytes, sequences and tickets; never a topic, a session or a twin. The segmented log and
//! its tables join this crate with the durable store; until then only the operations that exist in
//! memory are here.

pub mod op;
