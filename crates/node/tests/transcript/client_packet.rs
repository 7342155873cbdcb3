//! Packets that a client sends, from a line of script to bytes. Owns the script's names for fields
//! and refuses to check them: a transcript may send what a client must not.

use super::fields::Fields;
use super::words::from_hex;
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::subscribe::Filters;
use mqtt::wire::unsubscribe::FilterList;
use mqtt::wire::{
    Ack, AckKind, AuthOut, Connect, Diagnostics, DisconnectOut, PINGREQ, Properties, Property,
    ProtocolName, PublishOut, RetainHandling, Subscribe, SubscribeOptions, Unsubscribe, Version,
    Will,
};

/// The bytes of the packet in `text`; a CONNECT sets the version of its connection.
pub fn encode(text: &str, version: &mut Version) -> Vec<u8> {
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut out = Vec::new();
    if name == "raw" {
        let bytes = from_hex(rest);
        if let [0x10, _, body @ ..] = bytes.as_slice() {
            let old = Connect::peek_version(body).is_some_and(|level| level < 5);
            *version = if old { Version::V311 } else { Version::V5 };
        }
        return bytes;
    }
    let mut f = Fields::of(rest);
    match name {
        "CONNECT" => *version = connect(&mut f, &mut out),
        "PUBLISH" => publish(&mut f, *version, &mut out),
        "PUBACK" => ack(&mut f, AckKind::PubAck, *version, &mut out),
        "PUBREC" => ack(&mut f, AckKind::PubRec, *version, &mut out),
        "PUBREL" => ack(&mut f, AckKind::PubRel, *version, &mut out),
        "PUBCOMP" => ack(&mut f, AckKind::PubComp, *version, &mut out),
        "SUBSCRIBE" => subscribe(&mut f, *version, &mut out),
        "UNSUBSCRIBE" => unsubscribe(&mut f, *version, &mut out),
        "PINGREQ" => out.extend_from_slice(&PINGREQ),
        "DISCONNECT" => disconnect(&mut f, *version, &mut out),
        "AUTH" => auth(&mut f, &mut out),
        _ => panic!("no such packet: {text}"),
    }
    f.end();
    out
}

/// `v5`, `v3` or `v31`, then `id clean keep-alive expiry recv-max packet-max alias-max problem-info
/// response-info method data user-name password will-*`.
fn connect(f: &mut Fields, out: &mut Vec<u8>) -> Version {
    let (version, name) = match f.bare().as_deref() {
        Some("v5") => (Version::V5, ProtocolName::Mqtt),
        Some("v3") => (Version::V311, ProtocolName::Mqtt),
        Some("v31") => (Version::V311, ProtocolName::MqIsdp),
        other => panic!("v31, v3 or v5, not {other:?}"),
    };
    let id = f.text("id").unwrap_or_default();
    let (method, user_name) = (f.text("method"), f.text("user-name"));
    let (data, password) = (f.bytes("data"), f.bytes("password"));
    let (topic, payload) = (f.text("will-topic"), f.bytes("will-payload").unwrap_or_default());
    let mut c = Connect::new(version, &id);
    c.name = name;
    c.clean_start = f.flag("clean").unwrap_or(true);
    c.keep_alive = f.number("keep-alive").unwrap_or(0);
    c.session_expiry = f.number("expiry");
    c.receive_max = f.number("recv-max");
    c.packet_max = f.number("packet-max");
    c.topic_alias_max = f.number("alias-max");
    c.request_problem_information = f.flag("problem-info").unwrap_or(true);
    c.request_response_information = f.flag("response-info").unwrap_or(false);
    c.authentication_method = method.as_deref();
    c.authentication_data = data.as_deref();
    c.user_name = user_name.as_deref();
    c.password = password.as_deref();
    let (qos, retain) = (qos(f, "will-qos"), f.flag("will-retain").unwrap_or(false));
    let (delay_s, expiry) = (f.number("will-delay").unwrap_or(0), f.number("will-expiry"));
    let own: Vec<_> = f.pairs().into_iter().map(|(key, value)| (strip_will(&key), value)).collect();
    let properties = properties(&own);
    let properties = Properties::trusted(&properties);
    c.will = topic.as_deref().map(|topic| Will {
        qos,
        retain,
        topic,
        payload: &payload,
        delay_s,
        expiry,
        properties,
    });
    c.encode(out).expect("a script's CONNECT fits");
    version
}

/// `q dup retain id topic alias payload` and any properties in their order.
fn publish(f: &mut Fields, version: Version, out: &mut Vec<u8>) {
    let (topic, payload) = (f.text("topic").unwrap_or_default(), f.bytes("payload"));
    let (qos, dup) = (qos(f, "q"), f.flag("dup").unwrap_or(false));
    let retain = f.flag("retain").unwrap_or(false);
    let (packet_id, alias) = (f.number("id").unwrap_or(0), f.number("alias").unwrap_or(0));
    let properties = properties(&f.pairs());
    let packet = PublishOut {
        version,
        dup,
        qos,
        retain,
        topic: &topic,
        packet_id,
        alias,
        send_topic: !topic.is_empty(),
        subscription_ids: &[],
        properties: &properties,
        expiry: None,
        payload: payload.as_deref().unwrap_or_default(),
    };
    packet.encode(out);
}

