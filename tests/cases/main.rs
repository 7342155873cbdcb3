//! The built binary from outside: real clients, raw bytes, its own command line.
//!
//! What is expected comes from the product's contract and the specifications, never from the code.
// A panic is how a test fails; a `json!` literal is made for the call that takes it.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

mod accept;
mod access;
mod authentication;
mod bounds;
mod command_line;
mod dev;
mod event_grid;
mod http_matrix;
mod http_more;
mod http_retained;
mod hub_bounds;
mod hub_certificates;
mod hub_devices;
mod hub_endpoints;
mod hub_faults;
mod hub_feedback;
mod hub_jobs;
#[cfg(feature = "kafka")]
mod hub_kafka;
mod hub_plane;
mod hub_sdk;
mod hub_service;
mod hub_telemetry;
mod hub_verbs;
mod javascript;
mod malformed;
mod mosquitto_tools;
mod observe;
mod open_files;
mod operate;
mod order;
mod pipelining;
mod properties;
mod qos;
mod reactors;
mod readme;
mod renewal;
mod repair;
mod sessions;
mod shared;
mod starts;
mod stop;
mod subscriptions;
mod take_over;
mod tokens;
mod watched;
mod websocket;
mod websocket_clients;
mod wills;
