//! Twins (iot-hub C4): `/twins/{id}` and `/twins/{id}/modules/{id}`.

use axum::body::Body;
use hyper::StatusCode;

use hub::identity::IdentityId;
use hub::twin::Mode;
use node::devices::{Ask, TwinShown};

use super::{Answer, Asked, asking, json};
use crate::http::backend::Backend;

/// `GET`: 200 with the twin.
pub async fn show<B: Backend>(asked: &Asked<'_, B>, id: &IdentityId) -> Answer {
    one(asking::ask(&asked.app.backend, id, Ask::Twin).await?)
}

/// `PATCH` and `PUT`: 200 with the twin after the write.
pub async fn write<B: Backend>(
    asked: &Asked<'_, B>,
    id: &IdentityId,
    mode: Mode,
    body: Body,
) -> Answer {
    let if_match = asked.if_match()?;
    let (body, _share) = asked.body(body).await?;
    let write = |reply| Ask::WriteTwin(mode, body, if_match, reply);
    one(asking::ask(&asked.app.backend, id, write).await?)
}

fn one(shown: TwinShown) -> Answer {
    let TwinShown { etag, json: document } = shown;
    json(StatusCode::OK, document, Some(etag.twin_text().as_str()))
}

/// `GET /admin/devices/{id}/twin/history`: 200 with the last changes.
pub async fn history<B: Backend>(asked: &Asked<'_, B>, id: &IdentityId) -> Answer {
    let json_text = asking::ask(&asked.app.backend, id, Ask::TwinHistory).await?;
    json(StatusCode::OK, json_text, None)
}
