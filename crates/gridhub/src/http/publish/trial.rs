//! What a request would ask of the door, without a server around it: for provers outside this
//! crate. Pure functions over the same readers the server uses; refuses to know who asks.

use std::borrow::Cow;

use broker::limits::Limits;
use node::door::PublishRequest;

use super::batch;
use super::draft::check_topic;
use super::fields::Fields;
use crate::http::error::HttpError;
use crate::http::query::Query;

pub use hyper::HeaderMap;
pub use hyper::header::{HeaderName, HeaderValue};

/// `POST /mqtt/messages` up to the door: query, headers, size of the body, topic.
///
/// # Errors
/// The status of the refusal (event-grid 2.5).
pub fn message(
    query: Option<&str>,
    headers: &HeaderMap,
    body: &[u8],
    limits: &Limits,
) -> Result<PublishRequest, u16> {
    let draft = Fields::parse(Query::new(query), headers, limits).map_err(|e| status(&e))?.draft;
    if body.len() > draft.payload_bytes_max(limits) {
        return Err(413);
    }
    check_topic(&draft.topic).map_err(|e| status(&e))?;
    Ok(draft.request(body.to_vec(), None))
}

/// `POST /mqtt/messages:batch` up to the door: one result an item, in order.
///
/// # Errors
/// The status that answers the batch as a whole.
pub fn batch(
    headers: &HeaderMap,
    body: &[u8],
    limits: &Limits,
) -> Result<Vec<Result<PublishRequest, u16>>, u16> {
    let items: Vec<Cow<'_, [u8]>> =
        batch::form(headers).and_then(|form| batch::items(body, form)).map_err(|e| status(&e))?;
    Ok(items.iter().map(|text| one(text, limits)).collect())
}

fn one(text: &[u8], limits: &Limits) -> Result<PublishRequest, u16> {
    let (draft, payload) = batch::item(text, limits).map_err(|e| status(&e))?;
    check_topic(&draft.topic).map_err(|e| status(&e))?;
    Ok(draft.request(payload, None))
}

fn status(error: &HttpError) -> u16 {
    error.status.as_u16()
}
