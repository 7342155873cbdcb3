//! A PUBLISH of the MQTT 5 plane, as packets decode: each is the operation that its topic, level
//! and properties make it by a plain reading of A10 to A12, or the mistake of A11 with its verdict.
//! Refuses to know what an operation does.

use hub::plane::{Answer, Mistake, Operation, Status, Verdict};
use hub::telemetry::is_id_character;
use hub::twin::IfVersion;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::encoder::PublishOut;
use mqtt::wire::{Packet, Property, Publish, Version, decode, frame};

use crate::choices::Choices;

/// A topic, flags, properties and a payload; or a packet as it comes.
pub fn check(data: &[u8]) {
    let mut choices = Choices::new(data);
    let bytes = match choices.one_in(4) {
        true => choices.rest().to_vec(),
        false => packet(&mut choices),
    };
    let Ok(Some(found)) = frame(&bytes, 1 << 20) else { return };
    if let Ok(Packet::Publish(publish)) = decode(found, Version::V5) {
        judge(&publish);
    }
}

fn packet(choices: &mut Choices<'_>) -> Vec<u8> {
    let topic = choices.pick(TOPICS);
    let qos = choices.pick(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]);
    let retain = choices.one_in(8);
    let (mut properties, mut correlations) = (Vec::new(), 0);
    for _ in 0..choices.below(6) {
        let len = choices.below(20);
        let piece = choices.take(len);
        let text = std::str::from_utf8(piece).unwrap_or("é").replace('\0', "");
        let value = if choices.one_in(2) { choices.pick(VALUES) } else { &text };
        let property = match choices.below(5) {
            0 if correlations == 0 => {
                correlations += 1;
                Property::CorrelationData(piece)
            }
            1 => Property::User(&text, value),
            2 => Property::User("@mine", value),
            _ => Property::User(choices.pick(NAMES), value),
        };
        property.encode(&mut properties).expect("short texts");
    }
    let out = PublishOut {
        version: Version::V5,
        dup: false,
        qos,
        retain,
        topic,
        packet_id: if qos == QoS::AtMostOnce { 0 } else { 7 },
        alias: 0,
        send_topic: true,
        subscription_ids: &[],
        properties: &properties,
        expiry: None,
        payload: choices.rest(),
    };
    let mut bytes = Vec::new();
    out.encode(&mut bytes);
    bytes
}

fn judge(publish: &Publish<'_>) {
    let said = Operation::read(publish.topic, publish);
    let due = due(publish);
    match (&said, due) {
        (Err(violation), Due::Mistake(mistake)) => {
            assert_eq!(violation.mistake, mistake, "{publish:?}");
            assert_eq!(violation.verdict(publish.qos), verdict(mistake, publish.qos));
            let respond = matches!(verdict(mistake, publish.qos), Verdict::Respond(_));
            // Who is to be answered is known.
            assert!(!respond || violation.correlation.is_some(), "{publish:?}");
        }
        (Ok(Operation::Telemetry(message)), Due::Telemetry) => {
            assert_eq!(message.body, publish.payload);
            let mut own: Vec<(&str, &str)> = Vec::new();
            for (name, value) in publish.properties.user() {
                let Some(name) = name.strip_prefix('@') else { continue };
                match own.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, old)) => *old = value,
                    None => own.push((name, value)),
                }
            }
            assert!(message.application.iter().eq(own), "{publish:?}");
            assert_eq!(message.system.message_id.as_deref(), user(publish, "message-id"));
            assert_eq!(message.system.content_type.as_deref(), publish.properties.content_type());
        }
        (Ok(Operation::GetTwin(correlation)), Due::GetTwin) => {
            assert_eq!(Some(correlation.as_bytes()), publish.properties.correlation_data());
        }
        (Ok(Operation::PatchReported { correlation, if_version, patch }), Due::Patch(on)) => {
            assert_eq!(Some(correlation.as_bytes()), publish.properties.correlation_data());
            assert_eq!((*if_version, *patch), (on, publish.payload));
        }
        (Ok(Operation::Response(response)), Due::Response(code)) => match (response.answer, code) {
            (Answer::Done { code: said, payload }, Some(code)) => {
                assert_eq!((said, payload), (code, publish.payload));
            }
            (Answer::Unavailable(_), None) => {}
            (answer, code) => panic!("{answer:?} and {code:?}"),
        },
        (said, due) => panic!("{said:?} and {due:?}"),
    }
}

