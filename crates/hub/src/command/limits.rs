//! Every bound of commands (iot-hub B2, B4). At each of them the request is refused with its name,
//! and nothing changes; what may be set says so.

use std::ops::RangeInclusive;

/// Body, values of system properties, names and values of application properties of a command,
/// all together.
pub const COMMAND_BYTES_MAX: usize = 64 * 1024;
/// Content type and content encoding, each. Ours: room for any name and its parameters.
pub const CONTENT_NAME_BYTES_MAX: usize = 256;
/// Application properties of a command. Ours: it bounds a header, a topic and a PUBLISH.
pub const PROPERTIES_MAX: usize = 256;
/// What `maxDeliveryCount` may be.
pub const DELIVERIES_RANGE: RangeInclusive<u64> = 1..=100;
/// What `defaultTtlAsIso8601` may be, PT1M to P2D, in milliseconds.
pub const TTL_MS_RANGE: RangeInclusive<u64> = 60_000..=172_800_000;
/// How long a command may be locked, in milliseconds. Ours for a service that has 60 s fixed.
pub const LOCK_MS_RANGE: RangeInclusive<u64> = 5_000..=300_000;
/// Commands that may wait for one device. Ours for a service that has 50 fixed.
pub const DEPTH_RANGE: RangeInclusive<u64> = 1..=1_000;
/// Dead letters that may be kept of one device. Ours: a service has none to read.
pub const DEAD_LETTERS_RANGE: RangeInclusive<u64> = 0..=1_000;
