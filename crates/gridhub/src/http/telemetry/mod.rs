//! `/telemetry/...`: the built-in channel of the hub, for readers of ours. Event Hubs' protocol is
//! AMQP, so this is no API of the cloud's; who may read is (iot-hub B6: ServiceConnect).
//!
//! Owns paths and forms, one file a noun. Refuses to know where messages lie: a
//! [`Feed`](crate::feed::Feed) reads them, reactor 0 has the groups.

mod access;
mod groups;
mod partitions;
mod place;
mod records;
mod stream;

use axum::Router;
use axum::routing::get;

use super::app::App;
use super::backend::Backend;

/// The routes of this folder.
pub fn routes<B: Backend>() -> Router<App<B>> {
    Router::new()
        .route(PARTITIONS, get(partitions::list))
        .route(RECORDS, get(records::page))
        .route(STREAM, get(stream::handle::<B>))
        .route(GROUPS, get(groups::list::<B>))
        .route(GROUP, axum::routing::delete(groups::end::<B>))
        .route(OFFSETS, get(groups::show::<B>).put(groups::commit::<B>))
}

const PARTITIONS: &str = "/telemetry/partitions";
const RECORDS: &str = "/telemetry/partitions/{partition}/records";
const STREAM: &str = "/telemetry/stream";
const GROUPS: &str = "/telemetry/groups";
const GROUP: &str = "/telemetry/groups/{group}";
const OFFSETS: &str = "/telemetry/groups/{group}/offsets";

/// Path and methods of every route here, for the description and its test.
#[cfg(test)]
pub const ROUTES: &[(&str, &str)] = &[
    (PARTITIONS, "GET, HEAD"),
    (RECORDS, "GET, HEAD"),
    (STREAM, "GET, HEAD"),
    (GROUPS, "GET, HEAD"),
    (GROUP, "DELETE"),
    (OFFSETS, "GET, HEAD, PUT"),
];
