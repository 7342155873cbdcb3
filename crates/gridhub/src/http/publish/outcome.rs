//! What became of one publish, and the one place where the door's answer turns into a status
//! (event-grid 2.5).

use broker::access::{Denied, Principal};
use hyper::StatusCode;
use mqtt::reason::Reason;
use node::door::Published;

use crate::http::error::HttpError;

/// The answer to one publish; small, so that it can be kept for repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Stored and handed on.
    Accepted,
    /// The answer to `?wait=delivered`.
    Delivered { delivered: u32, subscribers: u32 },
    /// Not published.
    Refused(HttpError),
}

impl Outcome {
    /// Whether the message was published.
    pub fn is_accepted(&self) -> bool {
        !matches!(self, Outcome::Refused(_))
    }

    /// The status. Success is 204 as long as no routing exists (event-grid 2.5).
    pub fn status(&self) -> StatusCode {
        match self {
            Outcome::Accepted => StatusCode::NO_CONTENT,
            Outcome::Delivered { .. } => StatusCode::OK,
            Outcome::Refused(error) => error.status,
        }
    }
}

/// The door's refusals as HTTP errors.
///
/// # Errors
/// 403 without permission or for a topic the profile does not allow, 413 and 429 at a bound, 503
/// while the server cannot take it, 507 where the disk does not, else 500.
pub fn accepted(published: &Published, who: &Principal, topic: &str) -> Result<u32, HttpError> {
    match published {
        Published::Accepted { subscribers, .. } => Ok(*subscribers),
        Published::Denied(denied) => Err(forbidden(*denied, who, topic)),
        Published::Refused { reason, why } => Err(refused(*reason, why)),
        Published::Unstored { why } => {
            Err(HttpError::new(StatusCode::INSUFFICIENT_STORAGE, "InsufficientStorage", *why))
        }
    }
}

/// 403 with the rule and what would change it; `topic` may be a filter.
pub fn forbidden(denied: Denied, who: &Principal, topic: &str) -> HttpError {
    HttpError::forbidden("NotAuthorized", denied.why(&who.name, topic))
}

fn refused(reason: Reason, why: &'static str) -> HttpError {
    match reason {
        Reason::QUOTA_EXCEEDED
        | Reason::RECEIVE_MAXIMUM_EXCEEDED
        | Reason::MESSAGE_RATE_TOO_HIGH => HttpError::too_many(why, 1),
        Reason::PACKET_TOO_LARGE => {
            HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", why)
        }
        Reason::TOPIC_NAME_INVALID | Reason::NOT_AUTHORIZED => {
            HttpError::forbidden("NotAuthorized", why)
        }
        Reason::PAYLOAD_FORMAT_INVALID
        | Reason::MALFORMED_PACKET
        | Reason::PROTOCOL_ERROR
        | Reason::QOS_NOT_SUPPORTED
        | Reason::RETAIN_NOT_SUPPORTED => HttpError::bad_request("InvalidValue", why),
        Reason::SERVER_UNAVAILABLE | Reason::SERVER_BUSY | Reason::SERVER_SHUTTING_DOWN => {
            HttpError::unavailable(why)
        }
        _ => HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", why),
    }
}
