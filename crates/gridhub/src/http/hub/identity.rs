//! Devices and modules (iot-hub C3): `/devices`, `/devices/{id}`, `/devices/{id}/modules[/{id}]`.

use axum::body::Body;
use hyper::StatusCode;
use serde_json::Value;

use hub::errors::{ErrorCode, Refusal};
use hub::identity::{IdentityId, Wanted};
use node::devices::{Ask, Page, Placed, Shown};

use super::{Answer, Asked, asking, json, no_content};
use crate::http::backend::Backend;
use crate::http::error::HttpError;

/// `GET`: 200 with the identity.
pub async fn show<B: Backend>(asked: &Asked<'_, B>, id: &IdentityId) -> Answer {
    let shown = asking::ask(&asked.app.backend, id, Ask::Get).await?;
    one(StatusCode::OK, &shown)
}

/// `PUT`: without `If-Match` a new identity, with it another state of one. 200, 201 for a new
/// module.
pub async fn put<B: Backend>(asked: &Asked<'_, B>, id: &IdentityId, body: Body) -> Answer {
    let if_match = asked.if_match()?;
    let (body, _share) = asked.body(body).await?;
    let wanted = Box::new(Wanted::read(&body, id.clone())?);
    let fresh = asking::drawn(&asked.app.backend)?;
    let put = |reply| Ask::Put(wanted, if_match, fresh, reply);
    let Placed { is_new, shown } = asking::ask(&asked.app.backend, id, put).await?;
    let created = is_new && id.module.is_some();
    one(if created { StatusCode::CREATED } else { StatusCode::OK }, &shown)
}

/// `DELETE`: 204. A device takes its modules with it.
pub async fn delete<B: Backend>(asked: &Asked<'_, B>, id: &IdentityId) -> Answer {
    let if_match = asked.if_match()?;
    asking::ask(&asked.app.backend, id, |reply| Ask::Delete(if_match, reply)).await?;
    no_content()
}

/// `GET /devices/{id}/modules`: 200 with all of them.
pub async fn modules<B: Backend>(asked: &Asked<'_, B>, id: &IdentityId) -> Answer {
    let modules = asking::ask(&asked.app.backend, id, Ask::Modules).await?;
    many(&modules)
}

/// `GET /devices?top=n`: 200 with the first of them, in order of their ids.
pub async fn list<B: Backend>(asked: &Asked<'_, B>) -> Answer {
    let count = top(asked.query().one("top")?.as_deref())?;
    let backend = &asked.app.backend;
    let mut all = Vec::new();
    for home in 0..backend.homes() {
        let page = Page { after: None, count };
        all.extend(backend.devices(home, page).await.ok_or_else(asking::ending)?);
    }
    all.sort_by(|a, b| a.identity.names().cmp(&b.identity.names()));
    all.truncate(count);
    many(&all)
}

fn top(text: Option<&str>) -> Result<usize, HttpError> {
    let Some(text) = text else { return Ok(TOP_MAX) };
    text.parse().ok().filter(|top| (1..=TOP_MAX).contains(top)).ok_or_else(|| {
        let text = format!("query parameter 'top' must be 1 to {TOP_MAX}");
        Refusal::new(ErrorCode::ArgumentInvalid, text).into()
    })
}

fn one(status: StatusCode, shown: &Shown) -> Answer {
    let identity = shown.identity.unpack();
    let etag = identity.etag.identity_text();
    json(status, identity.document(&shown.activity).to_string(), Some(etag.as_str()))
}

fn many(all: &[Shown]) -> Answer {
    let document = |shown: &Shown| shown.identity.unpack().document(&shown.activity);
    let documents: Value = all.iter().map(document).collect();
    json(StatusCode::OK, documents.to_string(), None)
}

const TOP_MAX: usize = 1000;
