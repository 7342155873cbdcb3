//! `/telemetry/...`: who may read, and the forms of pages, positions and streams.

use serde_json::{Value, json};

use super::Server;
use super::double::Double;
use super::wire::Reply;
use crate::http::app::Settings;

fn server() -> Server {
    Server::with(Double::hub(), Settings::default())
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

async fn value(server: &Server, target: &str) -> Value {
    let reply = server.get(target).await;
    assert_eq!(reply.status, 200, "{target}: {}", text(&reply));
    serde_json::from_slice(&reply.body).unwrap()
}

async fn put(server: &Server, group: &str, body: &str) -> (u16, Value) {
    let head = format!(
        "PUT /telemetry/groups/{group}/offsets HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer all"
    );
    let reply = server.ask(&head, body.as_bytes()).await;
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}

#[tokio::test]
async fn an_empty_channel_has_pages_too() {
    let server = server();
    let all = value(&server, "/telemetry/partitions").await;
    let each = |partition| json!({ "partition": partition, "first": 1, "next": 1 });
    assert_eq!(all["partitions"], json!([each(0), each(1), each(2), each(3)]));
    let page = value(&server, "/telemetry/partitions/3/records?from=earliest&wait=0").await;
    assert_eq!(page, json!({ "partition": 3, "next": 1, "records": [] }));
    for (target, status, code) in [
        ("/telemetry/partitions/4/records", 404, "PartitionNotFound"),
        ("/telemetry/partitions/x/records", 404, "PartitionNotFound"),
        ("/telemetry/partitions/0/records?from=now", 400, "InvalidQueryParameter"),
        ("/telemetry/partitions/0/records?from=1&offset=1", 400, "InvalidQueryParameter"),
        ("/telemetry/partitions/0/records?max=0", 400, "InvalidQueryParameter"),
        ("/telemetry/partitions/0/records?wait=61", 400, "InvalidQueryParameter"),
        ("/telemetry/groups/none/offsets", 404, "GroupNotFound"),
        ("/telemetry/groups/a%20b/offsets", 400, "InvalidGroup"),
        ("/telemetry/stream?group=a%20b", 400, "InvalidGroup"),
    ] {
        let reply = server.get(target).await;
        assert_eq!(reply.status, status, "{target}: {}", text(&reply));
        assert!(text(&reply).contains(code), "{target}: {}", text(&reply));
    }
}

#[tokio::test]
async fn groups_keep_what_they_say() {
    let server = server();
    let none = value(&server, "/telemetry/groups/$Default/offsets").await;
    assert_eq!(none, json!({ "group": "$Default", "offsets": {} }));
    let kept = json!({ "group": "g", "offsets": { "0": 1, "2": 0 } });
    let put_one = put(&server, "g", "{\"offsets\":{\"2\":0}}").await;
    assert_eq!(put_one, (200, json!({ "group": "g", "offsets": { "2": 0 } })));
    assert_eq!(put(&server, "g", "{\"offsets\":{\"0\":1}}").await, (200, kept.clone()));
    assert_eq!(value(&server, "/telemetry/groups/g/offsets").await, kept);
    assert_eq!(value(&server, "/telemetry/groups").await, json!({ "groups": [kept] }));
    for body in ["{}", "{\"offsets\":{}}", "{\"offsets\":{\"0\":2}}", "{\"offsets\":{\"4\":1}}"] {
        assert_eq!(put(&server, "g", body).await.0, 400, "{body}");
    }
    let delete = "DELETE /telemetry/groups/g HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer all";
    assert_eq!(server.ask(delete, b"").await.status, 204);
    assert_eq!(server.ask(delete, b"").await.status, 404);
}

#[tokio::test]
async fn readers_need_the_right_and_a_hub() {
    let server = server();
    let anonymous = "GET /telemetry/partitions HTTP/1.1\r\nhost: hub";
    assert_eq!(server.ask(anonymous, b"").await.status, 401);
    let other = "GET /telemetry/partitions HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer some";
    assert_eq!(server.ask(other, b"").await.status, 401);
    let without = Server::new();
    let reply = without.get("/telemetry/partitions").await;
    assert_eq!(reply.status, 404, "{}", text(&reply));
    assert!(text(&reply).contains("NoHub"));
}
