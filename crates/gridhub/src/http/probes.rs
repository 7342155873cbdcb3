//! `/healthz`, `/readyz` and `/.well-known/jwks.json`: small documents that need no token.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::header::CONTENT_TYPE;

use super::app::App;
use super::backend::Backend;
use super::error::HttpError;

/// `GET /healthz`: 200 as long as the process answers at all.
pub async fn health() -> Response {
    json("{\"status\":\"ok\"}")
}

/// `GET /readyz`: 200 when publishes are taken, else 503.
pub async fn ready<B: Backend>(State(app): State<App<B>>) -> Result<Response, HttpError> {
    if !app.backend.ready() {
        return Err(not_ready());
    }
    Ok(json("{\"status\":\"ready\"}"))
}

/// `GET /.well-known/jwks.json`: the public keys of the dev issuer.
pub async fn jwks<B: Backend>(State(app): State<App<B>>) -> Result<Response, HttpError> {
    let keys = app.settings.jwks.clone().ok_or_else(|| {
        HttpError::not_found("NoKeys", "this server issues no tokens; ask your token issuer")
    })?;
    Ok(([(CONTENT_TYPE, "application/json")], keys).into_response())
}

/// 503 for everything but probes.
pub fn not_ready() -> HttpError {
    HttpError::unavailable("the server is starting or stopping; repeat the request")
}

fn json(text: &'static str) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}