fn ack(f: &mut Fields, kind: AckKind, version: Version, out: &mut Vec<u8>) {
    let packet_id = packet_id(f);
    let reason = reason(f);
    let properties = properties(&f.pairs());
    let properties = Properties::trusted(&properties);
    let a = Ack { packet_id, reason, properties };
    a.encode(kind, version, usize::MAX, out).expect("a script's acknowledgement fits");
}

/// `id sub-id`, then filters: `f=a/# q=1 nl=1 rap=1 rh=2 f=...`.
fn subscribe(f: &mut Fields, version: Version, out: &mut Vec<u8>) {
    let (packet_id, subscription_id) = (packet_id(f), f.number("sub-id"));
    let mut filters: Vec<(String, SubscribeOptions)> = Vec::new();
    let mut own = Vec::new();
    for (key, value) in f.pairs() {
        let text = String::from_utf8(value.clone()).unwrap_or_default();
        let on = text == "1";
        match (key.as_str(), filters.last_mut()) {
            ("f", _) => filters.push((text, SubscribeOptions::default())),
            ("q", Some((_, o))) => o.qos = qos_of(&text),
            ("nl", Some((_, o))) => o.no_local = on,
            ("rap", Some((_, o))) => o.retain_as_published = on,
            ("rh", Some((_, o))) => o.retain_handling = retain_handling(&text),
            _ => own.push((key, value)),
        }
    }
    let mut raw = Vec::new();
    for (filter, options) in &filters {
        Filters::push(&mut raw, filter, *options, version).expect("a script's filter fits");
    }
    let properties = properties(&own);
    let properties = Properties::trusted(&properties);
    let filters = Filters::parse(&raw, version).expect("filters that a SUBSCRIBE may carry");
    let s = Subscribe { packet_id, subscription_id, properties, filters };
    s.encode(version, out).expect("a script's SUBSCRIBE fits");
}

/// `id`, then `f=...` for each filter.
fn unsubscribe(f: &mut Fields, version: Version, out: &mut Vec<u8>) {
    let packet_id = packet_id(f);
    let mut raw = Vec::new();
    while let Some(filter) = f.text("f") {
        FilterList::push(&mut raw, &filter).expect("a script's filter fits");
    }
    let filters = FilterList::parse(&raw, version).expect("filters that UNSUBSCRIBE may carry");
    let u = Unsubscribe { packet_id, properties: Properties::EMPTY, filters };
    u.encode(version, out).expect("a script's UNSUBSCRIBE fits");
}

fn disconnect(f: &mut Fields, version: Version, out: &mut Vec<u8>) {
    let mut d = DisconnectOut::new(reason(f));
    d.session_expiry = f.number("expiry");
    d.encode(version, usize::MAX, out).expect("a script's DISCONNECT fits");
}

fn auth(f: &mut Fields, out: &mut Vec<u8>) {
    let (method, data) = (f.text("method").unwrap_or_default(), f.bytes("data"));
    let diagnostics = Diagnostics::NONE;
    let a = AuthOut { reason: reason(f), method: &method, data: data.as_deref(), diagnostics };
    a.encode(usize::MAX, out).expect("a script's AUTH fits");
}

/// A property block without its length, in the order of the script.
fn properties(pairs: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut raw = Vec::new();
    for (key, value) in pairs {
        let text = std::str::from_utf8(value).unwrap_or_default();
        let number = || text.parse().unwrap_or_else(|_| panic!("{key}={text}"));
        let property = match key.as_str() {
            "format" => Property::PayloadFormat(u8::try_from(number()).expect("a byte")),
            "expiry" => Property::MessageExpiry(number()),
            "content-type" => Property::ContentType(text),
            "response-topic" => Property::ResponseTopic(text),
            "correlation" => Property::CorrelationData(value),
            "sub-id" => Property::SubscriptionId(number()),
            "reason" => Property::ReasonString(text),
            "user" => {
                let (name, value) = text.split_once(':').expect("user=name:value");
                Property::User(name, value)
            }
            _ => panic!("no such field: {key}={text}"),
        };
        property.encode(&mut raw).expect("a script's property fits");
    }
    raw
}

fn strip_will(key: &str) -> String {
    key.strip_prefix("will-").unwrap_or_else(|| panic!("no such field: {key}")).to_owned()
}

fn packet_id(f: &mut Fields) -> PacketId {
    PacketId::new(f.number("id").unwrap_or(0)).expect("id=1 to id=65535")
}

fn reason(f: &mut Fields) -> Reason {
    let code = f.reason();
    Reason::from_code(code).unwrap_or_else(|| panic!("no such reason code: {code:#x}"))
}

fn qos(f: &mut Fields, key: &str) -> QoS {
    f.text(key).map_or(QoS::AtMostOnce, |text| qos_of(&text))
}

fn qos_of(text: &str) -> QoS {
    let bits = text.parse().unwrap_or_else(|_| panic!("QoS {text}"));
    QoS::from_bits(bits).unwrap_or_else(|| panic!("QoS {text}"))
}

fn retain_handling(text: &str) -> RetainHandling {
    match text {
        "0" => RetainHandling::Send,
        "1" => RetainHandling::SendIfNew,
        "2" => RetainHandling::Never,
        _ => panic!("rh={text}"),
    }
}
