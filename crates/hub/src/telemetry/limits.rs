//! Every bound of a device's message (iot-hub B4). At each of them the message is refused.

/// A message: its body, the values of its system properties, and the names and values of its
/// application properties, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 262_144;
/// `message-id`, `correlation-id` and `user-id`, in characters.
pub const ID_CHARS_MAX: usize = 128;
