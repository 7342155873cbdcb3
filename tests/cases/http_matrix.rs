//! HTTP Publish, row by row of the specification: every status, every encoding, with curl.
use crate::accept::{connect, plain, receive, subscribe};
use e2e::curl::{Answer, Curl};
use e2e::{Foreign, Script, Server, paho};
use serde_json::{Value, json};

const VERSION: &str = "api-version=2025-08-01-preview";

fn path(rest: &str) -> String {
    format!("/mqtt/messages?{VERSION}&{rest}")
}

#[track_caller]
fn accepted(answer: &Answer) {
    assert_eq!(answer.status, 204, "{}", answer.text());
    assert!(answer.body.is_empty() && answer.header("x-ms-request-id").is_some(), "{answer:?}");
}

/// A server and a client that hears everything.
fn listening() -> (Server, Script) {
    let server = Server::new();
    let mut hearer = paho();
    connect(&mut hearer, &plain(&server, 5, "hearer"));
    subscribe(&mut hearer, "#", 2);
    (server, hearer)
}

fn ready() -> bool {
    Foreign::Curl.ready() && Foreign::Paho.ready()
}

#[test]
fn the_published_sample_arrives_as_published() {
    if !ready() {
        return;
    }
    let (server, mut hearer) = listening();
    let user = "W3siVXJnZW5jeSI6ImFsZXJ0In0seyJSZXF1ZXN0SWQiOiI1NWY0YTdlZS1iMGI0LTRkN2YtOGViNS0y\
                ZWRiYTJjZWQ1ZDcifV0=";
    let answer = Curl::to(&server, &path("topic=devices%2FCXa-23112%2Fprompt"))
        .post(b"{}")
        .header("mqtt-qos: 1")
        .header("mqtt-retain: 0")
        .header("mqtt-response-topic: devices%2FCXa-23112%2Freply")
        .header("mqtt-correlation-data: PlXCscK2wrbCuy8=")
        .header("mqtt-message-expiry: 3600")
        .header(&format!("mqtt-user-properties: {user}"))
        .header("mqtt-payload-format-indicator: 1")
        .header("Content-Type: application/json; charset=utf-8")
        .send();
    accepted(&answer);
    let message = receive(&mut hearer);
    assert_eq!(message["topic"], "devices/CXa-23112/prompt");
    assert_eq!((&message["payload"], &message["qos"]), (&json!("{}"), &json!(1)));
    let expected = json!({
        "response_topic": "devices/CXa-23112/reply",
        "correlation_data": "3e55c2b1c2b6c2b6c2bb2f",
        "expiry": 3600,
        "user": [["Urgency", "alert"], ["RequestId", "55f4a7ee-b0b4-4d7f-8eb5-2edba2ced5d7"]],
        "payload_format": 1,
        "content_type": "application/json; charset=utf-8",
    });
    assert_eq!(message["properties"], expected);
}

#[test]
fn defaults_and_precedence() {
    if !ready() {
        return;
    }
    let (server, mut hearer) = listening();
    accepted(&Curl::to(&server, &path("topic=default")).post(b"").send());
    let message = receive(&mut hearer);
    assert_eq!((&message["qos"], &message["payload"]), (&json!(1), &json!("")));
    assert_eq!(message["properties"], json!({}));
    let answer = Curl::to(&server, &path("topic=query&qos=0"))
        .post(b"x")
        .header("mqtt-qos: 1")
        .header("mqtt-retain: 0")
        .send();
    accepted(&answer);
    assert_eq!(receive(&mut hearer)["qos"], 0);
    accepted(&Curl::to(&server, &path("topic=header")).post(b"x").header("MQTT-QoS: 0").send());
    assert_eq!(receive(&mut hearer)["qos"], 0);
}

