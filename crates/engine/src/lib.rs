//! How an operation becomes a fact: `submit(op, ticket)`, then `poll(&mut outcomes)`.
//!
//! Completions instead of futures, so that a reactor never waits. Never looks inside a record.

mod memory;

pub use memory::{LogEnd, Memory};
