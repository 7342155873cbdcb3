//! A message that a service sends to a device, checked (iot-hub B2, B4): a message in, its bytes
//! or a refusal out. Refuses to know the form of the request and the queue.

use super::content::{Command, Content, Properties};
use super::limits::{COMMAND_BYTES_MAX, CONTENT_NAME_BYTES_MAX, PROPERTIES_MAX};
use super::outcome::Ack;
use crate::Moment;
use crate::errors::{ErrorCode, Refusal};
use crate::telemetry::{Message, is_property_character};

/// Checks everything and copies what a device or its sender sees of it into one allocation.
///
/// # Errors
/// MessageTooLarge, InvalidMessageExpiryTime, ArgumentInvalid.
pub(super) fn content(
    message: &Message<'_>,
    sequence: u64,
    ttl_default_ms: u64,
    now_ms: u64,
) -> Result<Content, Refusal> {
    let system = &message.system;
    let wanted = system.expiry_time.and_then(Moment::unix_ms);
    let expires_ms = wanted.unwrap_or_else(|| now_ms.saturating_add(ttl_default_ms));
    if expires_ms <= now_ms {
        let text = "the expiry of the message has passed";
        return Err(Refusal::new(ErrorCode::InvalidMessageExpiryTime, text));
    }
    let size = message.bytes();
    if size > COMMAND_BYTES_MAX {
        let text = format!("a message has at most {COMMAND_BYTES_MAX} bytes, not {size}");
        return Err(Refusal::new(ErrorCode::MessageTooLarge, text));
    }
    message.check().map_err(|error| invalid(error.to_string()))?;
    for (name, text) in
        [("content-type", &system.content_type), ("content-encoding", &system.content_encoding)]
    {
        check_text(name, text.as_deref().unwrap_or_default(), CONTENT_NAME_BYTES_MAX)?;
    }
    let ack = system.ack.as_deref().map_or(Ok(Ack::None), Ack::parse)?;
    let properties: Vec<(&str, &str)> = message.application.iter().collect();
    check_properties(&properties)?;
    let command = Command {
        sequence,
        enqueued_ms: now_ms,
        expires_ms,
        ack,
        message_id: system.message_id.as_deref(),
        correlation_id: system.correlation_id.as_deref(),
        user_id: system.user_id.as_deref(),
        content_type: system.content_type.as_deref(),
        content_encoding: system.content_encoding.as_deref(),
        creation_ms: system.creation_time.and_then(Moment::unix_ms),
        properties: Properties::NONE,
        body: message.body,
    };
    Ok(Content::encode(&command, &properties))
}

fn check_properties(properties: &[(&str, &str)]) -> Result<(), Refusal> {
    if properties.len() > PROPERTIES_MAX {
        return Err(invalid(format!("a message has at most {PROPERTIES_MAX} properties")));
    }
    properties.iter().try_for_each(|(name, value)| {
        if name.is_empty() || !name.chars().all(is_property_character) {
            let text = "the name of a property has letters, digits and !#$%&'*+-.^_`~|";
            return Err(invalid(text));
        }
        check_text("the value of a property", value, COMMAND_BYTES_MAX)
    })
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

#[cfg(test)]
#[path = "sending_tests.rs"]
mod tests;
