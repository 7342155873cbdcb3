//! Endpoints of the hub's own (iot-hub B5): what routes send beside the built-in channel is taken
//! from there in order, given to the endpoint, and only then let go of. So every endpoint has every
//! message at least once, over crashes of both.
//!
//! [`pump`] is the loop of one endpoint, [`sink`] what its kind does with a [`batch`]: [`webhook`],
//! [`file`], [`nats`], and with its feature `kafka`. [`patience`] says when a batch is tried again,
//! [`dead`] keeps those that are not, in [`lines`] as files are; [`state`] is what operators see.
//! Refuses to know routes, and who sent what.

mod batch;
mod dead;
mod file;
#[cfg(feature = "kafka")]
mod kafka;
mod lines;
mod nats;
mod patience;
mod pump;
mod sink;
mod start;
mod state;
mod webhook;

pub use dead::Place;
pub use file::FileSettings;
#[cfg(feature = "kafka")]
pub use kafka::{KafkaLogin, KafkaSettings};
pub use nats::{Login, NatsSettings};
pub use patience::Patience;
pub use sink::SinkSettings;
pub use start::{Endpoint, OutletSettings, Ready, open};
pub use state::{Health, Seen};
pub use webhook::WebhookSettings;
