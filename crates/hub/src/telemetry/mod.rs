//! What devices send (iot-hub B4): one message for every way in, whichever protocol carried it.
//!
//! Owns its body, its system and application properties, what the hub stamps on it, and the rules
//! of size and characters. Refuses to know topics, packets and where a message goes.

mod application;
mod auth_method;
mod charset;
mod limits;
mod message;
mod stamp;
mod system;

pub use application::{ApplicationProperties, Property};
pub use auth_method::{AuthMethod, Scope};
pub use charset::{is_id_character, is_property_character};
pub use limits::*;
pub use message::{Invalid, Message};
pub use stamp::{SOURCE_TELEMETRY, Stamp};
pub use system::{SystemName, SystemProperties};
