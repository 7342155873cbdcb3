//! `DELETE /mqtt/retainedMessages/message?topic=` (product 4): an empty retained publish through
//! the one door, so that the right to publish decides and live subscribers hear of it.

use std::sync::Arc;

use axum::extract::State;
use hyper::StatusCode;
use hyper::http::request::Parts;
use mqtt::qos::QoS;
use node::door::PublishRequest;

use super::{Asked, asked, not_found};
use crate::http::app::App;
use crate::http::backend::Backend;
use crate::http::error::HttpError;
use crate::http::publish::outcome::{accepted, forbidden};

/// 204; 403 without Publisher on the topic; 404 where there is no message.
pub async fn handle<B: Backend>(
    State(app): State<App<B>>,
    head: Parts,
) -> Result<StatusCode, HttpError> {
    let Asked { caller, topic } = asked(&app, &head)?;
    let who = &caller.who;
    // Before looking: 404 would tell a stranger which topics have a message.
    app.backend
        .authorizer()
        .publish(&who.permissions, &topic)
        .map_err(|denied| forbidden(denied, who, &topic))?;
    if app.backend.retained().get(&topic, app.backend.wall_ms()).is_none() {
        return Err(not_found(&topic));
    }
    let empty = PublishRequest {
        topic: topic.clone(),
        qos: QoS::AtLeastOnce,
        retain: true,
        properties: Vec::new(),
        payload: Vec::new(),
        watch: None,
        key: None,
    };
    accepted(&app.backend.publish(Arc::clone(who), empty).await, who, &topic)?;
    caller.published(&topic);
    Ok(StatusCode::NO_CONTENT)
}
