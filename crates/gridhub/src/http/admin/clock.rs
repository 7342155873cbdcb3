//! `POST /admin/clock {"advance":"1h"}`: moves the domain clock, in dev only (core 7).

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use hyper::Request;
use serde::{Deserialize, Serialize};
use tokio::time::Duration;

use super::contributor;
use crate::http::app::{App, ClockControl};
use crate::http::backend::Backend;
use crate::http::body;
use crate::http::error::HttpError;
use crate::http::timestamp::iso8601;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    advance: String,
}

/// The domain time after the move.
#[derive(Serialize)]
pub struct Moved {
    now: String,
}

/// 200 with the new time; 403 where the clock is not ours to move.
pub async fn handle<B: Backend>(
    State(app): State<App<B>>,
    request: Request<Body>,
) -> Result<Json<Moved>, HttpError> {
    contributor(&app, request.headers())?;
    if app.settings.clock == ClockControl::Fixed {
        let message = "only gridhub dev can move its clock; this server follows the machine's";
        return Err(HttpError::forbidden("ClockFixed", message));
    }
    let body = body::read(request.into_body(), BODY_BYTES_MAX, app.settings.body_times).await?;
    let Move { advance } = serde_json::from_slice(&body).map_err(|e| {
        HttpError::bad_request("InvalidBody", format!("{e}; send {{\"advance\":\"1h\"}}"))
    })?;
    let by = duration(&advance).ok_or_else(|| {
        let message = format!("'{advance}' is no duration; send like 500ms, 90s, 30m, 1h or 7d");
        HttpError::bad_request("InvalidValue", message)
    })?;
    app.backend.advance(by);
    Ok(Json(Moved { now: iso8601(app.backend.wall_ms()) }))
}

/// A whole number and its unit, up to ten years: beyond that a mistake is likelier than a test.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let count: u64 = text[..digits].parse().ok()?;
    let unit_ms = match &text[digits..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let ms = count.checked_mul(unit_ms)?;
    (ms <= ADVANCE_MAX_MS).then(|| Duration::from_millis(ms))
}

const BODY_BYTES_MAX: usize = 1024;
const ADVANCE_MAX_MS: u64 = 3653 * 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let rows = [
            ("500ms", Some(500)),
            ("90s", Some(90_000)),
            ("30m", Some(1_800_000)),
            ("1h", Some(3_600_000)),
            ("7d", Some(604_800_000)),
            ("0s", Some(0)),
            ("", None),
            ("h", None),
            ("1", None),
            ("-1h", None),
            ("1.5h", None),
            ("1 h", None),
            ("1y", None),
            ("99999999999999999999h", None),
            ("3654d", None),
        ];
        for (text, ms) in rows {
            assert_eq!(duration(text), ms.map(Duration::from_millis), "{text}");
        }
    }
}
