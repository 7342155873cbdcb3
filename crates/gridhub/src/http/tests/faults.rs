//! `/admin/faults`: words, bounds, and who may. What a fault does is the node's to show.

use serde_json::{Value, json};

use super::Server;
use super::double::Double;
use crate::http::app::Settings;

fn hub() -> Server {
    Server::with(Double::hub(), Settings::default())
}

async fn ask(server: &Server, token: &str, request: &str, body: &str) -> super::Reply {
    let head = format!("{request} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {token}");
    server.ask(&head, body.as_bytes()).await
}

async fn add(server: &Server, body: &Value) -> super::Reply {
    ask(server, "all", "POST /admin/faults", &body.to_string()).await
}

#[tokio::test]
async fn faults_come_are_listed_and_go() {
    let server = hub();
    let rows = [
        (
            json!({"operation": "send-telemetry", "status": "0501", "count": 3}),
            json!({"id": 1, "operation": "send-telemetry", "devices": "*", "status": "0501",
                   "count": 3, "probability": 1.0, "struck": 0, "left": 3}),
        ),
        (
            json!({"operation": "get-twin", "devices": "pump-*", "delay": "1m30s",
                   "probability": 0.25}),
            json!({"id": 2, "operation": "get-twin", "devices": "pump-*", "delay": "1m30s",
                   "count": null, "probability": 0.25, "struck": 0, "left": null}),
        ),
        (
            json!({"operation": "receive-desired", "devices": "d/m", "dropAfterAck": true}),
            json!({"id": 3, "operation": "receive-desired", "devices": "d/m", "dropAfterAck": true,
                   "count": null, "probability": 1.0, "struck": 0, "left": null}),
        ),
    ];
    for (wanted, shown) in &rows {
        let reply = add(&server, wanted).await;
        assert_eq!((reply.status, &reply.json()), (201, shown));
    }
    let listed = ask(&server, "all", "GET /admin/faults", "").await.json();
    assert_eq!(listed, json!({"faults": rows.map(|(_, shown)| shown)}));
    assert_eq!(ask(&server, "all", "DELETE /admin/faults/2", "").await.status, 204);
    for id in ["2", "0", "x", "-1", "99999999999"] {
        let gone = ask(&server, "all", &format!("DELETE /admin/faults/{id}"), "").await;
        assert_eq!(gone.error(), (404, "FaultNotFound".to_owned()), "{id}");
    }
    let cleared = ask(&server, "all", "DELETE /admin/faults", "").await.json();
    assert_eq!(cleared, json!({"cleared": 2}));
    let listed = ask(&server, "all", "GET /admin/faults", "").await.json();
    assert_eq!(listed, json!({"faults": []}));
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_what_could() {
    let server = hub();
    let get = |more: Value| {
        let mut body = json!({"operation": "get-twin"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (body, says) in [
        (json!({"operation": "reboot", "delay": "1s"}), "receive-methods"),
        (json!({"delay": "1s"}), "operation"),
        (get(json!({})), "one of status, delay and dropAfterAck"),
        (get(json!({"status": "0501", "delay": "1s"})), "one of status"),
        (get(json!({"dropAfterAck": false})), "one of status"),
        (get(json!({"status": "0503"})), "it may have 0100, 0101, 0102, 0501, 0502, 0601"),
        (get(json!({"status": "throttled"})), "four hex digits"),
        (json!({"operation": "receive-desired", "status": "0501"}), "use a delay"),
        (get(json!({"delay": "0s"})), "1 to 3600000 milliseconds"),
        (get(json!({"delay": "2h"})), "1 to 3600000 milliseconds"),
        (get(json!({"delay": "1s", "count": 0})), "count: 0 is never"),
        (get(json!({"delay": "1s", "probability": 0})), "more than 0"),
        (get(json!({"delay": "1s", "probability": 1.1})), "at most 1"),
        (get(json!({"delay": "1s", "devices": ""})), "is empty"),
        (get(json!({"delay": "1s", "devices": "a b"})), "' '"),
        (get(json!({"delay": "1s", "x": 1})), "unknown field `x`"),
    ] {
        let reply = add(&server, &body).await;
        let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
        assert_eq!(reply.error().0, 400, "{body}");
        assert!(message.contains(says), "{body}: {message}");
    }
    let one = json!({"operation": "get-twin", "delay": "1s"});
    for _ in 0..100 {
        assert_eq!(add(&server, &one).await.status, 201);
    }
    assert_eq!(add(&server, &one).await.error(), (409, "TooManyFaults".to_owned()));
}

#[tokio::test]
async fn only_contributors_of_a_server_with_a_hub() {
    let server = hub();
    for request in ["GET /admin/faults", "POST /admin/faults", "DELETE /admin/faults/1"] {
        assert_eq!(ask(&server, "bad", request, "").await.error().0, 401, "{request}");
        assert_eq!(ask(&server, "publisher", request, "").await.error().0, 403, "{request}");
    }
    let reply = ask(&Server::new(), "all", "GET /admin/faults", "").await;
    assert_eq!(reply.error(), (404, "NoHub".to_owned()));
}
