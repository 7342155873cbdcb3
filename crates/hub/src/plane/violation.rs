//! What a mistake in a PUBLISH leads to (iot-hub A11): one table. Refuses to know how the mistake
//! was found and how an answer is sent.

use std::borrow::Cow;

use mqtt::qos::QoS;
use mqtt::reason::Reason;

use super::correlation::Correlation;
use super::status::Status;
use super::told::Told;

/// A mistake in one PUBLISH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which row of A11.
    pub mistake: Mistake,
    /// Which request a response would be to.
    pub correlation: Option<Correlation>,
    /// One sentence for the client.
    pub why: Cow<'static, str>,
}

/// The rows of A11 that a client is to blame for before anything is tried. What fails later is a
/// [`failure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// A topic under `$iothub/` that is not defined.
    UndefinedTopic,
    /// A topic elsewhere, where nothing else exists (profile `iot-hub`).
    OutsideTopic,
    /// A topic that only the hub publishes to.
    ToClientTopic,
    /// QoS 2 (A9).
    ExactlyOnce,
    /// RETAIN 1 (A9).
    Retained,
    /// Correlation Data of more than 16 bytes.
    LongCorrelation,
    /// Telemetry with an unknown property, a bad value, or too large.
    BadTelemetry,
    /// A request or response, which is QoS 0, with QoS 1.
    Acknowledged,
    /// A request or response without Correlation Data.
    NoCorrelation,
    /// A request with bad content.
    BadContent,
    /// A response to what the hub did not ask, or not any more.
    UnknownCorrelation,
    /// A response that says neither `response-code` nor `status`, or something else in their
    /// place.
    NoAnswer,
    /// A topic alias that stands for nothing.
    UnknownAlias,
}

/// How an operation is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interaction {
    /// By PUBACK: telemetry.
    MessageAck,
    /// By a PUBLISH: twins.
    RequestResponse,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// DISCONNECT, and the connection is closed.
    Disconnect {
        /// Reason code.
        reason: Reason,
        /// User property `status`.
        status: Option<Status>,
    },
    /// PUBACK.
    Ack {
        /// Reason code.
        reason: Reason,
        /// User property `status`.
        status: Option<Status>,
    },
    /// A PUBLISH to `$iothub/responses` without payload.
    Respond(Status),
    /// Who waits for this response gets `TARGET_FAILED`; the client hears nothing.
    FailTarget,
    /// Nothing but a counter.
    Drop,
}

impl Mistake {
    /// The cell of A11.
    pub fn verdict(self, qos: QoS) -> Verdict {
        let disconnect = |reason, status| Verdict::Disconnect { reason, status };
        match (self, qos) {
            (Self::UnknownAlias, _) => disconnect(Reason::PROTOCOL_ERROR, None),
            (Self::ExactlyOnce, _) | (_, QoS::ExactlyOnce) => {
                disconnect(Reason::QOS_NOT_SUPPORTED, None)
            }
            (Self::Retained, _) => disconnect(Reason::RETAIN_NOT_SUPPORTED, None),
            (Self::LongCorrelation, _) => {
                disconnect(Status::BAD_REQUEST.ack_reason(), Some(Status::BAD_REQUEST))
            }
            (Self::UndefinedTopic | Self::OutsideTopic, QoS::AtMostOnce) => {
                disconnect(Reason::TOPIC_NAME_INVALID, None)
            }
            (Self::OutsideTopic, QoS::AtLeastOnce) => {
                Verdict::Ack { reason: Reason::TOPIC_NAME_INVALID, status: None }
            }
            (Self::UndefinedTopic, qos) => failure(Interaction::MessageAck, Status::NOT_FOUND, qos),
            (Self::ToClientTopic, qos) => {
                failure(Interaction::MessageAck, Status::NOT_ALLOWED, qos)
            }
            (Self::BadContent, QoS::AtMostOnce) => Verdict::Respond(Status::BAD_REQUEST),
            (Self::UnknownCorrelation, QoS::AtMostOnce) => Verdict::Drop,
            (Self::NoAnswer, QoS::AtMostOnce) => Verdict::FailTarget,
            // Acknowledged with QoS 0 cannot be; were it, this is the safe answer.
            (
                Self::BadTelemetry
                | Self::NoCorrelation
                | Self::Acknowledged
                | Self::BadContent
                | Self::UnknownCorrelation
                | Self::NoAnswer,
                qos,
            ) => failure(Interaction::MessageAck, Status::BAD_REQUEST, qos),
        }
    }
}

/// What an operation leads to that was understood and did not succeed: not authorised, throttled,
/// over a quota, a version that differs, an error of the server (A11, A13).
pub fn failure(interaction: Interaction, status: Status, qos: QoS) -> Verdict {
    let (reason, status) = (status.ack_reason(), Some(status));
    match (interaction, qos, status) {
        (_, QoS::AtLeastOnce | QoS::ExactlyOnce, status) => Verdict::Ack { reason, status },
        (Interaction::RequestResponse, QoS::AtMostOnce, Some(status)) => Verdict::Respond(status),
        (_, QoS::AtMostOnce, status) => Verdict::Disconnect { reason, status },
    }
}

