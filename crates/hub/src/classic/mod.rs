//! The MQTT 3.1.1 device API (iot-hub D): what shipped SDKs speak.
//!
//! Owns the grammar of user names, topics, filters and property bags, in both directions. Pure
//! decisions on values: refuses to know connections, identities' state and the time.
//!
//! [`UserName::parse`] is the way in for a CONNECT, [`Publication::of`] for a PUBLISH,
//! [`Subscriptions`] for a SUBSCRIBE; [`telemetry`] makes a message of a publication;
//! [`ToDevice`] is the way out. A PUBACK to a command completes it.

mod bag;
mod filter;
mod limits;
mod publication;
mod subscriptions;
mod telemetry;
mod to_device;
mod twin_error;
mod user_name;

pub use bag::{BadBag, encode_bag};
pub use filter::Subscription;
pub use limits::*;
pub use publication::{BaseVersion, NoPublication, Publication};
pub use subscriptions::Subscriptions;
pub use telemetry::{NoTelemetry, telemetry, will};
pub use to_device::{ToDevice, TopicTooLong, TwinStatus};
pub use twin_error::twin_error;
pub use user_name::{UserName, UserNameError};
