//! The hub at its home, without IO: its registry and the MQTT 5 plane.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod alone;
mod certificates;
mod channel;
mod classic;
mod commands;
mod device;
mod endpoints;
mod events;
mod faults;
mod feedback;
mod foreman;
mod jobs;
mod methods;
mod operations;
mod plane;
mod registry;
mod routes;
mod tables;
mod telemetry;
mod throttles;
mod twins;
mod world;
