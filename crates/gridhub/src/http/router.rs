//! The table of contents: which path is answered where. Refuses to know how.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use hyper::Uri;

use super::app::App;
use super::backend::Backend;
use super::error::HttpError;
use super::{admin, hub, metrics, openapi, probes, publish, retained, telemetry};

/// Every path but [`PUBLISH`] and [`WEBSOCKET`], which `service` answers without a router.
pub fn router<B: Backend>(app: App<B>) -> Router {
    Router::new()
        .route(BATCH, post(publish::batch::handle::<B>))
        .route(RETAINED, get(retained::list::handle::<B>))
        .route(
            RETAINED_MESSAGE,
            get(retained::get::handle::<B>).delete(retained::delete::handle::<B>),
        )
        .route(BACKUP, post(admin::backup::handle::<B>))
        .route(CLOCK, post(admin::clock::handle::<B>))
        .route(DURABILITY, get(admin::durability::handle::<B>))
        .route(ENDPOINTS, get(admin::endpoint::list::<B>))
        .route(DEAD_LETTERS, get(admin::endpoint::letters::<B>).delete(admin::endpoint::clear::<B>))
        .route(
            FAULTS,
            get(admin::fault::list::<B>)
                .post(admin::fault::add::<B>)
                .delete(admin::fault::clear::<B>),
        )
        .route(FAULT, delete(admin::fault::remove::<B>))
        .route(SESSIONS, get(admin::session::list::<B>))
        .route(SESSION, get(admin::session::show::<B>).delete(admin::session::delete::<B>))
        .route(SESSION_DISCONNECT, post(admin::session::disconnect::<B>))
        .route(JWKS, get(probes::jwks::<B>))
        .route(OPENAPI, get(openapi::handle))
        .route(METRICS, get(metrics::handle::<B>))
        .route(HEALTH, get(probes::health))
        .route(READY, get(probes::ready::<B>))
        .merge(telemetry::routes::<B>())
        .fallback(others::<B>)
        .with_state(app)
}

/// The service API of a hub, whose paths no router matches: half of each is in any case.
async fn others<B: Backend>(State(app): State<App<B>>, uri: Uri, request: Request) -> Response {
    let answered = hub::answer(&app, request).await;
    answered.unwrap_or_else(|| {
        let text = format!("there is nothing at '{}'; /openapi.json lists every path", uri.path());
        HttpError::not_found("NotFound", text).into_response()
    })
}

/// HTTP Publish.
pub const PUBLISH: &str = "/mqtt/messages";
/// MQTT over WebSocket, which `service` answers without a router; also `/` when it is asked to.
pub const WEBSOCKET: &str = "/mqtt";
/// The same by the name that hub clients know (iot-hub D5).
pub const HUB_WEBSOCKET: &str = "/$iothub/websocket";
const BATCH: &str = "/mqtt/messages:batch";
const RETAINED: &str = "/mqtt/retainedMessages";
const RETAINED_MESSAGE: &str = "/mqtt/retainedMessages/message";
const BACKUP: &str = "/admin/backup";
const CLOCK: &str = "/admin/clock";
const DURABILITY: &str = "/admin/durability";
const ENDPOINTS: &str = "/admin/endpoints";
const DEAD_LETTERS: &str = "/admin/endpoints/{name}/deadletters";
const FAULTS: &str = "/admin/faults";
const FAULT: &str = "/admin/faults/{id}";
const SESSIONS: &str = "/admin/sessions";
const SESSION: &str = "/admin/sessions/{name}";
const SESSION_DISCONNECT: &str = "/admin/sessions/{name}/disconnect";
const JWKS: &str = "/.well-known/jwks.json";
const OPENAPI: &str = "/openapi.json";
const METRICS: &str = "/metrics";
/// Answers as long as the process lives.
pub const HEALTH: &str = "/healthz";
/// Answers 200 or 503.
pub const READY: &str = "/readyz";

/// Path and methods of every route here, for the description and its test.
#[cfg(test)]
pub const ROUTES: &[(&str, &str)] = &[
    (PUBLISH, "POST"),
    (WEBSOCKET, "GET"),
    (HUB_WEBSOCKET, "GET"),
    (BATCH, "POST"),
    (RETAINED, "GET, HEAD"),
    (RETAINED_MESSAGE, "GET, HEAD, DELETE"),
    (BACKUP, "POST"),
    (CLOCK, "POST"),
    (DURABILITY, "GET, HEAD"),
    (ENDPOINTS, "GET, HEAD"),
    (DEAD_LETTERS, "GET, HEAD, DELETE"),
    (FAULTS, "GET, HEAD, POST, DELETE"),
    (FAULT, "DELETE"),
    (SESSIONS, "GET, HEAD"),
    (SESSION, "GET, HEAD, DELETE"),
    (SESSION_DISCONNECT, "POST"),
    (JWKS, "GET, HEAD"),
    (OPENAPI, "GET, HEAD"),
    (METRICS, "GET, HEAD"),
    (HEALTH, "GET, HEAD"),
    (READY, "GET, HEAD"),
];
