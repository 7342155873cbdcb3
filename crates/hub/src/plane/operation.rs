//! A PUBLISH of a client as the operation that it asks for (iot-hub A10, A11, A14). Refuses to
//! know whether it may and what comes of it.

use mqtt::qos::QoS;
use mqtt::wire::{Properties, Publish};

use super::correlation::{Correlation, NoCorrelation};
use super::property::{self, A_U64};
use super::response::{Answer, Response};
use super::telemetry::telemetry;
use super::topic::Topic;
use super::typed;
use super::violation::{Mistake, Violation};
use crate::telemetry::Message;
use crate::twin::IfVersion;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "the large one is the frequent one")]
pub enum Operation<'p> {
    /// Send Telemetry (A14.1): PUBACK once the message is accepted.
    Telemetry(Message<'p>),
    /// Get Twin (A14.2).
    GetTwin(Correlation),
    /// Patch Twin Reported (A14.3).
    PatchReported {
        /// Of the request.
        correlation: Correlation,
        /// `if-version`.
        if_version: IfVersion,
        /// The payload: what has to be a JSON object.
        patch: &'p [u8],
    },
    /// The answer to a method request (A14.5).
    Response(Response<'p>),
}

impl<'p> Operation<'p> {
    /// Reads a PUBLISH. `topic` is its topic name, or the one that its alias stands for. Where
    /// topics outside `$iothub/` are the broker's, ask [`Topic::of`] first.
    ///
    /// # Errors
    /// The first mistake, whose [`verdict`](Violation::verdict) says what happens.
    pub fn read(topic: &str, publish: &Publish<'p>) -> Result<Self, Violation> {
        let topic = Topic::of(topic);
        let mistake = |mistake, why| Err(Violation::new(mistake, why));
        match topic {
            Topic::Outside => return mistake(Mistake::OutsideTopic, NO_TOPIC_HERE),
            Topic::Undefined => return mistake(Mistake::UndefinedTopic, NO_SUCH_TOPIC),
            _ if publish.qos == QoS::ExactlyOnce => return mistake(Mistake::ExactlyOnce, NO_QOS_2),
            _ if publish.retain => return mistake(Mistake::Retained, NO_RETAIN),
            _ => {}
        }
        let correlation = Correlation::of(publish.properties.correlation_data());
        if let Err(long @ NoCorrelation::TooLong(_)) = correlation {
            return Err(Violation::new(Mistake::LongCorrelation, long.to_string()));
        }
        let requests = Self::request;
        match topic {
            Topic::Telemetry => telemetry(publish.properties, publish.payload)
                .map(Self::Telemetry)
                .map_err(|error| Violation::new(Mistake::BadTelemetry, error.to_string())),
            Topic::TwinGet => requests(publish, correlation, get_twin),
            Topic::PatchReported => requests(publish, correlation, patch_reported),
            Topic::Responses => requests(publish, correlation, response),
            Topic::ToClient | Topic::Undefined | Topic::Outside => {
                mistake(Mistake::ToClientTopic, NOT_YOURS)
            }
        }
    }

    /// One half of a request and its response: QoS 0 with Correlation Data.
    fn request(
        publish: &Publish<'p>,
        correlation: Result<Correlation, NoCorrelation>,
        read: fn(Correlation, Properties<'p>, &'p [u8]) -> Result<Self, Violation>,
    ) -> Result<Self, Violation> {
        if publish.qos != QoS::AtMostOnce {
            return Err(Violation::new(Mistake::Acknowledged, NO_QOS_1));
        }
        let correlation = correlation
            .map_err(|error| Violation::new(Mistake::NoCorrelation, error.to_string()))?;
        read(correlation, publish.properties, publish.payload)
            .map_err(|violation| Violation { correlation: Some(correlation), ..violation })
    }
}

fn get_twin<'p>(
    correlation: Correlation,
    properties: Properties<'p>,
    _payload: &'p [u8],
) -> Result<Operation<'p>, Violation> {
    property::read(properties.user(), [], property::no_other)
        .map(|[]| Operation::GetTwin(correlation))
        .map_err(|error| Violation::new(Mistake::BadContent, error.to_string()))
}

fn patch_reported<'p>(
    correlation: Correlation,
    properties: Properties<'p>,
    patch: &'p [u8],
) -> Result<Operation<'p>, Violation> {
    property::read(properties.user(), [IF_VERSION], property::no_other)
        .and_then(|[version]| property::typed(IF_VERSION, version, A_U64, typed::u64))
        .map(|version| version.map_or(IfVersion::Any, IfVersion::Is))
        .map(|if_version| Operation::PatchReported { correlation, if_version, patch })
        .map_err(|error| Violation::new(Mistake::BadContent, error.to_string()))
}

fn response<'p>(
    correlation: Correlation,
    properties: Properties<'p>,
    payload: &'p [u8],
) -> Result<Operation<'p>, Violation> {
    Answer::read(properties, payload)
        .map(|answer| Operation::Response(Response { correlation, answer }))
        .map_err(|error| Violation::new(Mistake::NoAnswer, error.to_string()))
}

const IF_VERSION: &str = "if-version";
const NO_TOPIC_HERE: &str = "only topics under $iothub/ exist here";
const NO_SUCH_TOPIC: &str = "there is no such topic under $iothub/";
const NOT_YOURS: &str = "only the hub publishes to this topic";
const NO_QOS_2: &str = "QoS is 0 or 1 here";
const NO_QOS_1: &str = "requests and responses are published with QoS 0";
const NO_RETAIN: &str = "nothing is retained under $iothub/";

