//! Every bound of direct methods (iot-hub B3).

use std::ops::RangeInclusive;

/// The name of a method, in characters.
pub const NAME_CHARS_MAX: usize = 100;
/// The payload of a request, and that of an answer, in bytes of JSON.
pub const PAYLOAD_BYTES_MAX: usize = 128 * 1024;
/// The body of an HTTP request, before it is read. Ours: twice a payload, for blanks and escapes.
pub const REQUEST_BYTES_MAX: usize = 256 * 1024;
/// Arrays and objects in each other in an answer. Ours: it bounds the stack.
pub const ANSWER_DEPTH_MAX: usize = 127;
/// What `responseTimeoutInSeconds` may be.
pub const RESPONSE_TIMEOUT_RANGE: RangeInclusive<u32> = 5..=300;
/// What it is where it is not given.
pub const RESPONSE_TIMEOUT_DEFAULT: u32 = 30;
/// What `connectTimeoutInSeconds` may be; 0 = do not wait.
pub const CONNECT_TIMEOUT_RANGE: RangeInclusive<u32> = 0..=300;
/// Calls of one device or module that may wait at a time. Ours: the page names the error only.
pub const CALLS_MAX: usize = 100;
