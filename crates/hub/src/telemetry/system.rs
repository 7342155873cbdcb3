//! The properties of a message that the hub has given names (iot-hub A14.1, B4, D3): one struct
//! for what senders say, one table for what they and the hub's stamps are called outside. Refuses
//! to know how a protocol spells them.

use std::borrow::Cow;

use crate::Moment;

/// What the sender of a message said of it; absent = it said nothing. The MQTT 5 plane carries the
/// first six only, MQTT 3.1.1 and HTTP all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SystemProperties<'m> {
    /// The type of the body, such as `application/json`.
    pub content_type: Option<Cow<'m, str>>,
    /// Its encoding, such as `utf-8`.
    pub content_encoding: Option<Cow<'m, str>>,
    /// The sender's name for the message.
    pub message_id: Option<Cow<'m, str>>,
    /// Who caused it.
    pub user_id: Option<Cow<'m, str>>,
    /// What it belongs to. Not the Correlation Data of MQTT 5.
    pub correlation_id: Option<Cow<'m, str>>,
    /// When it was made, as the sender says.
    pub creation_time: Option<Moment>,
    /// From when on nobody wants it.
    pub expiry_time: Option<Moment>,
    /// Where it goes, as a path: `/devices/{id}/messages/deviceBound` for a command.
    pub to: Option<Cow<'m, str>>,
    /// The output of a module.
    pub output: Option<Cow<'m, str>>,
    /// What the body's form is called.
    pub schema: Option<Cow<'m, str>>,
    /// The interface of a digital twin.
    pub interface_id: Option<Cow<'m, str>>,
    /// `dt-subject`: the component of a digital twin.
    pub subject: Option<Cow<'m, str>>,
    /// `iothub-ack` of a command: `none`, `positive`, `negative` or `full`.
    pub ack: Option<Cow<'m, str>>,
    /// Which trace it is in.
    pub diagnostic_id: Option<Cow<'m, str>>,
    /// More of the trace.
    pub diagnostic_context: Option<Cow<'m, str>>,
}

/// What a system property is called: the sender's, and those that the hub stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum SystemName {
    ContentType,
    ContentEncoding,
    MessageId,
    UserId,
    CorrelationId,
    CreationTime,
    ExpiryTime,
    To,
    Output,
    Schema,
    InterfaceId,
    Subject,
    Ack,
    DiagnosticId,
    DiagnosticContext,
    DeviceId,
    ModuleId,
    GenerationId,
    AuthMethod,
    EnqueuedTime,
    Source,
    ModelId,
}

impl SystemName {
    /// In records of the built-in endpoint and of Event Hubs (B4): dashes.
    pub const fn dashed(self) -> &'static str {
        self.names().0
    }

    /// In conditions of routes, without the `$`, and in files of storage (B4, B5): camel case.
    pub const fn camel(self) -> &'static str {
        self.names().1
    }

    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::ContentType => ("content-type", "contentType"),
            Self::ContentEncoding => ("content-encoding", "contentEncoding"),
            Self::MessageId => ("message-id", "messageId"),
            Self::UserId => ("user-id", "userId"),
            Self::CorrelationId => ("correlation-id", "correlationId"),
            Self::CreationTime => ("iothub-creation-time-utc", "creationTimeUtc"),
            Self::ExpiryTime => ("absolute-expiry-time", "expiryTimeUtc"),
            Self::To => ("to", "to"),
            Self::Output => ("output-name", "outputName"),
            Self::Schema => ("iothub-message-schema", "messageSchema"),
            Self::InterfaceId => ("iothub-interface-id", "interfaceId"),
            Self::Subject => ("dt-subject", "dt-subject"),
            Self::Ack => ("iothub-ack", "ack"),
            Self::DiagnosticId => ("diagnostic-id", "diagnosticId"),
            Self::DiagnosticContext => ("diagnostic-context", "diagnosticContext"),
            Self::DeviceId => ("iothub-connection-device-id", "connectionDeviceId"),
            Self::ModuleId => ("iothub-connection-module-id", "connectionModuleId"),
            Self::GenerationId => {
                ("iothub-connection-auth-generation-id", "connectionDeviceGenerationId")
            }
            Self::AuthMethod => ("iothub-connection-auth-method", "connectionAuthMethod"),
            Self::EnqueuedTime => ("iothub-enqueuedtime", "enqueuedTime"),
            Self::Source => ("iothub-message-source", "messageSource"),
            Self::ModelId => ("dt-dataschema", "dt-dataschema"),
        }
    }
}

impl SystemProperties<'_> {
    /// Shows each that is there, moments as their text.
    pub fn each(&self, mut show: impl FnMut(SystemName, &str)) {
        for (name, value) in self.texts() {
            if let Some(value) = value {
                show(name, value);
            }
        }
        for (name, value) in self.moments() {
            if let Some(value) = value {
                show(name, value.text().as_str());
            }
        }
    }

    /// Bytes of all values, moments as their text.
    pub fn bytes(&self) -> usize {
        let mut bytes = 0;
        self.each(|_, value| bytes += value.len());
        bytes
    }

    /// Those to which the rule of ids applies.
    pub(super) fn ids(&self) -> [(SystemName, Option<&str>); 3] {
        [
            (SystemName::MessageId, self.message_id.as_deref()),
            (SystemName::CorrelationId, self.correlation_id.as_deref()),
            (SystemName::UserId, self.user_id.as_deref()),
        ]
    }

    fn texts(&self) -> [(SystemName, Option<&str>); 13] {
        [
            (SystemName::ContentType, self.content_type.as_deref()),
            (SystemName::ContentEncoding, self.content_encoding.as_deref()),
            (SystemName::MessageId, self.message_id.as_deref()),
            (SystemName::UserId, self.user_id.as_deref()),
            (SystemName::CorrelationId, self.correlation_id.as_deref()),
            (SystemName::To, self.to.as_deref()),
            (SystemName::Output, self.output.as_deref()),
            (SystemName::Schema, self.schema.as_deref()),
            (SystemName::InterfaceId, self.interface_id.as_deref()),
            (SystemName::Subject, self.subject.as_deref()),
            (SystemName::Ack, self.ack.as_deref()),
            (SystemName::DiagnosticId, self.diagnostic_id.as_deref()),
            (SystemName::DiagnosticContext, self.diagnostic_context.as_deref()),
        ]
    }

    fn moments(&self) -> [(SystemName, Option<Moment>); 2] {
        [(SystemName::CreationTime, self.creation_time), (SystemName::ExpiryTime, self.expiry_time)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_shown_under_both_names() {
        let system = SystemProperties {
            content_type: Some("text/plain".into()),
            subject: Some("thermostat1".into()),
            creation_time: Some(Moment::at(0)),
            ..SystemProperties::default()
        };
        let mut shown = Vec::new();
        system.each(|name, value| {
            shown.push(format!("{} {} {value}", name.dashed(), name.camel()));
        });
        let expected = [
            "content-type contentType text/plain",
            "dt-subject dt-subject thermostat1",
            "iothub-creation-time-utc creationTimeUtc 1970-01-01T00:00:00.0000000Z",
        ];
        assert_eq!(shown, expected);
        assert_eq!(system.bytes(), 10 + 11 + 28);
        assert_eq!(SystemProperties::default().bytes(), 0);
    }
}