impl Verdict {
    /// The user properties that go with it.
    pub fn told<'a>(self, trace_id: &'a str, why: &'a str) -> Told<'a> {
        match self {
            Self::Disconnect { status: Some(status), .. }
            | Self::Ack { status: Some(status), .. }
            | Self::Respond(status) => Told::of(status, trace_id, why),
            Self::Disconnect { status: None, .. } | Self::Ack { status: None, .. } => {
                Told::why(why)
            }
            Self::FailTarget | Self::Drop => Told::NOTHING,
        }
    }
}

impl Violation {
    pub(super) fn new(mistake: Mistake, why: impl Into<Cow<'static, str>>) -> Self {
        Self { mistake, correlation: None, why: why.into() }
    }

    /// What it leads to.
    pub fn verdict(&self, qos: QoS) -> Verdict {
        self.mistake.verdict(qos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cell as the specification writes it.
    fn cell(verdict: Verdict) -> String {
        let properties: Vec<String> = verdict
            .told("t", "w")
            .user()
            .iter()
            .map(
                |(name, value)| {
                    if *name == "status" { value.to_string() } else { name.to_string() }
                },
            )
            .collect();
        let (head, code) = match verdict {
            Verdict::Disconnect { reason, .. } => ("DISCONNECT", reason.code().to_string()),
            Verdict::Ack { reason, .. } => ("PUBACK", reason.code().to_string()),
            Verdict::Respond(_) => ("response", String::new()),
            Verdict::FailTarget => ("target failed", String::new()),
            Verdict::Drop => ("dropped", String::new()),
        };
        format!("{head} {code} {}", properties.join(" ")).trim().replace("  ", " ")
    }

    #[test]
    fn every_row_of_the_matrix() {
        use Mistake as M;
        let bad = "DISCONNECT 131 0100 reason";
        let ack = "PUBACK 131 0100 reason";
        let rows = [
            (M::UndefinedTopic, "DISCONNECT 144 reason", "PUBACK 131 0504 reason"),
            (M::OutsideTopic, "DISCONNECT 144 reason", "PUBACK 144 reason"),
            (M::BadTelemetry, bad, ack),
            (M::Acknowledged, bad, ack),
            (M::NoCorrelation, bad, ack),
            (M::LongCorrelation, bad, bad),
            (M::BadContent, "response 0100 reason", ack),
            (M::UnknownCorrelation, "dropped", ack),
            (M::NoAnswer, "target failed", ack),
            (M::ToClientTopic, "DISCONNECT 131 0102 reason", "PUBACK 131 0102 reason"),
            (M::UnknownAlias, "DISCONNECT 130 reason", "DISCONNECT 130 reason"),
            (M::ExactlyOnce, "DISCONNECT 155 reason", "DISCONNECT 155 reason"),
            (M::Retained, "DISCONNECT 154 reason", "DISCONNECT 154 reason"),
        ];
        for (mistake, with_0, with_1) in rows {
            assert_eq!(cell(mistake.verdict(QoS::AtMostOnce)), with_0, "{mistake:?}");
            assert_eq!(cell(mistake.verdict(QoS::AtLeastOnce)), with_1, "{mistake:?}");
            let with_2 = if mistake == M::UnknownAlias { 130 } else { 155 };
            let with_2 = format!("DISCONNECT {with_2} reason");
            assert_eq!(cell(mistake.verdict(QoS::ExactlyOnce)), with_2, "{mistake:?}");
        }
    }

    #[test]
    fn failures_of_operations() {
        use Interaction::{MessageAck, RequestResponse};
        let rows = [
            (
                MessageAck,
                Status::NOT_AUTHORIZED,
                "DISCONNECT 135 0101 trace-id",
                "PUBACK 135 0101 trace-id",
            ),
            (MessageAck, Status::THROTTLED, "DISCONNECT 151 0501", "PUBACK 151 0501"),
            (MessageAck, Status::QUOTA_EXCEEDED, "DISCONNECT 151 0502", "PUBACK 151 0502"),
            (
                MessageAck,
                Status::SERVER_ERROR,
                "DISCONNECT 131 0601 trace-id",
                "PUBACK 131 0601 trace-id",
            ),
            (RequestResponse, Status::PRECONDITION_FAILED, "response 0104", "PUBACK 131 0104"),
            (
                RequestResponse,
                Status::NOT_ALLOWED,
                "response 0102 reason",
                "PUBACK 131 0102 reason",
            ),
            (
                RequestResponse,
                Status::SERVER_BUSY,
                "response 0603 trace-id",
                "PUBACK 131 0603 trace-id",
            ),
        ];
        for (interaction, status, with_0, with_1) in rows {
            assert_eq!(cell(failure(interaction, status, QoS::AtMostOnce)), with_0);
            assert_eq!(cell(failure(interaction, status, QoS::AtLeastOnce)), with_1);
        }
    }
}
