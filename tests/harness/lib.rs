//! Driving the built binary from outside: one server a test, real clients, raw bytes.
//!
//! Owns child processes, waiting with deadlines, and the rule for clients that are not there.
//! Knows nothing of gridhub's inside: what it expects stands in the product's contract.
// A panic is how a test fails, here as in the tests themselves.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

pub mod browser;
pub mod curl;
pub mod device;
pub mod foreign;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod nats;
pub mod ports;
pub mod raw;
pub mod receiver;
pub mod server;
pub mod site;
pub mod tls;
pub mod token;
pub mod until;
pub mod websocket;

pub use foreign::{
    Foreign, Mosquitto, Script, azure_device_node, azure_device_python, azure_node, azure_python,
    javascript, mosquitto, paho,
};
pub use server::{Options, Server, Verb, gridhub};
pub use until::{DEADLINE, until};
