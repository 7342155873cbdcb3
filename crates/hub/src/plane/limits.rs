//! Every bound of the MQTT 5 plane (iot-hub A6, A15), as profile `iot-hub` announces and applies
//! them. What happens at each stands in A9 to A11.

/// Maximum Packet Size of CONNACK, bytes. Above: DISCONNECT 149.
pub const PACKET_BYTES_MAX: u32 = 262_144;
/// Receive Maximum of CONNACK. Above: DISCONNECT 147.
pub const RECEIVE_MAX: u16 = 16;
/// Topic Alias Maximum of CONNACK. Above: DISCONNECT 148.
pub const TOPIC_ALIAS_MAX: u16 = 10;
/// Subscriptions of one session, responses not counted. Above: SUBACK 0x97.
pub const SUBSCRIPTIONS_MAX: usize = 50;
/// Correlation Data, bytes, at least one. Above: DISCONNECT 131.
pub const CORRELATION_BYTES_MAX: usize = 16;
/// The longest Keep Alive, seconds. Above, and for none: Server Keep Alive says this.
pub const KEEP_ALIVE_S_MAX: u16 = 1140;
/// How long a connection waits for CONNECT after TLS, seconds. Then it is closed.
pub const CONNECT_WITHIN_S: u64 = 30;
/// What an error shows of a property's name, in characters.
pub(super) const SHOWN_NAME_CHARS_MAX: usize = 64;
