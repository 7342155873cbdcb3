//! Every row of event-grid 2.2 and 2.3 as a table.

use hyper::header::HeaderValue;
use mqtt::wire::property::{Properties, Property};
use mqtt::wire::property_table::Place;

use super::*;

/// `Ok` is a summary of what was read, `Err` a piece of the message.
type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)], Expected);
type Expected = Result<&'static str, &'static str>;

const SAMPLE_USER: &str = "W3siVXJnZW5jeSI6ImFsZXJ0In0seyJSZXF1ZXN0SWQiOiI1NWY0YTdlZS1iMGI0LTRkN\
                           2YtOGViNS0yZWRiYTJjZWQ1ZDcifV0=";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // name, query, headers, expected
    ("defaults", "topic=a", &[], Ok("a q1 -")),
    ("topic missing", "qos=1", &[], Err("'topic' is missing")),
    ("topic twice", "topic=a&topic=b", &[], Err("more than once")),
    ("topic empty is for 403", "topic=", &[], Ok(" q1 -")),
    ("topic wildcard is for 403", "topic=a%2F%23", &[], Ok("a/# q1 -")),
    ("qos from the query", "topic=a&qos=0", &[], Ok("a q0 -")),
    ("qos from the header", "topic=a", &[("mqtt-qos", "0")], Ok("a q0 -")),
    ("the query wins", "topic=a&qos=0&retain=1", &[("mqtt-qos", "1"), ("mqtt-retain", "0")],
        Ok("a q0 R")),
    ("the header is not looked at then", "topic=a&qos=0", &[("mqtt-qos", "7")], Ok("a q0 -")),
    ("qos 2", "topic=a&qos=2", &[], Err("send 0 or 1")),
    ("qos 2 in the header", "topic=a", &[("mqtt-qos", "2")], Err("header mqtt-qos")),
    ("qos empty", "topic=a&qos=", &[], Err("send 0 or 1")),
    ("qos twice", "topic=a&qos=1&qos=1", &[], Err("more than once")),
    ("qos header twice", "topic=a", &[("mqtt-qos", "1"), ("mqtt-qos", "1")], Err("more than once")),
    ("retain", "topic=a&retain=1", &[], Ok("a q1 R")),
    ("retain true", "topic=a&retain=true", &[], Err("send 0 or 1")),
    ("retain header", "topic=a", &[("mqtt-retain", "1")], Ok("a q1 R")),
    ("pfi 1", "topic=a", &[("mqtt-payload-format-indicator", "1")], Ok("a q1 - pfi=1")),
    ("pfi 0", "topic=a", &[("mqtt-payload-format-indicator", "0")], Ok("a q1 - pfi=0")),
    ("pfi 2", "topic=a", &[("mqtt-payload-format-indicator", "2")], Err("send 0 or 1")),
    ("pfi only in a header", "topic=a&payload-format-indicator=2", &[], Ok("a q1 -")),
    ("expiry", "topic=a", &[("mqtt-message-expiry", "30")], Ok("a q1 - expiry=30")),
    ("expiry 0", "topic=a", &[("mqtt-message-expiry", "0")], Ok("a q1 - expiry=0")),
    ("expiry largest", "topic=a", &[("mqtt-message-expiry", "4294967295")],
        Ok("a q1 - expiry=4294967295")),
    ("expiry too large", "topic=a", &[("mqtt-message-expiry", "4294967296")],
        Err("number of seconds")),
    ("expiry signed", "topic=a", &[("mqtt-message-expiry", "+1")], Err("number of seconds")),
    ("expiry negative", "topic=a", &[("mqtt-message-expiry", "-1")], Err("number of seconds")),
    ("expiry empty", "topic=a", &[("mqtt-message-expiry", "")], Err("number of seconds")),
    ("content type", "topic=a", &[("content-type", "application/json; charset=utf-8")],
        Ok("a q1 - type=application/json; charset=utf-8")),
    ("content type empty", "topic=a", &[("content-type", "")], Ok("a q1 -")),
    ("content type not ASCII", "topic=a", &[("content-type", "te\u{e4}t")], Err("ASCII")),
    ("E1 sample", "topic=a", &[("mqtt-user-properties", SAMPLE_USER)],
        Ok("a q1 - Urgency=alert RequestId=55f4a7ee-b0b4-4d7f-8eb5-2edba2ced5d7")),
    ("E2 order and repeats", "topic=a",
        &[("mqtt-user-properties", r#"[{"a":"1"},{"b":"2"},{"a":"3"}]"#)],
        Ok("a q1 - a=1 b=2 a=3")),
    ("E3 two members", "topic=a", &[("mqtt-user-properties", r#"[{"z":"1","a":"2"}]"#)],
        Ok("a q1 - z=1 a=2")),
    ("E3 not a string", "topic=a", &[("mqtt-user-properties", r#"[{"a":1}]"#)],
        Err("mqtt-user-properties")),
    ("E4 unpadded", "topic=a", &[("mqtt-user-properties", "W3siYSI6IjEifV0")], Ok("a q1 - a=1")),
    ("E4 URL-safe", "topic=a", &[("mqtt-correlation-data", "-_8")], Ok("a q1 - corr=fbff")),
    ("E5 raw JSON", "topic=a", &[("mqtt-user-properties", " [ {\"a\":\"1\"} ] ")],
        Ok("a q1 - a=1")),
    ("user properties empty", "topic=a", &[("mqtt-user-properties", "")],
        Err("mqtt-user-properties")),
    ("user properties none", "topic=a", &[("mqtt-user-properties", "W10=")], Ok("a q1 -")),
    ("user properties no JSON", "topic=a", &[("mqtt-user-properties", "AAEC")], Err("JSON")),
    ("user properties no array", "topic=a", &[("mqtt-user-properties", "eyJhIjoiMSJ9")],
        Err("array")),
    ("E6 sample", "topic=a", &[("mqtt-response-topic", "devices%2FCXa-23112%2Freply")],
        Ok("a q1 - response=devices/CXa-23112/reply")),
    ("E6 bare", "topic=a", &[("mqtt-response-topic", "devices/x/reply")],
        Ok("a q1 - response=devices/x/reply")),
    ("E6 once", "topic=a", &[("mqtt-response-topic", "a%252Fb")], Ok("a q1 - response=a%2Fb")),
    ("E6 UTF-8", "topic=a", &[("mqtt-response-topic", "%C3%A4")], Ok("a q1 - response=\u{e4}")),
    ("E6 not UTF-8", "topic=a", &[("mqtt-response-topic", "%FF")], Err("UTF-8")),
    ("response topic empty", "topic=a", &[("mqtt-response-topic", "")], Err("mqtt-response-topic")),
    ("response topic wildcard", "topic=a", &[("mqtt-response-topic", "a%2F%23")], Err("wildcard")),
    ("E7 sample", "topic=devices%2FCXa-23112%2Fprompt", &[], Ok("devices/CXa-23112/prompt q1 -")),
    ("E7 plus", "topic=a+b%2Bc", &[], Ok("a+b+c q1 -")),
    ("E7 once", "topic=a%252Fb", &[], Ok("a%2Fb q1 -")),
    ("E7 bare slash", "topic=a/b", &[], Ok("a/b q1 -")),
    ("E8 bad triplet", "topic=devices%2XXXX", &[], Err("%25")),
    ("E8 in the response topic", "topic=a", &[("mqtt-response-topic", "a%2")], Err("hexadecimal")),
    ("E8 not UTF-8", "topic=%FF%FE", &[], Err("UTF-8")),
    ("correlation sample", "topic=a", &[("mqtt-correlation-data", "PlXCscK2wrbCuy8=")],
        Ok("a q1 - corr=3e55c2b1c2b6c2b6c2bb2f")),
    ("correlation empty", "topic=a", &[("mqtt-correlation-data", "")], Ok("a q1 - corr=")),
    ("E9 not base64", "topic=a", &[("mqtt-correlation-data", "***")], Err("not base64")),
    ("E10 not ASCII", "topic=a", &[("mqtt-response-topic", "\u{e4}")], Err("ASCII")),
    ("E10 overridden", "topic=a&qos=1", &[("mqtt-qos", "\u{e4}")], Err("ASCII")),
    ("E10 unknown header", "topic=a", &[("mqtt-later", "\u{e4}")], Err("ASCII")),
    ("unknown names are for others", "topic=a&x=1", &[("mqtt-later", "1")], Ok("a q1 -")),
    ("wait", "topic=a&wait=delivered", &[], Ok("a q1 - wait=5")),
    ("wait with timeout", "topic=a&wait=delivered&timeout=60", &[], Ok("a q1 - wait=60")),
    ("wait for something else", "topic=a&wait=read", &[], Err("'delivered'")),
    ("wait too long", "topic=a&wait=delivered&timeout=301", &[], Err("0 to 300")),
    ("timeout alone", "topic=a&timeout=5", &[], Err("without wait")),
    ("reference exchange (2.11)",
        "topic=plant%2Fline7%2Fcmd&qos=0&api-version=2025-08-01-preview", &[
        ("mqtt-qos", "1"), ("mqtt-retain", "0"), ("mqtt-response-topic", "plant%2Fline7%2Fack"),
        ("mqtt-correlation-data", "AAEC"), ("mqtt-message-expiry", "30"),
        ("mqtt-payload-format-indicator", "1"), ("content-type", "application/json; charset=utf-8"),
    ], Ok("plant/line7/cmd q0 - pfi=1 expiry=30 type=application/json; charset=utf-8\
        \x20response=plant/line7/ack corr=000102")),
];

#[test]
fn every_row_of_the_mapping() {
    let limits = Limits::open();
    for (name, query, headers, expected) in ROWS {
        let mut map = HeaderMap::new();
        for (key, value) in *headers {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            map.append(HeaderName::from_static(key), value);
        }
        match (Fields::parse(Query::new(Some(query)), &map, &limits), expected) {
            (Ok(fields), Ok(summary)) => assert_eq!(summarise(&fields), *summary, "{name}"),
            (Err(error), Err(piece)) => {
                assert_eq!(error.status, 400, "{name}");
                assert!(error.message.contains(piece), "{name}: {}", error.message);
            }
            (got, expected) => panic!("{name}: {got:?} instead of {expected:?}"),
        }
    }
}

fn summarise(fields: &Fields) -> String {
    let draft = &fields.draft;
    let retain = if draft.flags.retain == Retain::Keep { "R" } else { "-" };
    let mut text = format!("{} q{} {retain}", draft.topic, draft.flags.qos.bits());
    let properties = Properties::parse(&draft.properties, Place::Publish).unwrap();
    for property in properties.iter() {
        text += &match property {
            Property::PayloadFormat(v) => format!(" pfi={v}"),
            Property::MessageExpiry(v) => format!(" expiry={v}"),
            Property::ContentType(v) => format!(" type={v}"),
            Property::ResponseTopic(v) => format!(" response={v}"),
            Property::CorrelationData(v) => {
                format!(" corr={}", v.iter().map(|b| format!("{b:02x}")).collect::<String>())
            }
            Property::User(key, value) => format!(" {key}={value}"),
            other => panic!("not a property of HTTP Publish: {other:?}"),
        };
    }
    if let Answer::Delivered { timeout } = fields.answer {
        text += &format!(" wait={}", timeout.as_secs());
    }
    text
}
