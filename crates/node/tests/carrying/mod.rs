//! Reactors on a log whose power goes: a world for tests of what the log keeps.

#![allow(dead_code, reason = "each test uses what it needs")]

pub mod account;
pub mod client;
pub mod world;
