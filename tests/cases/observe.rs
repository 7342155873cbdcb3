//! What can be seen from outside: metrics, probes, the description, sessions, the clock.
use crate::accept::{connect, plain, publish, subscribe, with};
use e2e::curl::Curl;
use e2e::{Foreign, Server, paho};
use serde_json::json;

#[test]
fn probes_and_keys_need_no_credential() {
    if !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    for path in ["/healthz", "/readyz", "/openapi.json", "/.well-known/jwks.json", "/metrics"] {
        let answer = Curl::anonymous(&server, path).send();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(answer.header("x-ms-request-id").is_some(), "{path}");
    }
    let keys = Curl::anonymous(&server, "/.well-known/jwks.json").send().json();
    let key = &keys["keys"][0];
    assert!(key["kid"].is_string() && key["kty"].is_string(), "{keys}");
    assert!(key["d"].is_null(), "the private part is nobody's");
}

#[test]
fn the_description_knows_the_paths() {
    if !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    let description = Curl::anonymous(&server, "/openapi.json").send().json();
    assert!(description["openapi"].as_str().is_some_and(|v| v.starts_with("3.")));
    for path in ["/mqtt/messages", "/mqtt/retainedMessages", "/admin/clock", "/admin/sessions"] {
        assert!(description["paths"][path].is_object(), "{path}");
    }
}

#[test]
fn metrics_are_prometheus_text_and_count() {
    if !Foreign::Curl.ready() || !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut client = paho();
    connect(&mut client, &plain(&server, 5, "counted"));
    subscribe(&mut client, "counted", 1);
    for _ in 0..5 {
        publish(&mut client, "counted", "x", 1);
    }
    let text = Curl::anonymous(&server, "/metrics").send().text();
    let mut typed = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram", "summary"].contains(&kind), "{line}");
            typed.push(name.to_string());
        } else if !line.starts_with('#') && !line.is_empty() {
            let name = line.split(['{', ' ']).next().unwrap();
            let known = typed.iter().any(|t| name.starts_with(t.as_str()));
            assert!(known && name.starts_with("gridhub_"), "{line}");
            let value = line.rsplit(' ').next().unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    let sum = |metric: &str| -> f64 {
        let lines = text.lines().filter(|l| l.split(['{', ' ']).next() == Some(metric));
        lines.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    assert_eq!(sum("gridhub_mqtt_connections"), 1.0, "{text}");
    assert_eq!(sum("gridhub_mqtt_successful_published_messages_total"), 5.0, "{text}");
}

#[test]
fn sessions_are_listed_disconnected_and_deleted() {
    if !Foreign::Curl.ready() || !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut client = paho();
    let durable = json!({"clean": false, "properties": {"session_expiry": 600}});
    connect(&mut client, &with(plain(&server, 5, "seen"), durable.clone()));
    subscribe(&mut client, "seen/#", 1);
    let list = Curl::to(&server, "/admin/sessions").send();
    assert_eq!(list.status, 200);
    assert!(list.text().contains("\"seen\""), "{}", list.text());
    let detail = Curl::to(&server, "/admin/sessions/seen").send();
    assert_eq!(detail.status, 200);
    assert!(detail.text().contains("seen/#"), "{}", detail.text());
    let path = "/admin/sessions/seen/disconnect";
    let answer = Curl::to(&server, path).post(b"").send();
    assert!((200..300).contains(&answer.status), "{answer:?}");
    assert_eq!(client.ask(&json!({"do": "closed"}))["reason"], 0x98);
    let delete = Curl::to(&server, "/admin/sessions/seen").arguments(&["-X", "DELETE"]).send();
    assert!((200..300).contains(&delete.status), "{delete:?}");
    let mut again = paho();
    let answer = connect(&mut again, &with(plain(&server, 5, "seen"), durable));
    assert_eq!(answer["session_present"], false);
    Curl::to(&server, "/admin/sessions/nobody").send().refused(404);
}

#[test]
fn administration_needs_a_contributor() {
    if !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    Curl::anonymous(&server, "/admin/sessions").send().refused(401);
    let words = ["token", "--name", "ear", "--role", "subscriber"];
    let token = String::from_utf8(server.verb(&words).output().stdout).unwrap();
    Curl::anonymous(&server, "/admin/sessions")
        .header(&format!("Authorization: Bearer {}", token.trim()))
        .send()
        .refused(403);
    Curl::to(&server, "/admin/clock").post(b"{\"advance\":\"soon\"}").send().refused(400);
}
