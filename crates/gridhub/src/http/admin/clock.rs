//! `POST /admin/clock {"advance":"1h"}`: moves the domain clock, in dev only (core 7).

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use hyper::Request;
use serde::{Deserialize, Serialize};
use tokio::time::Duration;

use super::Contributor;
use crate::config::duration::HumanDuration;
use crate::http::app::{App, ClockControl};
use crate::http::backend::Backend;
use crate::http::body;
use crate::http::error::HttpError;
use crate::http::timestamp::iso8601;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    advance: HumanDuration,
}

/// The domain time after the move.
#[derive(Serialize)]
pub struct Moved {
    now: String,
}

/// 200 with the new time; 403 where the clock is not ours to move.
pub async fn handle<B: Backend>(
    _: Contributor,
    State(app): State<App<B>>,
    request: Request<Body>,
) -> Result<Json<Moved>, HttpError> {
    if app.settings.clock == ClockControl::Fixed {
        let message = "only gridhub dev can move its clock; this server follows the machine's";
        return Err(HttpError::forbidden("ClockFixed", message));
    }
    let (body, _share) = body::read(request.into_body(), app.body_bounds(BODY_BYTES_MAX)).await?;
    let Move { advance } = serde_json::from_slice(&body).map_err(|e| {
        HttpError::bad_request("InvalidBody", format!("{e}; send {{\"advance\":\"1h\"}}"))
    })?;
    if advance.get() > ADVANCE_MAX {
        let message = format!("advance: {advance} is more than ten years at once; send less");
        return Err(HttpError::bad_request("InvalidValue", message));
    }
    app.backend.advance(advance.get());
    Ok(Json(Moved { now: iso8601(app.backend.wall_ms()) }))
}

const BODY_BYTES_MAX: usize = 1024;
/// Beyond ten years a mistake is likelier than a test.
const ADVANCE_MAX: Duration = Duration::from_secs(3653 * 86_400);
