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
    ("hub_twin", hub::twin::check),
    ("hub_query", hub::query::check),
    ("hub_sas", hub::sas::check),
    ("hub_bag", hub::bag::check),
    ("hub_plane", hub::plane::check),
];
