//! `/telemetry/groups`: how far consumer groups have come, as they say themselves.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use hub::channel::GroupName;
use hyper::{Request, StatusCode};
use node::channel::{GroupAsk, NotCommitted, Offsets};
use node::door::Reply;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tokio::sync::oneshot;

use super::access::Telemetry;
use crate::http::app::App;
use crate::http::backend::Backend;
use crate::http::body;
use crate::http::error::HttpError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    offsets: BTreeMap<u8, u64>,
}

/// `GET /telemetry/groups`: all that have a position.
pub async fn list<B: Backend>(
    _: Telemetry,
    State(app): State<App<B>>,
) -> Result<Json<Value>, HttpError> {
    let all = ask(&app, GroupAsk::All).await?;
    let all: Vec<Value> = all.iter().map(|(name, offsets)| shown(name, offsets)).collect();
    Ok(Json(json!({ "groups": all })))
}

/// `GET /telemetry/groups/{group}/offsets`: the offset from which on it has not read, by partition.
///
/// # Errors
/// 404 for a group that has none; `$Default` is always there.
pub async fn show<B: Backend>(
    _: Telemetry,
    State(app): State<App<B>>,
    Path(group): Path<String>,
) -> Result<Json<Value>, HttpError> {
    let (name, found) = (parse(&group)?, offsets_of(&app, &group).await?);
    match found {
        Some(offsets) => Ok(Json(shown(&name, &offsets))),
        None if name.is_default() => Ok(Json(shown(&name, &[]))),
        None => Err(not_found(&name)),
    }
}

/// `PUT /telemetry/groups/{group}/offsets {"offsets":{"0":17}}`: the group begins with the first
/// of these; partitions that are not named stay. 200 with all of its positions, which last.
pub async fn commit<B: Backend>(
    _: Telemetry,
    State(app): State<App<B>>,
    Path(group): Path<String>,
    request: Request<Body>,
) -> Result<Json<Value>, HttpError> {
    let name = parse(&group)?;
    let (body, _share) = body::read(request.into_body(), app.body_bounds(BODY_BYTES_MAX)).await?;
    let Wanted { offsets } = serde_json::from_slice(&body).map_err(|e| {
        HttpError::bad_request("InvalidBody", format!("{e}; send {{\"offsets\":{{\"0\":17}}}}"))
    })?;
    let (of, offsets) = (name.clone(), offsets.into_iter().collect());
    let kept = ask(&app, |reply| GroupAsk::Commit(of, offsets, reply)).await?;
    kept.map(|offsets| Json(shown(&name, &offsets))).map_err(|not| refused(&not))
}

/// `DELETE /telemetry/groups/{group}`: its positions are forgotten.
///
/// # Errors
/// 404 for a group that has none.
pub async fn end<B: Backend>(
    _: Telemetry,
    State(app): State<App<B>>,
    Path(group): Path<String>,
) -> Result<StatusCode, HttpError> {
    let name = parse(&group)?;
    let of = name.clone();
    match ask(&app, |reply| GroupAsk::End(of, reply)).await? {
        Ok(true) => Ok(StatusCode::NO_CONTENT),
        Ok(false) => Err(not_found(&name)),
        Err(not) => Err(refused(&not)),
    }
}

/// The positions of a group; `None` = it has none.
///
/// # Errors
/// 400 for no name of a group.
pub async fn offsets_of<B: Backend>(
    app: &App<B>,
    group: &str,
) -> Result<Option<Offsets>, HttpError> {
    let name = parse(group)?;
    let all = ask(app, GroupAsk::All).await?;
    Ok(all.into_iter().find(|(one, _)| *one == name).map(|(_, offsets)| offsets))
}

async fn ask<B: Backend, T: Send + 'static>(
    app: &App<B>,
    ask: impl FnOnce(Reply<T>) -> GroupAsk,
) -> Result<T, HttpError> {
    let (reply, answer) = oneshot::channel();
    app.backend.groups(ask(Box::new(move |value| drop(reply.send(value)))));
    answer.await.map_err(|_| HttpError::unavailable("the server shuts down"))
}

fn parse(group: &str) -> Result<GroupName, HttpError> {
    GroupName::parse(group).map_err(|why| HttpError::bad_request("InvalidGroup", why.to_string()))
}

fn shown(name: &GroupName, offsets: &[(u8, u64)]) -> Value {
    let offsets: Map<String, Value> =
        offsets.iter().map(|(partition, offset)| (partition.to_string(), json!(offset))).collect();
    json!({ "group": name.as_str(), "offsets": offsets })
}

fn refused(not: &NotCommitted) -> HttpError {
    let (status, code) = match not {
        NotCommitted::NoHub => (StatusCode::NOT_FOUND, "NoHub"),
        NotCommitted::TooMany => (StatusCode::CONFLICT, "TooManyGroups"),
        NotCommitted::Nothing | NotCommitted::Partition(_) | NotCommitted::Beyond { .. } => {
            (StatusCode::BAD_REQUEST, "InvalidOffset")
        }
        NotCommitted::Unstored(_) => (StatusCode::INSUFFICIENT_STORAGE, "InsufficientStorage"),
    };
    HttpError::new(status, code, not.to_string())
}

fn not_found(name: &GroupName) -> HttpError {
    let message = format!("group '{name}' has no position; GET /telemetry/groups lists those");
    HttpError::not_found("GroupNotFound", message)
}

const BODY_BYTES_MAX: usize = 4 * 1024;