#[test]
fn encodings_that_are_accepted() {
    if !ready() {
        return;
    }
    let (server, mut hearer) = listening();
    let rows: [(&str, &str, &str, Value); 9] = [
        ("a%20c", "", "a c", json!({})),
        ("%C3%A9", "", "é", json!({})),
        (
            "b",
            "mqtt-user-properties: W3siYSI6IjEiLCJiIjoiMiJ9XQ",
            "b",
            json!({"user": [["a", "1"], ["b", "2"]]}),
        ),
        (
            "c",
            "mqtt-user-properties: [{\"k\":\"1\"},{\"k\":\"2\"}]",
            "c",
            json!({"user": [["k", "1"], ["k", "2"]]}),
        ),
        ("d", "mqtt-correlation-data: -_8=", "d", json!({"correlation_data": "fbff"})),
        ("e", "mqtt-correlation-data: +/8", "e", json!({"correlation_data": "fbff"})),
        ("f", "mqtt-response-topic: plain/topic", "f", json!({"response_topic": "plain/topic"})),
        ("g", "mqtt-payload-format-indicator: 0", "g", Value::Null),
        ("h", "Content-Type: text/plain", "h", json!({"content_type": "text/plain"})),
    ];
    for (topic, header, expected, properties) in rows {
        let mut curl = Curl::to(&server, &path(&format!("topic={topic}"))).post(b"x");
        if !header.is_empty() {
            curl = curl.header(header);
        }
        accepted(&curl.send());
        let message = receive(&mut hearer);
        assert_eq!(message["topic"], expected, "{header}");
        if !properties.is_null() {
            assert_eq!(message["properties"], properties, "{header}");
        }
    }
}

#[test]
fn what_is_malformed_is_400() {
    if !ready() {
        return;
    }
    let server = Server::new();
    let good = format!("{VERSION}&topic=a");
    let rows: [(&str, &str); 20] = [
        (VERSION, ""),
        ("topic=a", ""),
        ("topic=a&api-version=1999-01-01", ""),
        (&format!("{good}&topic=b"), ""),
        (&format!("{good}&{VERSION}"), ""),
        (&format!("{good}&qos=2"), ""),
        (&format!("{good}&qos="), ""),
        (&format!("{good}&qos=0&qos=0"), ""),
        (&format!("{good}&retain=yes"), ""),
        (&format!("{VERSION}&topic=%2XXX"), ""),
        (&format!("{VERSION}&topic=%FF"), ""),
        (&good, "mqtt-qos: 2"),
        (&good, "mqtt-retain: true"),
        (&good, "mqtt-message-expiry: soon"),
        (&good, "mqtt-message-expiry: 4294967296"),
        (&good, "mqtt-payload-format-indicator: 2"),
        (&good, "mqtt-correlation-data: not base64!"),
        (&good, "mqtt-user-properties: [{\"a\":1}]"),
        (&good, "mqtt-user-properties: e30="),
        (&good, "mqtt-response-topic: %zz"),
    ];
    for (query, header) in rows {
        let mut curl = Curl::to(&server, &format!("/mqtt/messages?{query}")).post(b"x");
        if !header.is_empty() {
            curl = curl.header(header);
        }
        let answer = curl.send();
        assert_eq!(answer.status, 400, "{query} {header}: {}", answer.text());
        answer.refused(400);
    }
    let answer = Curl::to(&server, &path("topic=a")).post(b"x").header("mqtt-qos: é").send();
    answer.refused(400);
    let unknown = Curl::to(&server, "/mqtt/messages?topic=a&api-version=x").post(b"").send();
    let names_the_fix = unknown.refused(400);
    assert!(names_the_fix.contains("2025-08-01-preview"), "{names_the_fix}");
}

#[test]
fn every_known_version_is_accepted() {
    if !ready() {
        return;
    }
    let server = Server::new();
    for version in ["2025-02-15-preview", "2025-08-01-preview", "2025-11-16-preview"] {
        let path = format!("/mqtt/messages?topic=a&api-version={version}");
        accepted(&Curl::to(&server, &path).post(b"x").send());
    }
}

#[test]
fn who_may_not_is_401_or_403() {
    if !ready() {
        return;
    }
    let server = Server::new();
    let target = path("topic=a");
    let answer = Curl::anonymous(&server, &target).post(b"x").send();
    answer.refused(401);
    assert!(answer.header("www-authenticate").is_some_and(|v| v.starts_with("Bearer")));
    let bearer = |token: &str| {
        let header = format!("Authorization: Bearer {token}");
        Curl::anonymous(&server, &target).post(b"x").header(&header)
    };
    bearer("nonsense").send().refused(401);
    bearer(&format!("{}x", server.token())).send().refused(401);
    let anonymous = Curl::anonymous(&server, &target).post(b"x");
    anonymous.header("Authorization: Basic YTpi").send().refused(401);
    let made = |role: &str| {
        let words = ["token", "--name", "r", "--role", role, "--ttl", "1h"];
        String::from_utf8(server.verb(&words).output().stdout).unwrap().trim().to_string()
    };
    let why = bearer(&made("subscriber")).send().refused(403);
    assert!(why.to_lowercase().contains("publisher"), "it names the missing grant: {why}");
    let publisher = made("publisher");
    accepted(&bearer(&publisher).send());
    server.advance("2h");
    bearer(&publisher).send().refused(401);
}

