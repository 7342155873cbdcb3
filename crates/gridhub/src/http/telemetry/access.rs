//! Who may read telemetry: who has the right ServiceConnect, or the role contributor (iot-hub B6,
//! C2). Refuses to know what is read.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use hub::identity::Right;
use hyper::http::request::Parts;

use crate::feed::Feed;
use crate::http::app::App;
use crate::http::backend::Backend;
use crate::http::error::HttpError;
use crate::http::hub::authority;
use crate::http::query::percent_decode;

/// The telemetry, for a caller who may read it. Stands first among a handler's arguments, so that
/// nothing of the request is judged before.
pub struct Telemetry(pub Arc<Feed>);

impl<B: Backend> FromRequestParts<App<B>> for Telemetry {
    type Rejection = HttpError;

    /// 404 without a hub, 401 without the right.
    async fn from_request_parts(head: &mut Parts, app: &App<B>) -> Result<Self, HttpError> {
        let Some(feed) = app.backend.feed() else {
            let message = "this server is no hub and has no telemetry; give it a section [hub]";
            return Err(HttpError::not_found("NoHub", message));
        };
        let segments = head.uri.path().split('/').filter(|segment| !segment.is_empty());
        let decoded: Vec<String> = segments
            .map(|segment| {
                // One that cannot be decoded is no path of ours.
                let bytes = percent_decode(segment).unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            })
            .collect();
        let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
        authority::check(app, head, &segments, &[Right::ServiceConnect])?;
        Ok(Self(Arc::clone(feed)))
    }
}
