//! Every bound of a twin (iot-hub B1.4). At each of them the whole write is refused and the twin
//! stays as it was.

/// Tags: characters, and 8 a number, 4 a boolean.
pub const TAGS_SIZE_MAX: usize = 8 * 1024;
/// Desired, and reported, each: counted like tags.
pub const SECTION_SIZE_MAX: usize = 32 * 1024;
/// One string, in bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 4096;
/// One key, in bytes of UTF-8.
pub const KEY_BYTES_MAX: usize = 1024;
/// Objects and arrays in each other below a section.
pub const DEPTH_MAX: usize = 10;
/// The least integer, -2^52.
pub const INTEGER_MIN: i64 = -(1 << 52);
/// The greatest integer, 2^52 - 1.
pub const INTEGER_MAX: i64 = (1 << 52) - 1;
/// The text of one number. Ours: the count of B1.4 takes 8 for any number, so that without a
/// bound a megabyte of digits would be free.
pub const NUMBER_BYTES_MAX: usize = 128;
/// The bytes of one section as kept. Ours: empty arrays and control characters count nothing in
/// B1.4 and would grow without end.
pub const SECTION_BYTES_MAX: usize = 256 * 1024;
/// The text of one request, before it is read.
pub const REQUEST_BYTES_MAX: usize = 1024 * 1024;
