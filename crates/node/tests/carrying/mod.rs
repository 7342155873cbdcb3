//! Reactors on a log whose power goes: a world for tests of what the log keeps.

pub mod client;
pub mod world;
