//! `POST /mqtt/messages:batch` (product 4).

use serde_json::{Value, json};

use super::Server;
use super::double::quota;

const TARGET: &str = "POST /mqtt/messages:batch?api-version=2025-08-01-preview HTTP/1.1\r\nhost: h";

async fn batch(server: &Server, headers: &str, body: &str) -> (u16, Value) {
    let head = format!("{TARGET}\r\nauthorization: Bearer publisher\r\n{headers}");
    let reply = server.ask(head.trim_end(), body.as_bytes()).await;
    (reply.status, reply.json())
}

fn statuses(results: &Value) -> Vec<u64> {
    let results = results["results"].as_array().unwrap();
    results.iter().map(|result| result["status"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_bad_item_spoils_only_itself() {
    let server = Server::new();
    let items = json!([
        {"topic": "devices/1", "payload": "x"},
        {"topic": "other"},
        {"topic": "devices/#"},
        {"topic": "devices/2", "qos": 3},
        {"no": "topic"},
        7,
        {"topic": "devices/3", "payload": "x".repeat(512 * 1024 + 1)},
        {"topic": "devices/4", "payloadBase64": "AAEC", "qos": 0, "retain": true},
    ]);
    let json = "content-type: application/json; charset=utf-8\r\n";
    let (status, results) = batch(&server, json, &items.to_string()).await;
    assert_eq!(status, 200);
    assert_eq!(statuses(&results), [204, 403, 403, 400, 400, 400, 413, 204]);
    assert_eq!(results["results"][0], json!({"status": 204}));
    assert_eq!(results["results"][1]["error"]["code"], "NotAuthorized");
    assert_eq!(server.hub.topics(), ["devices/1", "devices/4"]);
}

#[tokio::test]
async fn lines_in_order() {
    let server = Server::new();
    let lines: String = (0..200).map(|n| format!("{{\"topic\":\"devices/{n}\"}}\n")).collect();
    let ndjson = "content-type: application/x-ndjson\r\n";
    let (status, results) = batch(&server, ndjson, &format!("{lines}nonsense\n")).await;
    assert_eq!(status, 200);
    let mut expected = vec![204; 200];
    expected.push(400);
    assert_eq!(statuses(&results), expected);
    let topics: Vec<String> = (0..200).map(|n| format!("devices/{n}")).collect();
    assert_eq!(server.hub.topics(), topics);
}

#[tokio::test]
async fn keys_count_item_by_item() {
    let server = Server::new();
    let items = r#"[{"topic":"devices/1"},{"topic":"devices/2"}]"#;
    let headers = "content-type: application/json\r\nidempotency-key: k\r\n";
    server.hub.refusals.lock().unwrap().push_back(quota());
    assert_eq!(statuses(&batch(&server, headers, items).await.1), [429, 204]);
    assert_eq!(statuses(&batch(&server, headers, items).await.1), [204, 204]);
    assert_eq!(statuses(&batch(&server, headers, items).await.1), [204, 204]);
    assert_eq!(server.hub.topics(), ["devices/2", "devices/1"]);
    let seen = server.hub.seen.lock().unwrap();
    let items: Vec<_> = seen.iter().map(|request| request.key.as_ref().unwrap().item).collect();
    assert_eq!(items, [Some(1), Some(0)], "the door remembers which item it was");
}

#[tokio::test]
async fn whole_requests_are_refused_for_their_own_faults() {
    let server = Server::new();
    let json = "content-type: application/json\r\n";
    assert_eq!(batch(&server, json, "[1,").await.0, 400);
    assert_eq!(batch(&server, json, "{}").await.0, 400);
    assert_eq!(batch(&server, json, "[]").await.1, json!({"results": []}));
    assert_eq!(batch(&server, "", "[]").await.0, 415);
    assert_eq!(batch(&server, "content-type: text/plain\r\n", "[]").await.0, 415);
    assert_eq!(server.ask(TARGET, b"[]").await.error().0, 401);
    let no_version = TARGET.replace("api-version", "x");
    let head = format!("{no_version}\r\nauthorization: Bearer all\r\n{}", json.trim_end());
    assert_eq!(server.ask(&head, b"[]").await.error().0, 400);
    let wait = TARGET.replace("batch?", "batch?wait=delivered&");
    let head = format!("{wait}\r\nauthorization: Bearer all\r\n{}", json.trim_end());
    assert_eq!(server.ask(&head, b"[]").await.error().0, 400);
    let head = format!("{TARGET}\r\nauthorization: Bearer all\r\n{}", json.trim_end());
    let mut client = server.connect();
    client.send(format!("{head}\r\ncontent-length: 9000000\r\n\r\n").as_bytes()).await;
    assert_eq!(client.reply().await.error().0, 413);
}
