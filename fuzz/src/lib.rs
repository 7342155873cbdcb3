//! Properties that hold for any bytes: one module a target, each a `check` that panics when its
//! property is broken.
//!
//! Owns the properties; the corpus lies in `corpus/`, what once broke one in `regressions/`.
//! `tests/replay.rs` runs both on stable, `targets/` wraps the same functions for libFuzzer.

mod choices;
pub mod decoder;
mod http_oracle;
pub mod http_publish;
pub mod hub;
pub mod journal;
mod meaning;
pub mod session;
mod templates;
mod topic_oracle;
pub mod topics;
pub mod websocket;
mod websocket_oracle;

use self::hub::{
    bag as hub_bag, plane as hub_plane, query as hub_query, sas as hub_sas, twin as hub_twin,
};

/// A property of any bytes: returns when it holds, panics when it does not.
pub type Check = fn(&[u8]);

/// Every target: its name in the corpus, and its property.
pub const TARGETS: &[(&str, Check)] = &[
    ("decoder", decoder::check),
    ("session", session::check),
    ("http_publish", http_publish::check),
    ("journal", journal::check),
    ("topics", topics::check),
    ("websocket", websocket::check),
    ("hub_twin", hub_twin::check),
    ("hub_query", hub_query::check),
    ("hub_sas", hub_sas::check),
    ("hub_bag", hub_bag::check),
    ("hub_plane", hub_plane::check),
];
