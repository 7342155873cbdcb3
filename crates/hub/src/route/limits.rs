//! Every bound of message routing (iot-hub B5). At each of them a configuration is refused with its
//! name.

/// Routes of a hub.
pub const ROUTES_MAX: usize = 100;
/// Endpoints of a hub beside the built-in one.
pub const ENDPOINTS_MAX: usize = 10;
/// Enrichments of a hub.
pub const ENRICHMENTS_MAX: usize = 10;
/// The name of a route or an endpoint, in characters.
pub const NAME_CHARS_MAX: usize = 64;
/// The key of an enrichment, and its value, in characters. Ours.
pub const ENRICHMENT_CHARS_MAX: usize = 256;
