//! JSON as devices and services send it: untrusted bytes to a bounded tree that keeps the text of
//! numbers and the order of keys, and text back to bytes.
//!
//! Refuses to know what a document means. There is no reader from the shelf here because those
//! turn `1.0` into a float and lose the digits of long integers.
//!
//! A key that stands twice in an object has its last value, at the place of the first.

mod parser;
mod value;
mod writer;

pub use parser::{Malformed, is_number, parse};
pub use value::Value;
pub use writer::write_text;
