//! `GET /admin/durability`: what an acknowledgement waits for, where it is kept, and how the log
//! is doing.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Contributor;
use crate::http::app::App;
use crate::http::backend::Backend;
use crate::http::timestamp::iso8601;
use crate::keep;

/// 200, with `log` null where everything is kept in memory.
pub async fn handle<B: Backend>(_: Contributor, State(app): State<App<B>>) -> Json<Value> {
    Json(match app.backend.log() {
        None => json!({ "durability": "memory", "log": null }),
        Some(state) => json!({ "durability": state.durability, "log": log(&state) }),
    })
}

fn log(state: &keep::State) -> Value {
    json!({
        "directory": state.directory.display().to_string(),
        "segments": state.extent.segments,
        "bytes": state.extent.bytes,
        "lastSequence": state.extent.last.0,
        "health": state.health.name(),
        "since": iso8601(state.since_ms),
        "commits": state.commits,
        "records": state.records,
        "refused": state.refused,
    })
}
