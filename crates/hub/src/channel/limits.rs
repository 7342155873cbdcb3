//! Every bound of the telemetry channel. At each of them a request or a configuration is refused.

/// Partitions of a channel (iot-hub B6).
pub const PARTITIONS_MIN: u8 = 2;
/// Likewise.
pub const PARTITIONS_MAX: u8 = 32;
/// Consumer groups that have a position, besides `$Default`.
pub const GROUPS_MAX: usize = 20;
/// The name of a consumer group, in characters.
pub const GROUP_CHARS_MAX: usize = 50;
/// Streams of endpoints that one channel can have, those of former ones among them.
pub const SLOTS_MAX: u8 = 31;
/// Marks of one channel: more come only when the settings were changed.
pub const MARKS_MAX: usize = 4_096;
