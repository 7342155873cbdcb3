//! HTTP Publish: whatever stands in query, headers and body, the answer is a documented status or
//! a publish that MQTT can carry with the values that were asked for. Refuses to know HTTP's
//! framing, which is hyper's.

use broker::limits::Limits;
use gridhub::http_publish::{HeaderMap, HeaderName, HeaderValue, batch, message};
use mqtt::limits::PACKET_BYTES_MAX;
use mqtt::topic::TopicName;
use mqtt::wire::{Packet, Place, Properties, Property, PublishOut, Version, decode, frame};
use node::door::PublishRequest;

use crate::http_oracle as oracle;

/// A line with profile and path (`e` event-grid, `b` batch), one with the query, then headers, an
/// empty line and the body.
pub fn check(data: &[u8]) {
    let (how, rest) = line(data);
    let (query, mut rest) = line(rest);
    let limits = if how.contains(&b'e') { Limits::event_grid() } else { Limits::open() };
    let query = std::str::from_utf8(query).ok();
    let mut headers = HeaderMap::new();
    loop {
        let (header, after) = line(rest);
        rest = after;
        if header.is_empty() {
            break;
        }
        let Some(colon) = header.iter().position(|b| *b == b':') else { continue };
        let name = HeaderName::from_bytes(&header[..colon]);
        let value = HeaderValue::from_bytes(header[colon + 1..].trim_ascii());
        // What hyper refuses never comes this far.
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    if how.contains(&b'b') {
        whole_batch(&headers, rest, &limits);
    } else {
        one_message(query, &headers, rest, &limits);
    }
}

fn line(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|b| *b == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[]),
    }
}

fn one_message(query: Option<&str>, headers: &HeaderMap, body: &[u8], limits: &Limits) {
    let request = match message(query, headers, body, limits) {
        Ok(request) => request,
        Err(status) => return assert!([400, 403, 413].contains(&status), "{status}"),
    };
    carried(&request, limits);
    let query = query.unwrap_or("");
    assert_eq!(oracle::parameter(query, "topic").as_deref(), Some(request.topic.as_bytes()));
    let header = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    let bit = |key: &str, name: &str| oracle::parameter(query, key).or(header(name).map(Vec::from));
    let qos = bit("qos", "mqtt-qos").map_or(1, |text| text[0] - b'0');
    assert_eq!(request.qos.bits(), qos);
    let retain = bit("retain", "mqtt-retain").is_some_and(|text| text == b"1");
    assert_eq!(request.retain, retain);
    assert_eq!(request.payload, body);
    let p = Properties::parse(&request.properties, Place::Publish).expect("checked by carried");
    let number = |name: &str| header(name).map(|text| oracle::number(text).expect("digits"));
    assert_eq!(p.expiry(), number("mqtt-message-expiry"));
    assert_eq!(p.payload_format().map(u32::from), number("mqtt-payload-format-indicator"));
    let content_type = header("content-type").filter(|text| !text.is_empty());
    assert_eq!(p.content_type().map(str::as_bytes), content_type);
    let response = header("mqtt-response-topic").map(|text| oracle::percent(text).expect("valid"));
    assert_eq!(p.response_topic().map(str::as_bytes), response.as_deref());
    let correlation = header("mqtt-correlation-data");
    let correlation = correlation.map(|text| oracle::base64(text).expect("base64"));
    assert_eq!(p.correlation_data(), correlation.as_deref());
    user_properties(header("mqtt-user-properties"), p);
}

fn user_properties(header: Option<&[u8]>, p: Properties<'_>) {
    let Some(text) = header else { return assert_eq!(p.user().count(), 0) };
    let text = text.trim_ascii();
    let json = match text.first() {
        Some(b'[') => text.to_vec(),
        _ => oracle::base64(text).expect("base64"),
    };
    let Some(pairs) = oracle::pairs(&json) else { return };
    assert!(p.user().eq(pairs.iter().map(|(k, v)| (&**k, &**v))), "{pairs:?}");
}

fn whole_batch(headers: &HeaderMap, body: &[u8], limits: &Limits) {
    match batch(headers, body, limits) {
        Err(status) => assert!([400, 413, 415].contains(&status), "{status}"),
        Ok(items) => {
            assert!(items.len() <= 10_000);
            for item in items {
                match item {
                    Ok(request) => carried(&request, limits),
                    Err(status) => assert!([400, 403, 413].contains(&status), "{status}"),
                }
            }
        }
    }
}

/// A PUBLISH with these values is one, and says the same.
fn carried(request: &PublishRequest, limits: &Limits) {
    assert!(TopicName::parse(&request.topic).is_ok());
    let body_max = if request.retain {
        limits.http_retained_body_bytes_max
    } else {
        limits.http_body_bytes_max
    };
    assert!(request.payload.len() <= body_max);
    let block = Properties::parse(&request.properties, Place::Publish).expect("a valid block");
    let user: usize = block.user().map(|(k, v)| k.len() + v.len()).sum();
    assert!(user <= limits.user_properties_bytes_max);
    for property in block.iter() {
        let bytes = match property {
            Property::TopicAlias(_) | Property::SubscriptionId(_) => panic!("{property:?}"),
            Property::ContentType(text) | Property::ResponseTopic(text) => text.len(),
            Property::CorrelationData(data) => data.len(),
            _ => 0,
        };
        assert!(bytes <= limits.publish_property_bytes_max);
    }
    let out = PublishOut {
        version: Version::V5,
        dup: false,
        qos: request.qos,
        retain: request.retain,
        topic: &request.topic,
        packet_id: 1,
        alias: 0,
        send_topic: true,
        subscription_ids: &[],
        properties: &request.properties,
        expiry: None,
        payload: &request.payload,
    };
    let mut bytes = Vec::new();
    out.encode(&mut bytes);
    let f = frame(&bytes, PACKET_BYTES_MAX).expect("ours").expect("whole");
    let Ok(Packet::Publish(p)) = decode(f, Version::V5) else { panic!("{bytes:02X?}") };
    assert_eq!((p.topic, p.payload), (&*request.topic, &*request.payload));
    assert_eq!((p.qos, p.retain), (request.qos, request.retain));
    assert_eq!(p.properties, block);
}
