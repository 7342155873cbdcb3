//! `/admin/sessions`: which sessions there are, every bound of one and how full it is (product 5),
//! and ending them.

use axum::Json;
use axum::extract::{Path, State};
use hyper::StatusCode;
use node::inspect::{SessionDetail, SessionSummary};
use node::post::Deleted;
use serde_json::{Map, Value, json};

use super::Contributor;
use crate::http::app::App;
use crate::http::backend::Backend;
use crate::http::error::HttpError;

/// `GET /admin/sessions`: all sessions, by client id.
pub async fn list<B: Backend>(
    _: Contributor,
    State(app): State<App<B>>,
) -> Result<Json<Value>, HttpError> {
    let mut sessions = app.backend.sessions().await;
    sessions.sort_by(|a, b| a.client_id.cmp(&b.client_id));
    let sessions: Vec<Value> = sessions.iter().map(summary).collect();
    Ok(Json(json!({ "sessions": sessions })))
}

/// `GET /admin/sessions/{name}`.
pub async fn show<B: Backend>(
    _: Contributor,
    State(app): State<App<B>>,
    Path(client_id): Path<String>,
) -> Result<Json<Value>, HttpError> {
    let session = app.backend.session(&client_id).await;
    session.map(|session| Json(detail(&session))).ok_or_else(|| not_found(&client_id))
}

/// `DELETE /admin/sessions/{name}`: the session and what waits in it are gone, for good.
///
/// # Errors
/// 404 without such a session; 507 when the disk does not take its end.
pub async fn delete<B: Backend>(
    _: Contributor,
    State(app): State<App<B>>,
    Path(client_id): Path<String>,
) -> Result<StatusCode, HttpError> {
    match app.backend.delete(&client_id).await {
        Deleted::Done => Ok(StatusCode::NO_CONTENT),
        Deleted::Absent => Err(not_found(&client_id)),
        Deleted::Unstored { why } => {
            Err(HttpError::new(StatusCode::INSUFFICIENT_STORAGE, "InsufficientStorage", why))
        }
    }
}

/// `POST /admin/sessions/{name}/disconnect`: the connection ends with 0x98, the session stays.
pub async fn disconnect<B: Backend>(
    _: Contributor,
    State(app): State<App<B>>,
    Path(client_id): Path<String>,
) -> Result<StatusCode, HttpError> {
    match app.backend.disconnect(&client_id).await {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(HttpError::not_found(
            "SessionNotConnected",
            format!("client '{client_id}' is not connected; GET /admin/sessions shows who is"),
        )),
    }
}

fn summary(session: &SessionSummary) -> Value {
    json!({
        "clientId": session.client_id,
        "name": &*session.name,
        "connected": session.connected,
        "durable": session.durable,
        "subscriptions": session.subscriptions,
        "queuedMessages": session.queued_messages,
    })
}

fn detail(session: &SessionDetail) -> Value {
    let subscriptions: Vec<Value> = session
        .filters
        .iter()
        .map(|(filter, qos)| json!({ "filter": filter, "qos": qos }))
        .collect();
    let dropped_by: Map<String, Value> =
        session.dropped_by.iter().map(|(why, n)| ((*why).to_owned(), json!(n))).collect();
    let held =
        session.queued_bytes + session.inflight_bytes + session.output_bytes + session.alias_bytes;
    json!({
        "clientId": session.summary.client_id,
        "name": &*session.summary.name,
        "connected": session.summary.connected,
        "protocol": session.protocol,
        "home": session.home,
        "durable": session.summary.durable,
        "sessionExpirySeconds": (session.expiry_s != u32::MAX).then_some(session.expiry_s),
        "expiresInSeconds": session.expires_in_s,
        "keepAliveSeconds": session.keep_alive_s,
        "inflightIn": session.inflight_in,
        "inflightCarried": session.inflight_carried,
        "dropped": session.dropped,
        "droppedBy": dropped_by,
        "stalledSeconds": session.stalled_for_s,
        "pausedBy": session.paused_by,
        "pausedSeconds": session.paused_for_s,
        "heldBytes": held,
        "willTopic": session.will_topic,
        "subscriptions": subscriptions,
        "bounds": {
            "inflightOut": bound(session.inflight_out, session.inflight_out_max),
            "queueMessages": bound(session.summary.queued_messages, session.queue_messages_max),
            "queueBytes": bound(session.queued_bytes, session.queue_bytes_max),
            "outputBytes": bound(session.output_bytes, session.output_bytes_max),
            "aliasBytes": bound(session.alias_bytes, session.alias_bytes_max),
        },
    })
}

fn bound<T: Into<Value>>(used: T, max: T) -> Value {
    json!({ "used": used.into(), "max": max.into() })
}

fn not_found(client_id: &str) -> HttpError {
    HttpError::not_found(
        "SessionNotFound",
        format!("client '{client_id}' has no session; GET /admin/sessions lists them"),
    )
}
