//! `/admin/endpoints`: how the hub's own endpoints are doing (iot-hub B5), and what they would not
//! take.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Contributor;
use crate::http::app::App;
use crate::http::backend::Backend;
use crate::http::error::HttpError;
use crate::http::query::Query;
use crate::http::timestamp::iso8601;
use crate::outlet::{Endpoint, Place, Seen};

/// Some dead letters.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    dead_letters: Vec<Box<RawValue>>,
    /// Where the next page begins.
    next: String,
}

/// `GET /admin/endpoints`: all, in the order of the configuration.
pub async fn list<B: Backend>(_: Contributor, State(app): State<App<B>>) -> Json<Value> {
    let now_ms = app.backend.wall_ms();
    let outlets = app.backend.feed().map_or(&[][..], |feed| feed.outlets());
    let all = app.backend.endpoints().iter().zip(outlets);
    let all = all.map(|(endpoint, outlet)| shown(endpoint, outlet.waiting(), now_ms));
    Json(json!({ "endpoints": all.collect::<Vec<_>>() }))
}

/// `GET /admin/endpoints/{name}/deadletters?from=PLACE&max=N`: some of them, the oldest first.
///
/// # Errors
/// 404 without such an endpoint, 400 for another `from` or `max`.
pub async fn letters<B: Backend>(
    _: Contributor,
    State(app): State<App<B>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Page>, HttpError> {
    let endpoint = find(&app, &name)?;
    let query = Query::new(query.as_deref());
    let from = query.one("from")?.map_or(Ok(Place::default()), |text| text.parse());
    let from = from.map_err(|why| HttpError::bad_request("InvalidQueryParameter", why))?;
    let max = query.number("max", PAGE, 1..=PAGE_MAX)?;
    let max = usize::try_from(max).unwrap_or(1);
    let (dead_letters, next) = blocking(move || endpoint.letters.page(from, max)).await?;
    Ok(Json(Page { dead_letters, next: next.to_string() }))
}

/// `DELETE /admin/endpoints/{name}/deadletters`: 200 with how many there were.
///
/// # Errors
/// 404 without such an endpoint.
pub async fn clear<B: Backend>(
    _: Contributor,
    State(app): State<App<B>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, HttpError> {
    let endpoint = find(&app, &name)?;
    let cleared = blocking(move || endpoint.letters.clear()).await?;
    Ok(Json(json!({ "cleared": cleared })))
}

fn find<B: Backend>(app: &App<B>, name: &str) -> Result<Arc<Endpoint>, HttpError> {
    let mut all = app.backend.endpoints().iter();
    let found = all.find(|endpoint| endpoint.name.eq_ignore_ascii_case(name));
    found.cloned().ok_or_else(|| {
        let message = format!("there is no endpoint '{name}'; GET /admin/endpoints lists them");
        HttpError::not_found("EndpointNotFound", message)
    })
}

async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, HttpError> {
    let done = tokio::task::spawn_blocking(act).await;
    let done = done.map_err(|_| HttpError::unavailable("the server shuts down"))?;
    done.map_err(|error| {
        tracing::error!(%error, "dead letters");
        HttpError::unavailable("the dead letters cannot be read or removed; the log says why")
    })
}

fn shown(endpoint: &Endpoint, waiting: u64, now_ms: u64) -> Value {
    let seen = endpoint.state.seen(now_ms);
    let Seen { health, delivered, failed, dead_lettered, dropped, age_ms, .. } = &seen;
    let (letters, letters_dropped) = endpoint.letters.counts();
    json!({
        "name": endpoint.name,
        "kind": endpoint.kind,
        "health": health.name(),
        "waiting": waiting,
        "ageMs": age_ms,
        "delivered": delivered,
        "failedAttempts": failed,
        "deadLettered": dead_lettered,
        "dropped": dropped,
        "deadLetters": letters,
        "deadLettersDropped": letters_dropped,
        "lastDelivery": seen.took_ms.map(iso8601),
        "failingSince": seen.fails_since_ms.map(iso8601),
        "lastError": seen.why,
    })
}

const PAGE: u64 = 100;
const PAGE_MAX: u64 = 1_000;
