//! Events that are no telemetry: a twin has changed, an identity has come or gone, a device has
//! connected or disconnected (iot-hub B6).
//!
//! Owns their properties and bodies. Refuses to know who asked for them ([`route`](crate::route)
//! does), where they go, and where correlations, numbers and the time come from.
//!
//! Of digital twins and jobs there are no events yet: the vendor's text does not say what they
//! look like. A module's lifecycle has the newer names, which are a device's.

mod connection_sequence;
mod happening;
mod record;

pub use connection_sequence::ConnectionSequence;
pub use happening::{Lifecycle, Link, Origin};
pub use record::Event;
