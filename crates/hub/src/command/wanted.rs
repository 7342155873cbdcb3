//! A command that a service wants to send, checked (iot-hub B2, B4): a request in, its bytes or a
//! refusal out. Refuses to know the form of the request and the queue.

use std::collections::HashMap;

use super::content::{Command, Content, Properties};
use super::limits::{
    COMMAND_BYTES_MAX, CONTENT_NAME_BYTES_MAX, MESSAGE_ID_CHARS_MAX, PROPERTIES_MAX,
};
use super::outcome::Ack;
use crate::Moment;
use crate::errors::{ErrorCode, Refusal};

/// What a service sends, borrowed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'w> {
    /// `iothub-messageid`.
    pub message_id: Option<&'w str>,
    /// `iothub-correlationid`.
    pub correlation_id: Option<&'w str>,
    /// `iothub-userid`.
    pub user_id: Option<&'w str>,
    /// `iothub-ack`, read by [`Ack::parse`].
    pub ack: Ack,
    /// `iothub-expiry`, wall milliseconds, read by [`parse_time`]; `None` = the default of the hub.
    pub expires_ms: Option<u64>,
    /// `iothub-contenttype`.
    pub content_type: Option<&'w str>,
    /// `iothub-contentencoding`.
    pub content_encoding: Option<&'w str>,
    /// When the sender made it, wall milliseconds.
    pub creation_ms: Option<u64>,
    /// `iothub-app-{name}`: of two of one name the last counts.
    pub properties: &'w [(&'w str, &'w str)],
    /// Any bytes.
    pub body: &'w [u8],
}

/// Reads a time: ISO 8601, UTC where it names no zone, as wall milliseconds.
///
/// # Errors
/// ArgumentInvalid for what is none, and for one before 1970.
pub fn parse_time(name: &str, text: &str) -> Result<u64, Refusal> {
    let epoch = Moment::ticks(EPOCH).expect("it is a moment");
    let ticks = Moment::ticks(text.trim()).and_then(|ticks| u64::try_from(ticks - epoch).ok());
    ticks.map(|ticks| ticks / TICKS_OF_MS).ok_or_else(|| {
        invalid(format!("{name} is a time as 2026-11-22T10:00:00Z, not before 1970"))
    })
}

impl Wanted<'_> {
    /// Checks everything and copies it into one allocation.
    ///
    /// # Errors
    /// MessageTooLarge, InvalidMessageExpiryTime, ArgumentInvalid.
    pub(super) fn content(
        &self,
        sequence: u64,
        ttl_default_ms: u64,
        now_ms: u64,
    ) -> Result<Content, Refusal> {
        let expires_ms = self.expires_ms.unwrap_or_else(|| now_ms.saturating_add(ttl_default_ms));
        if expires_ms <= now_ms {
            let text = "the expiry of the message has passed";
            return Err(Refusal::new(ErrorCode::InvalidMessageExpiryTime, text));
        }
        self.check_size()?;
        let ids = [
            ("message-id", self.message_id),
            ("correlation-id", self.correlation_id),
            ("user-id", self.user_id),
        ];
        ids.into_iter().try_for_each(|(name, id)| id.map_or(Ok(()), |id| check_id(name, id)))?;
        let names =
            [("content-type", self.content_type), ("content-encoding", self.content_encoding)];
        for (name, text) in names {
            check_text(name, text.unwrap_or_default(), CONTENT_NAME_BYTES_MAX)?;
        }
        let properties = self.last_of_each()?;
        let command = Command {
            sequence,
            enqueued_ms: now_ms,
            expires_ms,
            ack: self.ack,
            message_id: self.message_id,
            correlation_id: self.correlation_id,
            user_id: self.user_id,
            content_type: self.content_type,
            content_encoding: self.content_encoding,
            creation_ms: self.creation_ms,
            properties: Properties::NONE,
            body: self.body,
        };
        Ok(Content::encode(&command, &properties))
    }

    fn check_size(&self) -> Result<(), Refusal> {
        let system = [
            self.message_id,
            self.correlation_id,
            self.user_id,
            self.content_type,
            self.content_encoding,
        ];
        let system: usize = system.into_iter().flatten().map(str::len).sum();
        let properties: usize = self.properties.iter().map(|(n, v)| n.len() + v.len()).sum();
        let size = self.body.len() + system + properties;
        if size > COMMAND_BYTES_MAX {
            let text = format!("a message has at most {COMMAND_BYTES_MAX} bytes, not {size}");
            return Err(Refusal::new(ErrorCode::MessageTooLarge, text));
        }
        Ok(())
    }

    /// The properties without those that a later one replaces, at the place of the first.
    fn last_of_each(&self) -> Result<Vec<(&str, &str)>, Refusal> {
        let mut kept: Vec<(&str, &str)> = Vec::new();
        let mut places = HashMap::new();
        for &(name, value) in self.properties {
            let good = |byte: u8| byte.is_ascii_alphanumeric() || NAME_MARKS.contains(&byte);
            if name.is_empty() || !name.bytes().all(good) {
                let marks = String::from_utf8_lossy(NAME_MARKS);
                let text = format!("the name of a property has letters, digits and {marks}");
                return Err(invalid(text));
            }
            check_text("the value of a property", value, COMMAND_BYTES_MAX)?;
            match places.get(name) {
                Some(&place) => {
                    let place: usize = place;
                    kept[place].1 = value;
                }
                None => {
                    places.insert(name, kept.len());
                    kept.push((name, value));
                }
            }
            if kept.len() > PROPERTIES_MAX {
                return Err(invalid(format!("a message has at most {PROPERTIES_MAX} properties")));
            }
        }
        Ok(kept)
    }
}

fn check_id(name: &str, id: &str) -> Result<(), Refusal> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || ID_MARKS.contains(&byte);
    if id.len() > MESSAGE_ID_CHARS_MAX || !id.bytes().all(good) {
        let marks = String::from_utf8_lossy(ID_MARKS);
        return Err(invalid(format!(
            "{name} has at most {MESSAGE_ID_CHARS_MAX} letters, digits and {marks}"
        )));
    }
    Ok(())
}

/// No control characters: a text has to go through a header and a PUBLISH.
fn check_text(name: &str, text: &str, bytes_max: usize) -> Result<(), Refusal> {
    if text.len() > bytes_max || text.chars().any(char::is_control) {
        return Err(invalid(format!("{name} has at most {bytes_max} bytes and no controls")));
    }
    Ok(())
}

fn invalid(message: impl Into<Box<str>>) -> Refusal {
    Refusal::new(ErrorCode::ArgumentInvalid, message)
}

const ID_MARKS: &[u8] = b"-:.+%_#*?!(),=@;$'";
const NAME_MARKS: &[u8] = b"!#$%&'*+-.^_`~|";
const EPOCH: &str = "1970-01-01T00:00:00Z";
const TICKS_OF_MS: u64 = 10_000;

#[cfg(test)]
#[path = "wanted_tests.rs"]
mod tests;
