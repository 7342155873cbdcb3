//! The built binary from outside: real clients, raw bytes, its own command line.
//!
//! What is expected comes from the product's contract and the specifications, never from the code.
#![allow(clippy::unwrap_used)]

mod accept;
mod properties;
mod qos;
mod sessions;
mod subscriptions;
mod take_over;
mod wills;
