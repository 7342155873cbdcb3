//! The forms that all durable bytes of the hub share: a version byte, unsigned LEB128 in its
//! shortest form, moments, and things behind their length. Refuses to know any record.

mod reader;
mod writer;

pub use reader::BadRecord;
pub(crate) use reader::{Reader, text};
pub(crate) use writer::Writer;