#[cfg(test)]
mod tests {
    use super::super::telemetry::tests::block;
    use super::super::violation::Verdict;
    use super::*;
    use crate::chance::Chance;
    use mqtt::packet_id::PacketId;
    use mqtt::wire::Property;

    fn publish<'p>(qos: u8, raw: &'p [u8], payload: &'p [u8]) -> Publish<'p> {
        Publish {
            dup: false,
            qos: QoS::from_bits(qos).unwrap(),
            retain: false,
            topic: "",
            packet_id: PacketId::new(1),
            alias: 0,
            expiry: None,
            has_subscription_id: false,
            properties: Properties::trusted(raw),
            payload,
            packet_id_at: 0,
        }
    }

    const C: Property<'_> = Property::CorrelationData(b"c");
    const LONG: Property<'_> = Property::CorrelationData(&[0; 17]);

    #[test]
    fn every_operation_of_a_client() {
        let c = Correlation::of(Some(b"c")).unwrap();
        let patch =
            |if_version| Operation::PatchReported { correlation: c, if_version, patch: b"x" };
        let done = Answer::Done { code: 200, payload: b"x" };
        let version = Property::User("if-version", "7");
        let rows = [
            ("twin/get", vec![C], Operation::GetTwin(c)),
            ("twin/get", vec![C, Property::User("@a", "b")], Operation::GetTwin(c)),
            ("twin/get", vec![C, Property::ContentType("x")], Operation::GetTwin(c)),
            ("twin/patch/reported", vec![C], patch(IfVersion::Any)),
            ("twin/patch/reported", vec![version, C], patch(IfVersion::Is(7))),
            (
                "responses",
                vec![C, Property::User("response-code", "200")],
                Operation::Response(Response { correlation: c, answer: done }),
            ),
            (
                "telemetry",
                vec![],
                Operation::Telemetry(Message { body: b"x", ..Message::default() }),
            ),
        ];
        for (topic, properties, expected) in rows {
            let raw = block(&properties);
            let read = Operation::read(&format!("$iothub/{topic}"), &publish(0, &raw, b"x"));
            assert_eq!(read, Ok(expected), "{topic}");
        }
        let acked = Operation::read("$iothub/telemetry", &publish(1, &[], b"x"));
        assert!(matches!(acked, Ok(Operation::Telemetry(_))));
    }

    #[test]
    fn every_mistake_of_a_client() {
        use Mistake as M;
        let foo = Property::User("foo", "");
        let empty = Property::CorrelationData(b"");
        let version = Property::User("if-version", "x");
        for (topic, qos, properties, mistake) in [
            ("a/b", 0, vec![LONG], M::OutsideTopic),
            ("$iothub/other", 0, vec![LONG], M::UndefinedTopic),
            ("$iothub/commands", 1, vec![], M::ToClientTopic),
            ("$iothub/commands", 1, vec![LONG], M::LongCorrelation),
            ("$iothub/telemetry", 0, vec![foo], M::BadTelemetry),
            ("$iothub/telemetry", 1, vec![LONG], M::LongCorrelation),
            ("$iothub/twin/get", 0, vec![], M::NoCorrelation),
            ("$iothub/twin/get", 0, vec![empty], M::NoCorrelation),
            ("$iothub/twin/get", 0, vec![LONG], M::LongCorrelation),
            ("$iothub/twin/get", 1, vec![C], M::Acknowledged),
            ("$iothub/twin/get", 0, vec![C, foo], M::BadContent),
            ("$iothub/twin/patch/reported", 0, vec![C, version], M::BadContent),
            ("$iothub/responses", 0, vec![], M::NoCorrelation),
            ("$iothub/responses", 1, vec![C], M::Acknowledged),
            ("$iothub/responses", 0, vec![C], M::NoAnswer),
        ] {
            let raw = block(&properties);
            let violation = Operation::read(topic, &publish(qos, &raw, b"")).unwrap_err();
            assert_eq!(violation.mistake, mistake, "{topic} {properties:?}");
            let correlated = matches!(mistake, M::BadContent | M::NoAnswer);
            assert_eq!(violation.correlation.is_some(), correlated);
            assert!(!violation.why.is_empty());
        }
        let retained = Publish { retain: true, ..publish(0, &[], b"") };
        let violation = Operation::read("$iothub/telemetry", &retained).unwrap_err();
        assert_eq!(violation.mistake, M::Retained);
        let qos_2 = publish(2, &[], b"");
        let violation = Operation::read("$iothub/telemetry", &qos_2).unwrap_err();
        assert_eq!(violation.mistake, M::ExactlyOnce);
        let reason = mqtt::reason::Reason::QOS_NOT_SUPPORTED;
        let disconnect = Verdict::Disconnect { reason, status: None };
        assert_eq!(violation.verdict(QoS::ExactlyOnce), disconnect);
    }

    #[test]
    fn any_bytes_are_read_or_refused() {
        let mut chance = Chance::new(11);
        let topics = ["telemetry", "twin/get", "twin/patch/reported", "responses", "x"];
        for _ in 0..2_000 {
            let raw: Vec<u8> = (0..chance.below(40)).map(|_| chance.below(64) as u8).collect();
            let topic = format!("$iothub/{}", chance.one_of(&topics));
            let publish = publish(chance.below(3) as u8, &raw, b"{}");
            if let Err(violation) = Operation::read(&topic, &publish) {
                let _ = violation.verdict(publish.qos).told("t", &violation.why);
            }
        }
    }
}