#[test]
fn a_topic_that_is_wrong_is_403() {
    if !ready() {
        return;
    }
    let server = Server::new();
    // A plus stays a plus (E7), so it is a wildcard here and not a space.
    for topic in ["", "a+b", "a%2F%23", "%2B", "a%00b", "%24SYS%2Fx", "%24iothub%2Fx"] {
        let answer = Curl::to(&server, &path(&format!("topic={topic}"))).post(b"x").send();
        assert_eq!(answer.status, 403, "{topic}: {}", answer.text());
        answer.refused(403);
    }
}

#[test]
fn other_paths_and_verbs_are_404_and_405() {
    if !ready() {
        return;
    }
    let server = Server::new();
    Curl::to(&server, "/mqtt/nothing").send().refused(404);
    Curl::to(&server, "/mqtt/messages/").post(b"x").send().refused(404);
    for verb in ["GET", "PUT", "DELETE", "PATCH"] {
        let answer = Curl::to(&server, &path("topic=a")).arguments(&["-X", verb]).send();
        answer.refused(405);
        assert_eq!(answer.header("allow"), Some("POST"), "{verb}");
    }
}

#[test]
fn sizes_are_413_and_431() {
    if !ready() {
        return;
    }
    let server = Server::new();
    let body = |kib: usize| vec![b'x'; kib << 10];
    accepted(&Curl::to(&server, &path("topic=a")).post(&body(512)).send());
    Curl::to(&server, &path("topic=a")).post(&[body(512), vec![0]].concat()).send().refused(413);
    let chunked = Curl::to(&server, &path("topic=a")).post(&body(600));
    chunked.header("Transfer-Encoding: chunked").send().refused(413);
    accepted(&Curl::to(&server, &path("topic=a&retain=1")).post(&body(64)).send());
    let larger = [body(64), vec![0]].concat();
    Curl::to(&server, &path("topic=a&retain=1")).post(&larger).send().refused(413);
    let user =
        |bytes: usize| format!("mqtt-user-properties: [{{\"k\":\"{}\"}}]", "v".repeat(bytes));
    accepted(&Curl::to(&server, &path("topic=a")).post(b"x").header(&user(40 << 10)).send());
    for version in ["--http1.1", "--http2"] {
        let huge = Curl::to(&server, &path("topic=a")).post(b"x").header(&user(60 << 10));
        assert_eq!(huge.arguments(&[version]).send().status, 431, "{version}");
    }
}

#[test]
fn the_order_of_the_checks() {
    if !ready() {
        return;
    }
    let server = Server::new();
    let large = vec![b'x'; 600 << 10];
    // 401 before 400 before 413 before 403 (2.5).
    Curl::anonymous(&server, "/mqtt/messages").post(b"").send().refused(401);
    let no_version = Curl::to(&server, "/mqtt/messages?topic=%23&qos=9").post(&large).send();
    assert!(no_version.refused(400).contains("api-version"));
    Curl::to(&server, &path("topic=%23&qos=9")).post(&large).send().refused(400);
    Curl::to(&server, &path("topic=%23")).post(&large).send().refused(413);
    Curl::to(&server, &path("topic=%23")).post(b"x").send().refused(403);
}

#[test]
fn the_caller_keeps_its_mqtt_session() {
    if !ready() {
        return;
    }
    let server = Server::new();
    let words = ["token", "--name", "both", "--role", "publisher", "--role", "subscriber"];
    let token = String::from_utf8(server.verb(&words).output().stdout).unwrap();
    let mut same = paho();
    let credential = json!({"user": "both", "password": token.trim()});
    let command = crate::accept::with(crate::accept::tls(&server, 5, "both"), credential);
    connect(&mut same, &command);
    subscribe(&mut same, "own", 1);
    let header = format!("Authorization: Bearer {}", token.trim());
    accepted(&Curl::anonymous(&server, &path("topic=own")).post(b"x").header(&header).send());
    assert_eq!(receive(&mut same)["payload"], "x");
}
