//! `/admin`, probes, metrics and the description.

use serde_json::json;

use super::Server;
use super::double::Double;
use crate::config::Durability;
use crate::disk::Times;
use crate::http::app::{ClockControl, Settings};
use crate::http::router::ROUTES;
use crate::keep::{Health, State};
use store::log::Extent;
use store::op::Sequence;

async fn ask(server: &Server, token: &str, request: &str, body: &str) -> super::Reply {
    let head = format!("{request} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {token}");
    server.ask(&head, body.as_bytes()).await
}

fn dev() -> Server {
    let settings =
        Settings { clock: ClockControl::Dev, jwks: Some(KEYS.into()), ..Settings::default() };
    Server::with(Double::open(), settings)
}

#[tokio::test]
async fn sessions() {
    let server = dev();
    let list = ask(&server, "all", "GET /admin/sessions", "").await.json();
    let ids: Vec<_> = list["sessions"].as_array().unwrap().iter().map(|s| &s["clientId"]).collect();
    assert_eq!(ids, ["a", "b/1"]);
    let one = ask(&server, "all", "GET /admin/sessions/b%2F1", "").await.json();
    assert_eq!(one["clientId"], "b/1");
    assert_eq!(one["bounds"]["queueMessages"], json!({"used": 3, "max": 100}));
    assert_eq!(one["bounds"]["inflightOut"], json!({"used": 2, "max": 10}));
    assert_eq!(one["bounds"]["aliasBytes"], json!({"used": 7, "max": 8}));
    assert_eq!(one["droppedBy"], json!({"queue_full": 4}));
    assert_eq!((&one["stalledSeconds"], &one["pausedSeconds"]), (&json!(2), &json!(1)));
    assert_eq!((&one["pausedBy"], &one["heldBytes"]), (&json!(["post"]), &json!(332)));
    assert_eq!(one["sessionExpirySeconds"], json!(null));
    assert_eq!(one["subscriptions"], json!([{"filter": "x/#", "qos": 1}]));
    for (request, status) in [
        ("GET /admin/sessions/none", 404),
        ("DELETE /admin/sessions/none", 404),
        ("DELETE /admin/sessions/full", 507),
        ("POST /admin/sessions/none/disconnect", 404),
        ("GET /admin/sessions/%ff", 400),
        ("PUT /admin/sessions/a", 405),
    ] {
        assert_eq!(ask(&server, "all", request, "").await.error().0, status, "{request}");
    }
    for request in ["DELETE /admin/sessions/b%2F1", "POST /admin/sessions/b%2F1/disconnect"] {
        assert_eq!(ask(&server, "all", request, "").await.status, 204, "{request}");
    }
}

