//! `GET /telemetry/partitions`: how many there are and how far each reaches.

use axum::Json;
use serde_json::{Value, json};

use super::access::Telemetry;
use super::place::unreadable;
use crate::feed::From;
use crate::http::error::HttpError;

/// 200 with the first offset that is there and the next one, a partition each.
pub async fn list(Telemetry(feed): Telemetry) -> Result<Json<Value>, HttpError> {
    let mut all = Vec::new();
    for partition in 0..feed.partitions() {
        let first = feed.begin(partition, From::Earliest).await.map_err(|why| unreadable(&why))?;
        all.push(json!({ "partition": partition, "first": first, "next": feed.next(partition) }));
    }
    Ok(Json(json!({ "partitions": all })))
}
