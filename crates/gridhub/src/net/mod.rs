//! The data plane: reactors with their sockets, and how other threads reach them.
//!
//! Translates between sockets and [`node::Shard`]; decides nothing about MQTT.

mod accept;
mod arrivals;
mod closing;
mod connection;
mod hub;
mod inbox;
mod input;
mod metrics;
mod notice;
mod queue;
mod reactor;
mod slots;
mod websocket;

pub use accept::Listening;
pub use arrivals::Socket;
pub use hub::{Hub, HubSettings};
pub use inbox::{Inbox, Parcel};
pub use reactor::{Authenticate, Reactor, ReactorSettings, Reads};