/// What a plain reading finds.
#[derive(Debug)]
enum Due {
    Mistake(Mistake),
    Telemetry,
    GetTwin,
    Patch(IfVersion),
    /// A `response-code`, or a status of failure.
    Response(Option<u32>),
}

fn due(publish: &Publish<'_>) -> Due {
    let Some(rest) = publish.topic.strip_prefix("$iothub/") else {
        return Due::Mistake(Mistake::OutsideTopic);
    };
    let method = rest.strip_prefix("methods/").is_some_and(|n| !n.is_empty() && !n.contains('/'));
    let known = method
        || ["telemetry", "twin/get", "twin/patch/reported", "responses", "commands"]
            .contains(&rest)
        || rest == "twin/patch/desired";
    let correlation = publish.properties.correlation_data();
    let mistake = match publish.qos {
        _ if !known => Some(Mistake::UndefinedTopic),
        QoS::ExactlyOnce => Some(Mistake::ExactlyOnce),
        _ if publish.retain => Some(Mistake::Retained),
        _ if correlation.is_some_and(|data| data.len() > 16) => Some(Mistake::LongCorrelation),
        _ if method || matches!(rest, "commands" | "twin/patch/desired") => {
            Some(Mistake::ToClientTopic)
        }
        _ if rest == "telemetry" => None,
        QoS::AtLeastOnce => Some(Mistake::Acknowledged),
        _ if correlation.is_none_or(<[u8]>::is_empty) => Some(Mistake::NoCorrelation),
        _ => None,
    };
    if let Some(mistake) = mistake {
        return Due::Mistake(mistake);
    }
    match rest {
        "telemetry" if is_telemetry(publish) => Due::Telemetry,
        "telemetry" => Due::Mistake(Mistake::BadTelemetry),
        "twin/get" if only(publish, &[]) => Due::GetTwin,
        "twin/patch/reported" if only(publish, &["if-version"]) => {
            match user(publish, "if-version").map(number) {
                None => Due::Patch(IfVersion::Any),
                Some(Some(version)) => Due::Patch(IfVersion::Is(version)),
                Some(None) => Due::Mistake(Mistake::BadContent),
            }
        }
        "responses" => response(publish).map_or(Due::Mistake(Mistake::NoAnswer), Due::Response),
        _ => Due::Mistake(Mistake::BadContent),
    }
}

fn response(publish: &Publish<'_>) -> Option<Option<u32>> {
    if !only(publish, &["response-code", "status"]) {
        return None;
    }
    let is_status = |text: &str| Status::parse(text).is_some();
    let status = user(publish, "status");
    if status.is_some_and(|text| !is_status(text)) {
        return None;
    }
    let code = match user(publish, "response-code") {
        None => None,
        Some(text) => Some(number(text).and_then(|code| u32::try_from(code).ok())?),
    };
    match (status, code) {
        // The lowest bits of the first byte: 00 is success (A13).
        (Some(text), _) if kind(text) != 0 => Some(None),
        (_, Some(code)) => Some(Some(code)),
        (_, None) => None,
    }
}

fn kind(status: &str) -> u8 {
    let first = status.get(..2).and_then(|text| u8::from_str_radix(text, 16).ok());
    first.map_or(0, |first| first & 3)
}

fn is_telemetry(publish: &Publish<'_>) -> bool {
    let names = ["content-encoding", "message-id", "user-id", "correlation-id", "creation-time"];
    let mine = |name: &str| name.starts_with('@');
    let all = || publish.properties.user();
    let known = all().all(|(name, _)| mine(name) || names.contains(&name));
    let once = names.iter().all(|n| all().filter(|(name, _)| name == n).count() <= 1);
    let id = |name: &str| {
        let good = |text: &str| text.len() <= 128 && text.chars().all(is_id_character);
        user(publish, name).is_none_or(good)
    };
    let ids = ["message-id", "user-id", "correlation-id"].into_iter().all(id);
    // The forms of a time are a table of crate `hub`; here it is one of those that are offered.
    let time = user(publish, "creation-time").is_none_or(|text| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let small = text.len() <= 19 && text.parse::<u64>().is_ok();
        if digits { small } else { is_moment(text) }
    });
    known && once && ids && time && publish.payload.len() < 200_000
}

