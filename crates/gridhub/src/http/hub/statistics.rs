//! How many devices there are and how many are connected (iot-hub C4).

use hyper::StatusCode;
use node::devices::Counts;
use serde_json::json as value;

use super::{Answer, Asked, asking, json};
use crate::http::backend::Backend;

/// `GET /statistics/devices`.
pub async fn devices<B: Backend>(asked: &Asked<'_, B>) -> Answer {
    let Counts { enabled, disabled, .. } = counts(asked).await?;
    let document = value!({
        "totalDeviceCount": enabled + disabled,
        "enabledDeviceCount": enabled,
        "disabledDeviceCount": disabled,
    });
    json(StatusCode::OK, document.to_string(), None)
}

/// `GET /statistics/service`.
pub async fn service<B: Backend>(asked: &Asked<'_, B>) -> Answer {
    let Counts { connected, .. } = counts(asked).await?;
    json(StatusCode::OK, value!({ "connectedDeviceCount": connected }).to_string(), None)
}

async fn counts<B: Backend>(asked: &Asked<'_, B>) -> Result<Counts, crate::http::error::HttpError> {
    asked.app.backend.device_counts().await.ok_or_else(asking::ending)
}
