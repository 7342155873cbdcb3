//! Where a reader begins, as a request says it. Refuses to know what is there.

use hub::Moment;

use crate::feed::{Feed, From};
use crate::http::error::HttpError;
use crate::http::query::Query;

/// `from`: `earliest`, `latest`, an offset, or a time in ISO 8601; `offset` is the same for offsets
/// only. `None` = neither is there.
///
/// # Errors
/// 400 for anything else.
pub fn place(query: &Query<'_>) -> Result<Option<From>, HttpError> {
    let (from, offset) = (query.one("from")?, query.one("offset")?);
    let text = match (from, offset) {
        (Some(_), Some(_)) => return Err(wrong("send 'from' or 'offset', not both".to_owned())),
        (Some(text), None) => text,
        (None, Some(text)) => match text.parse() {
            Ok(offset) => return Ok(Some(From::Offset(offset))),
            Err(_) => return Err(wrong(format!("offset '{text}' is no number"))),
        },
        (None, None) => return Ok(None),
    };
    let time = || Moment::parse(&text).and_then(Moment::unix_ms).map(From::Time);
    let found = match &*text {
        "earliest" => Some(From::Earliest),
        "latest" => Some(From::Latest),
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().ok().map(From::Offset)
        }
        _ => time(),
    };
    found.map(Some).ok_or_else(|| {
        wrong(format!("from '{text}': send earliest, latest, an offset or a time in ISO 8601"))
    })
}

/// The partition that a path names.
///
/// # Errors
/// 404 for one that is not there.
pub fn partition(feed: &Feed, text: &str) -> Result<usize, HttpError> {
    let partition = text.parse().ok().filter(|partition| *partition < feed.partitions());
    partition.ok_or_else(|| {
        let last = feed.partitions() - 1;
        let message = format!("there is no partition '{text}'; they are 0 to {last}");
        HttpError::not_found("PartitionNotFound", message)
    })
}

/// The disk cannot be read.
pub fn unreadable(why: &str) -> HttpError {
    tracing::error!(why, "telemetry cannot be read");
    HttpError::unavailable("the messages cannot be read from the disk")
}

fn wrong(message: String) -> HttpError {
    HttpError::bad_request("InvalidQueryParameter", message)
}
