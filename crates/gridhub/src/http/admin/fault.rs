//! `/admin/faults`: what goes wrong on purpose (`hub::fault`). Owns the words of requests and
//! listings; they are the memory of the running server, and a start begins without any.

use std::num::NonZeroU32;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use hub::fault::{Effect, FaultId, Faults, Odds, Operation, Pattern, Rule, Shown};
use hub::plane::Status;
use hyper::{Request, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Contributor;
use crate::config::duration::HumanDuration;
use crate::http::app::App;
use crate::http::backend::Backend;
use crate::http::body;
use crate::http::error::HttpError;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Wanted {
    operation: String,
    devices: Option<String>,
    status: Option<String>,
    delay: Option<HumanDuration>,
    #[serde(default)]
    drop_after_ack: bool,
    count: Option<u32>,
    probability: Option<f64>,
}

/// `POST /admin/faults`: 201 with the fault, which is in force on every connection from then on.
///
/// # Errors
/// 400 for what cannot be, with what could; 404 without a hub; 409 at the bound.
pub async fn add<B: Backend>(
    _: Contributor,
    State(app): State<App<B>>,
    request: Request<Body>,
) -> Result<(StatusCode, Json<Value>), HttpError> {
    let faults = faults(&app)?;
    let (body, _share) = body::read(request.into_body(), app.body_bounds(BODY_BYTES_MAX)).await?;
    let wanted: Wanted = serde_json::from_slice(&body)
        .map_err(|e| HttpError::bad_request("InvalidBody", format!("{e}; send {EXAMPLE}")))?;
    let rule = wanted.rule().map_err(|why| HttpError::bad_request("InvalidValue", why))?;
    let added = faults
        .add(rule)
        .map_err(|full| HttpError::new(StatusCode::CONFLICT, "TooManyFaults", full.to_string()))?;
    Ok((StatusCode::CREATED, Json(shown(&added))))
}

/// `GET /admin/faults`: all of them in the order in which they are asked, those that are used up
/// too, with how often each has struck.
pub async fn list<B: Backend>(
    _: Contributor,
    State(app): State<App<B>>,
) -> Result<Json<Value>, HttpError> {
    let all: Vec<Value> = faults(&app)?.list().iter().map(shown).collect();
    Ok(Json(json!({ "faults": all })))
}

/// `DELETE /admin/faults`: 200 with how many there were.
pub async fn clear<B: Backend>(
    _: Contributor,
    State(app): State<App<B>>,
) -> Result<Json<Value>, HttpError> {
    Ok(Json(json!({ "cleared": faults(&app)?.clear() })))
}

/// `DELETE /admin/faults/{id}`: 204.
///
/// # Errors
/// 404 without such a fault.
pub async fn remove<B: Backend>(
    _: Contributor,
    State(app): State<App<B>>,
    Path(id): Path<String>,
) -> Result<StatusCode, HttpError> {
    let faults = faults(&app)?;
    match id.parse().is_ok_and(|id| faults.remove(FaultId(id))) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(HttpError::not_found(
            "FaultNotFound",
            format!("there is no fault '{id}'; GET /admin/faults lists them"),
        )),
    }
}

fn faults<B: Backend>(app: &App<B>) -> Result<&Faults, HttpError> {
    let hub = app.backend.hub();
    hub.map(|hub| &hub.faults).ok_or_else(|| {
        HttpError::not_found("NoHub", "faults strike devices of a hub, and there is no hub here")
    })
}

impl Wanted {
    fn rule(self) -> Result<Rule, String> {
        let operation = Operation::named(&self.operation).ok_or_else(|| {
            let all: Vec<_> = Operation::ALL.iter().map(|operation| operation.name()).collect();
            format!("operation: '{}' is none of {}", self.operation, all.join(", "))
        })?;
        let devices = self.devices.as_deref().map_or(Ok(Pattern::any()), Pattern::parse);
        let effect = match (&self.status, self.delay, self.drop_after_ack) {
            (Some(text), None, false) => {
                let wrong = || format!("status: '{text}' is no status; write four hex digits");
                Effect::Status(Status::parse(text).ok_or_else(wrong)?)
            }
            (None, Some(delay), false) => {
                Effect::Delay(u32::try_from(delay.get().as_millis()).unwrap_or(u32::MAX))
            }
            (None, None, true) => Effect::DropAfterAck,
            _ => return Err("give one of status, delay and dropAfterAck".to_owned()),
        };
        let zero = "count: 0 is never; leave it out for 'until it is taken away'";
        let count = self.count.map(|count| NonZeroU32::new(count).ok_or(zero)).transpose()?;
        let odds = self.probability.map_or(Ok(Odds::ALWAYS), Odds::new);
        let odds = odds.map_err(|why| format!("probability: {why}"))?;
        let devices = devices.map_err(|why| format!("devices: the pattern {why}"))?;
        Rule { operation, devices, effect, count, odds }.check().map_err(|why| why.to_string())
    }
}

fn shown(fault: &Shown) -> Value {
    let Shown { id, rule, struck, left } = fault;
    let mut document = json!({
        "id": id.0,
        "operation": rule.operation.name(),
        "devices": rule.devices.to_string(),
        "count": rule.count,
        "probability": rule.odds.get(),
        "struck": struck,
        "left": left,
    });
    match rule.effect {
        Effect::Status(status) => document["status"] = json!(status.to_string()),
        Effect::Delay(ms) => {
            let delay = HumanDuration::from_ms(u64::from(ms));
            document["delay"] = json!(delay);
        }
        Effect::DropAfterAck => document["dropAfterAck"] = json!(true),
    }
    document
}

const BODY_BYTES_MAX: usize = 4096;
const EXAMPLE: &str = r#"{"operation":"send-telemetry","devices":"*","status":"0501","count":3}"#;