#[tokio::test]
async fn durability_and_the_health_of_the_log() {
    let server = dev();
    let shown = ask(&server, "all", "GET /admin/durability", "").await.json();
    assert_eq!(shown, json!({"durability": "memory", "log": null}));
    let refused = ask(&server, "all", "POST /admin/backup", "").await.error();
    assert_eq!(refused, (409, "NothingKept".to_owned()));
    let text = server.get("/metrics").await.body;
    assert!(!String::from_utf8(text).unwrap().contains("gridhub_log_"));
    let state = State {
        durability: Durability::Disk,
        directory: "/d/log".into(),
        extent: Extent { segments: 2, bytes: 70_000, last: Sequence(9) },
        health: Health::Full,
        since_ms: 1_763_719_200_000,
        commits: 4,
        records: 9,
        refused: 1,
        syncs: Times::default(),
    };
    let server = Server::with(Double::durable(state), Settings::default());
    let shown = ask(&server, "all", "GET /admin/durability", "").await.json();
    assert_eq!(
        shown,
        json!({"durability": "disk", "log": {
            "directory": "/d/log", "segments": 2, "bytes": 70_000, "lastSequence": 9,
            "health": "full", "since": "2025-11-21T10:00:00.000Z", "commits": 4, "records": 9,
            "refused": 1,
        }})
    );
    let mut client = server.connect();
    let head = "POST /admin/backup HTTP/1.1\r\nhost: h\r\nauthorization: Bearer all\r\n\r\n";
    client.send(head.as_bytes()).await;
    let reply = client.head().await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some(OCTETS)));
    let text = String::from_utf8(server.get("/metrics").await.body).unwrap();
    for line in [
        "gridhub_log_bytes 70000",
        "gridhub_log_segments 2",
        "gridhub_log_commits_total 4",
        "gridhub_log_records_total 9",
        "gridhub_log_refused_total 1",
        "gridhub_log_health 1",
        "gridhub_log_sync_seconds_count 0",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn only_contributors() {
    let server = dev();
    for request in [
        "GET /admin/sessions",
        "GET /admin/sessions/a",
        "DELETE /admin/sessions/a",
        "POST /admin/sessions/a/disconnect",
        "POST /admin/clock",
        "GET /admin/durability",
        "POST /admin/backup",
    ] {
        assert_eq!(ask(&server, "bad", request, "").await.error().0, 401, "{request}");
        assert_eq!(ask(&server, "publisher", request, "").await.error().0, 403, "{request}");
    }
}

#[tokio::test]
async fn the_clock_moves_in_dev_only() {
    let server = dev();
    let reply = ask(&server, "all", "POST /admin/clock", r#"{"advance":"1h"}"#).await;
    assert_eq!(reply.json(), json!({"now": "2025-11-21T11:00:00.000Z"}));
    for body in [
        "",
        "{}",
        r#"{"advance":"1"}"#,
        r#"{"advance":"1h","x":1}"#,
        r#"{"advance":1}"#,
        r#"{"advance":"4000d"}"#,
    ] {
        assert_eq!(ask(&server, "all", "POST /admin/clock", body).await.error().0, 400, "{body}");
    }
    let fixed = Server::new();
    let reply = ask(&fixed, "all", "POST /admin/clock", r#"{"advance":"1h"}"#).await;
    assert_eq!(reply.error(), (403, "ClockFixed".to_owned()));
}

#[tokio::test]
async fn documents_need_no_token() {
    let server = dev();
    for path in ["/healthz", "/readyz", "/metrics", "/openapi.json", "/.well-known/jwks.json"] {
        let get = server.ask(&format!("GET {path} HTTP/1.1\r\nhost: h"), b"").await;
        assert_eq!(get.status, 200, "{path}");
        assert!(get.header("x-ms-request-id").is_some(), "{path}");
        let head = server.ask(&format!("HEAD {path} HTTP/1.1\r\nhost: h"), b"").await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
    let keys = server.get("/.well-known/jwks.json").await;
    assert_eq!(keys.body, KEYS.as_bytes());
    assert_eq!(Server::new().get("/.well-known/jwks.json").await.error().0, 404);
}

#[tokio::test]
async fn every_listed_route_is_there_with_exactly_its_methods() {
    let server = dev();
    for (path, methods) in ROUTES {
        let path = path.replace("{name}", "b%2F1").replace("{id}", "1");
        let reply = server.ask(&format!("TRACE {path} HTTP/1.1\r\nhost: h"), b"").await;
        assert_eq!(reply.error().0, 405, "{path}");
        let allow = reply.header("allow").unwrap().replace(',', ", ");
        assert_eq!(allow, *methods, "{path}");
    }
}

#[tokio::test]
async fn metrics_have_the_data_planes_and_our_own() {
    let server = dev();
    server.publish("topic=a", "", b"").await;
    server.publish("topic=%23", "", b"").await;
    server.publish("qos=1", "", b"").await;
    let reply = server.get("/metrics").await;
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = String::from_utf8(reply.body).unwrap();
    let requests = "gridhub_mqtt_request_count_total{operation_type=\"Publish\",\
                    protocol=\"http-publish\",result=";
    let successful = "gridhub_mqtt_successful_published_messages_total{protocol=\"http-publish\",";
    let failed = "gridhub_mqtt_failed_published_messages_total{protocol=\"http-publish\",";
    for line in [
        "# TYPE gridhub_mqtt_request_count_total counter".to_owned(),
        "gridhub_mqtt_request_count_total{protocol=\"MQTT5\"} 7".to_owned(),
        format!("{requests}\"Success\",error=\"\"}} 1"),
        format!("{requests}\"ClientError\",error=\"AuthorizationError\"}} 1"),
        format!("{successful}qos=\"1\",retain=\"false\"}} 1"),
        format!("{successful}qos=\"0\",retain=\"true\"}} 0"),
        format!(
            "{failed}qos=\"1\",retain=\"false\",error=\"AuthorizationError\",status=\"403\"}} 1"
        ),
        format!("{failed}qos=\"\",retain=\"\",error=\"ClientError\",status=\"400\"}} 1"),
        "gridhub_http_responses_total{status=\"204\"} 1".to_owned(),
        "gridhub_http_idempotency_keys 0".to_owned(),
    ] {
        assert_eq!(text.lines().filter(|l| **l == *line).count(), 1, "{line}\n{text}");
    }
    let mut names: Vec<_> = text.lines().filter(|l| l.starts_with("# TYPE")).collect();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

const OCTETS: &str = "application/octet-stream";
const KEYS: &str = r#"{"keys":[]}"#;
