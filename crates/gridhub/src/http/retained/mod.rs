//! `/mqtt/retainedMessages` (event-grid 8.2): list, get, and our delete (product 4).
//!
//! Owns the mapping of retained messages to JSON and headers. Refuses to know how they are stored.

pub mod continuation;
pub mod delete;
pub mod get;
pub mod list;

use hyper::http::request::Parts;
use mqtt::topic::TopicName;

use super::app::App;
use super::backend::Backend;
use super::call::Caller;
use super::error::HttpError;
use super::query::Query;

/// Who asks and for which topic: what get and delete have in common, in the order of
/// event-grid 2.5.
struct Asked {
    caller: Caller,
    topic: String,
}

fn asked<B: Backend>(app: &App<B>, head: &Parts) -> Result<Asked, HttpError> {
    let caller = app.authenticate(head)?;
    let query = Query::new(head.uri.query());
    app.settings.api_versions.check(query)?;
    let topic = query.required("topic")?.into_owned();
    TopicName::parse(&topic).map_err(|e| {
        HttpError::bad_request("InvalidTopic", format!("topic '{topic}': {}; name one", e.what()))
    })?;
    Ok(Asked { caller, topic })
}

fn not_found(topic: &str) -> HttpError {
    HttpError::not_found(
        "RetainedMessageNotFound",
        format!("topic '{topic}' has no retained message; publish one with retain=1"),
    )
}
