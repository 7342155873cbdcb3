//! Messages for tests. Refuses to know what is tried.

use super::Ack;
use crate::Moment;
use crate::telemetry::{ApplicationProperties, Message, SystemProperties};

/// With this id, ack and expiry in wall milliseconds.
pub(super) fn message(id: Option<&str>, ack: Ack, expires_ms: Option<u64>) -> Message<'_> {
    let system = SystemProperties {
        message_id: id.map(Into::into),
        ack: Some(ack.as_str().into()),
        expiry_time: expires_ms.map(Moment::at),
        ..SystemProperties::default()
    };
    Message { system, ..Message::default() }
}

pub(super) fn properties<'m>(all: &[(&'m str, &'m str)]) -> ApplicationProperties<'m> {
    ApplicationProperties::of(all.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect())
}
