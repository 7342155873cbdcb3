//! `GET /mqtt/retainedMessages`: a page of what a filter matches (event-grid 8.2).

use std::borrow::Cow;

use axum::Json;
use axum::extract::State;
use broker::publication::NEVER;
use broker::retained::{RetainedItem, ScanCursor, ScanEnd};
use hyper::header::HOST;
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use mqtt::topic::TopicFilter;
use serde::Serialize;

use super::continuation::Continuation;
use crate::http::app::App;
use crate::http::backend::Backend;
use crate::http::call::Caller;
use crate::http::error::HttpError;
use crate::http::publish::outcome::forbidden;
use crate::http::publish::properties::bad_value;
use crate::http::query::{Query, percent_encode};
use crate::http::timestamp::iso8601;

/// One page.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// Absolute URL of the next page; null on the last one.
    next_link: Option<String>,
    retained_messages: Vec<Listed>,
}

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Listed {
    topic: String,
    qos: u8,
    /// The whole message: topic, properties and payload, in bytes.
    size: usize,
    expiry: Option<String>,
    last_modified_time: String,
}

/// 200 with a page; the caller needs Subscriber on templates that cover the whole filter.
pub async fn handle<B: Backend>(
    State(app): State<App<B>>,
    head: Parts,
) -> Result<Json<Page>, HttpError> {
    let Caller { who, .. } = app.authenticate(&head)?;
    let query = Query::new(head.uri.query());
    app.settings.api_versions.check(query)?;
    let wanted = Wanted::parse(query)?;
    let filter = parse_filter(&wanted.from.filter)?;
    app.backend
        .authorizer()
        .subscribe(&who.permissions, filter)
        .map_err(|denied| forbidden(denied, &who, filter.as_str()))?;
    let (items, end) = collect(&app, filter, &wanted).await;
    let next_link = match (end, items.last()) {
        (ScanEnd::More, Some(last)) => {
            let after = last.publication.message.topic().to_owned();
            let next = Continuation { filter: wanted.from.filter.clone(), after };
            Some(link(&head, &next, wanted.page_max, query)?)
        }
        _ => None,
    };
    Ok(Json(Page { next_link, retained_messages: items.iter().map(listed).collect() }))
}

/// What the query asks for.
struct Wanted {
    from: Continuation,
    page_max: usize,
}

impl Wanted {
    fn parse(query: Query<'_>) -> Result<Self, HttpError> {
        let from = match (query.one("topicFilter")?, query.one("continuationToken")?) {
            (Some(filter), None) => {
                Continuation { filter: filter.into_owned(), after: String::new() }
            }
            (None, Some(token)) => Continuation::parse(&token).ok_or_else(|| {
                let place = "query parameter 'continuationToken'";
                bad_value(place, "is not one of ours; follow nextLink as it was given")
            })?,
            (Some(_), Some(_)) => {
                return Err(HttpError::bad_request(
                    "ExclusiveQueryParameters",
                    "topicFilter and continuationToken exclude each other; send one of them",
                ));
            }
            (None, None) => {
                return Err(HttpError::bad_request(
                    "MissingQueryParameter",
                    "query parameter 'topicFilter' is missing; add ?topicFilter=%23 for all topics",
                ));
            }
        };
        Ok(Wanted { from, page_max: page_max(query.one("maxResults")?)? })
    }
}

fn page_max(text: Option<Cow<'_, str>>) -> Result<usize, HttpError> {
    let Some(text) = text else { return Ok(PAGE_MAX) };
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    digits
        .then(|| text.parse().ok())
        .flatten()
        .filter(|count| (1..=PAGE_MAX).contains(count))
        .ok_or_else(|| bad_value("query parameter 'maxResults'", format!("send 1 to {PAGE_MAX}")))
}

fn parse_filter(text: &str) -> Result<TopicFilter<'_>, HttpError> {
    let place = "query parameter 'topicFilter'";
    if text.starts_with("$share/") {
        return Err(bad_value(place, "a shared subscription has no list; leave out $share/name/"));
    }
    TopicFilter::parse(text).map_err(|e| {
        bad_value(place, format!("{}; write # as %23 and + as %2B in a URL", e.what()))
    })
}

/// One item more than the page tells whether there is a next one. Between chunks other requests
/// get their turn: a filter may match little among much.
async fn collect<B: Backend>(
    app: &App<B>,
    filter: TopicFilter<'_>,
    wanted: &Wanted,
) -> (Vec<RetainedItem>, ScanEnd) {
    let mut cursor = match &*wanted.from.after {
        "" => ScanCursor::default(),
        topic => ScanCursor::after(topic),
    };
    let now_ms = app.backend.wall_ms();
    let mut items = Vec::new();
    loop {
        let missing = wanted.page_max + 1 - items.len();
        let end = app.backend.retained().list(filter, &mut cursor, missing, now_ms, &mut items);
        if items.len() > wanted.page_max {
            items.truncate(wanted.page_max);
            return (items, ScanEnd::More);
        }
        if end == ScanEnd::Done {
            return (items, end);
        }
        tokio::task::yield_now().await;
    }
}

fn listed(item: &RetainedItem) -> Listed {
    let publication = &item.publication;
    Listed {
        topic: publication.message.topic().to_owned(),
        qos: publication.message.qos().bits(),
        size: publication.bytes(),
        expiry: (publication.deadline_ms != NEVER).then(|| iso8601(publication.deadline_ms)),
        last_modified_time: iso8601(item.modified_ms),
    }
}

/// The next page's URL on the host the request named.
fn link(
    head: &Parts,
    next: &Continuation,
    page_max: usize,
    query: Query<'_>,
) -> Result<String, HttpError> {
    let host = authority(head).ok_or_else(|| {
        HttpError::bad_request("InvalidHost", "the Host header is missing or no host name")
    })?;
    let version = query.required("api-version")?;
    Ok(format!(
        "https://{host}/mqtt/retainedMessages?continuationToken={}&maxResults={page_max}\
         &api-version={}",
        next.token(),
        percent_encode(&version)
    ))
}

/// HTTP/2 puts the host into `:authority`, HTTP/1.1 into Host.
fn authority(head: &Parts) -> Option<Authority> {
    let named = head.uri.authority().cloned();
    named.or_else(|| head.headers.get(HOST)?.to_str().ok()?.parse().ok())
}

const PAGE_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(query: &str) -> Result<(String, usize), &'static str> {
        Wanted::parse(Query::new(Some(query)))
            .map(|w| (w.from.filter, w.page_max))
            .map_err(|e| e.code)
    }

    #[test]
    fn queries() {
        assert_eq!(wanted("topicFilter=a%2F%23"), Ok(("a/#".to_owned(), 100)));
        assert_eq!(wanted("topicFilter=a&maxResults=1"), Ok(("a".to_owned(), 1)));
        for bad in ["0", "101", "-1", "+5", "", "x", "99999999999999999999999"] {
            let query = format!("topicFilter=a&maxResults={bad}");
            assert_eq!(wanted(&query), Err("InvalidValue"), "{bad}");
        }
        assert_eq!(wanted(""), Err("MissingQueryParameter"));
        assert_eq!(wanted("topicFilter=a&continuationToken=b"), Err("ExclusiveQueryParameters"));
        assert_eq!(wanted("continuationToken=b"), Err("InvalidValue"));
        for bad in ["", "a/#/b", "a+", "$share/g/a"] {
            assert!(parse_filter(bad).is_err(), "{bad}");
        }
    }
}
