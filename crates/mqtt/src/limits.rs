//! The bounds that the protocol itself sets, in bytes unless the name says otherwise. It refuses
//! to know what a server configures below them: those numbers arrive as arguments.

/// Largest value of the Remaining Length field and of any Variable Byte Integer (MQTT 5, 1.5.5).
pub const REMAINING_LENGTH_MAX: usize = 268_435_455;

/// Longest fixed header: one byte of type and flags, four of Remaining Length.
pub const FIXED_HEADER_BYTES_MAX: usize = 5;

/// Largest packet the protocol can carry, its fixed header included. At the bound: refuse, 0x95.
pub const PACKET_BYTES_MAX: usize = REMAINING_LENGTH_MAX + FIXED_HEADER_BYTES_MAX;

/// Longest UTF-8 string or binary datum (MQTT 5, 1.5.4 and 1.5.6). Encoders refuse longer ones.
pub const STRING_BYTES_MAX: usize = 65_535;

/// Longest topic name or topic filter (MQTT 5, 4.7.3-3). At the bound: refuse.
pub const TOPIC_BYTES_MAX: usize = STRING_BYTES_MAX;

/// Receive Maximum that applies when the peer names none (MQTT 5, 3.1.2.11.3).
pub const RECEIVE_MAX_DEFAULT: u16 = u16::MAX;

/// Largest Subscription Identifier (MQTT 5, 3.8.2.1.2).
pub const SUBSCRIPTION_ID_MAX: u32 = 268_435_455;