/// ISO 8601 in UTC (A12), by what must not be there and what the hub itself says of the rest.
fn is_moment(text: &str) -> bool {
    let of_day = text.split_once(['T', 't']).map(|(_, of_day)| of_day);
    of_day.is_some_and(|of_day| !of_day.contains(['+', '-'])) && hub::Moment::parse(text).is_some()
}

/// Each at most once, and else only what is the sender's own.
fn only(publish: &Publish<'_>, names: &[&str]) -> bool {
    let all = || publish.properties.user();
    let known = all().all(|(name, _)| name.starts_with('@') || names.contains(&name));
    known && names.iter().all(|n| all().filter(|(name, _)| name == n).count() <= 1)
}

fn user<'p>(publish: &Publish<'p>, name: &str) -> Option<&'p str> {
    publish.properties.user().find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// Decimal, without sign and blanks.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// The cells of A11, and A9 for what no topic may have.
fn verdict(mistake: Mistake, qos: QoS) -> Verdict {
    let (bad, not_allowed, not_found) =
        (Some(Status::BAD_REQUEST), Some(Status::NOT_ALLOWED), Some(Status::NOT_FOUND));
    let reason = Reason::IMPLEMENTATION_SPECIFIC_ERROR;
    let disconnect = |reason, status| Verdict::Disconnect { reason, status };
    let ack = |reason, status| Verdict::Ack { reason, status };
    let (at_0, at_1) = match mistake {
        _ if qos == QoS::ExactlyOnce => return disconnect(Reason::QOS_NOT_SUPPORTED, None),
        Mistake::Retained => return disconnect(Reason::RETAIN_NOT_SUPPORTED, None),
        Mistake::LongCorrelation => return disconnect(reason, bad),
        Mistake::UndefinedTopic => {
            (disconnect(Reason::TOPIC_NAME_INVALID, None), ack(reason, not_found))
        }
        Mistake::OutsideTopic => {
            (disconnect(Reason::TOPIC_NAME_INVALID, None), ack(Reason::TOPIC_NAME_INVALID, None))
        }
        Mistake::ToClientTopic => (disconnect(reason, not_allowed), ack(reason, not_allowed)),
        Mistake::BadContent => (Verdict::Respond(Status::BAD_REQUEST), ack(reason, bad)),
        Mistake::NoAnswer => (Verdict::FailTarget, ack(reason, bad)),
        _ => (disconnect(reason, bad), ack(reason, bad)),
    };
    if qos == QoS::AtMostOnce { at_0 } else { at_1 }
}

const TOPICS: &[&str] = &[
    "$iothub/telemetry",
    "$iothub/twin/get",
    "$iothub/twin/patch/reported",
    "$iothub/responses",
    "$iothub/commands",
    "$iothub/methods/m",
    "$iothub/twin/patch/desired",
    "$iothub/telemetry/",
    "$iothub/",
    "$iothub/Telemetry",
    "$iothub/methods/",
    "$iothub/methods/a/b",
    "a/b",
    "$iothub",
];
const NAMES: &[&str] = &[
    "message-id",
    "user-id",
    "correlation-id",
    "content-encoding",
    "creation-time",
    "if-version",
    "response-code",
    "status",
    "reason",
    "@",
    "Message-Id",
];
const VALUES: &[&str] = &[
    "0",
    "7",
    "18446744073709551615",
    "18446744073709551616",
    "4294967295",
    "4294967296",
    "-1",
    "+1",
    "0001",
    "0100",
    "06A0",
    "06a0",
    "FFFF",
    "2021-04-21T11:30:16Z",
    "1600987195320",
    "2021-04-21T11:30:16-07:00",
    "",
];
