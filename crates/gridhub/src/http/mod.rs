//! The HTTPS side of the server: HTTP Publish, retained messages, administration, probes.
//!
//! Owns the translation of HTTP requests into calls of the data plane and of their outcomes into
//! statuses. Refuses to know sessions, topic trees and how a token is verified: it asks
//! [`Backend`](backend::Backend) and [`Bearer`](bearer::Bearer).
//!
//! A request's way: [`server`] (socket, TLS, HTTP), [`service`] (request id, bounds, which path),
//! then [`publish`] directly, or [`router`] for everything else, [`hub`] behind it.

pub mod admin;
pub mod api_version;
pub mod app;
pub mod backend;
pub mod bearer;
pub mod body;
pub mod call;
pub mod counters;
pub mod error;
pub mod hub;
pub mod hub_metrics;
pub mod log_metrics;
pub mod metrics;
pub mod openapi;
mod outlet_metrics;
pub mod probes;
pub mod publish;
pub mod query;
pub mod rate;
pub mod refusals;
pub mod request_id;
pub mod retained;
pub mod router;
pub mod server;
pub mod service;
pub mod telemetry;
pub mod timestamp;
pub mod upgrade;
pub mod websocket;

pub use app::{App, ClockControl, Settings};
pub use server::serve;

#[cfg(test)]
mod tests;
