//! Who may publish or subscribe, and who hears it.
//!
//! Owns permissions ([`access`]), the subscription index of one reactor and the interest of all of
//! them ([`subscription`]), shared groups ([`share`]), retained messages ([`retained`]) and the
//! bounds of all that ([`limits`], [`budget`], [`rate`]). Knows no socket, no clock, no file and no
//! session state: every decision gets the records and the time it needs as arguments.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may fail by panicking"))]

pub mod access;
pub mod budget;
#[cfg(test)]
mod chance;
pub mod limits;
pub mod publication;
pub mod rate;
pub mod retained;
pub mod router;
pub mod share;
pub mod subscription;
mod target;
