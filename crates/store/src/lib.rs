//! The vocabulary of storage as plain data (`op`), and the segmented log that makes it last.
//!
//! Knows bytes, sequences and tickets; never a topic, a session or a twin. Opens no file itself:
//! what it needs of one is the trait in `disk`.

pub mod disk;
pub mod log;
pub mod op;
pub mod pieces;
