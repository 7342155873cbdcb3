//! `/mqtt/retainedMessages` (event-grid 8.2, product 4).

use serde_json::json;

use super::Server;
use super::wire::Reply;

const V: &str = "api-version=2025-11-16-preview";

async fn ask(server: &Server, token: &str, method: &str, rest: &str) -> Reply {
    let head = format!(
        "{method} /mqtt/retainedMessages{rest} HTTP/1.1\r\nhost: hub.example:8443\r\n\
         authorization: Bearer {token}"
    );
    server.ask(&head, b"").await
}

async fn get(server: &Server, token: &str, rest: &str) -> Reply {
    ask(server, token, "GET", rest).await
}

#[tokio::test]
async fn get_gives_payload_and_headers() {
    let server = Server::new();
    let headers = "content-type: text/plain\r\nmqtt-message-expiry: 60\r\n\
                   mqtt-user-properties: [{\"k\":\"v\"}]\r\n";
    assert_eq!(
        server.publish("topic=devices%2F%C3%A4&retain=1", headers, b"hello").await.status,
        204
    );
    let reply = get(&server, "subscriber", &format!("/message?topic=devices%2F%C3%A4&{V}")).await;
    assert_eq!((reply.status, &*reply.body), (200, &b"hello"[..]));
    let bytes = server.hub.retained.counts().bytes.to_string();
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        ("x-ms-mqtt-topic", "devices/%C3%A4"),
        ("x-ms-mqtt-qos", "1"),
        ("x-ms-mqtt-size", &bytes),
        ("x-ms-mqtt-expiry", "2025-11-21T10:01:00.000Z"),
        ("x-ms-mqtt-last-modified", "2025-11-21T10:00:00.000Z"),
        ("x-ms-mqtt-content-type", "text/plain"),
        ("x-ms-mqtt-user-properties", "W3siayI6InYifV0="),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    server.publish("topic=devices%2Fplain&retain=1&qos=0", "", b"x").await;
    let reply = get(&server, "subscriber", &format!("/message?topic=devices%2Fplain&{V}")).await;
    assert_eq!(reply.header("x-ms-mqtt-qos"), Some("0"));
    for absent in ["expiry", "content-type", "user-properties"] {
        assert_eq!(reply.header(&format!("x-ms-mqtt-{absent}")), None);
    }
}

#[tokio::test]
async fn get_refusals() {
    let server = Server::new();
    for (token, rest, status) in [
        ("bad", format!("/message?topic=devices&{V}"), 401),
        ("subscriber", "/message?topic=devices".to_owned(), 400),
        ("subscriber", format!("/message?{V}"), 400),
        ("subscriber", format!("/message?topic=&{V}"), 400),
        ("subscriber", format!("/message?topic=devices%2F%23&{V}"), 400),
        ("subscriber", format!("/message?topic=%2X&{V}"), 400),
        ("subscriber", format!("/message?topic=other&{V}"), 403),
        ("publisher", format!("/message?topic=devices&{V}"), 403),
        ("subscriber", format!("/message?topic=devices&{V}"), 404),
    ] {
        assert_eq!(get(&server, token, &rest).await.error().0, status, "{token} {rest}");
    }
}

#[tokio::test]
async fn delete_goes_through_the_door() {
    let server = Server::new();
    server.publish("topic=devices%2F1&retain=1", "", b"x").await;
    let rest = format!("/message?topic=devices%2F1&{V}");
    assert_eq!(ask(&server, "subscriber", "DELETE", &rest).await.error().0, 403);
    assert_eq!(ask(&server, "publisher", "DELETE", &rest).await.status, 204);
    let seen = server.hub.seen.lock().unwrap().pop().unwrap();
    assert!(seen.retain && seen.payload.is_empty());
    assert_eq!(ask(&server, "publisher", "DELETE", &rest).await.error().0, 404);
    let absent = format!("/message?topic=other&{V}");
    assert_eq!(ask(&server, "publisher", "DELETE", &absent).await.error().0, 403);
    let reply = ask(&server, "all", "POST", &rest).await;
    assert_eq!((reply.error().0, reply.header("allow")), (405, Some("GET,HEAD,DELETE")));
}

#[tokio::test]
async fn list_pages_to_the_end() {
    let server = Server::new();
    for n in 0..25 {
        server.publish(&format!("topic=devices%2F{n:02}%2Fx&retain=1"), "", b"12").await;
    }
    server.publish("topic=other&retain=1", "", b"x").await;
    let mut rest = format!("?topicFilter=devices%2F%2B%2Fx&maxResults=10&{V}");
    let mut topics = Vec::new();
    for expected in [10, 10, 5] {
        let reply = get(&server, "subscriber", &rest).await;
        assert_eq!(reply.status, 200);
        let page = reply.json();
        let messages = page["retainedMessages"].as_array().unwrap();
        assert_eq!(messages.len(), expected);
        topics.extend(messages.iter().map(|m| m["topic"].as_str().unwrap().to_owned()));
        match page["nextLink"].as_str() {
            Some(link) => {
                let path = link.strip_prefix("https://hub.example:8443/mqtt/retainedMessages");
                rest = path.unwrap().to_owned();
            }
            None => assert_eq!(expected, 5),
        }
    }
    let expected: Vec<String> = (0..25).map(|n| format!("devices/{n:02}/x")).collect();
    assert_eq!(topics, expected);
    let reply = get(&server, "all", &format!("?topicFilter=other&{V}")).await;
    assert_eq!(
        reply.json(),
        json!({"nextLink": null, "retainedMessages": [{
            "topic": "other", "qos": 1, "size": 6, "expiry": null,
            "lastModifiedTime": "2025-11-21T10:00:00.000Z",
        }]})
    );
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_page_that_ends_with_the_list_has_no_next() {
    let server = Server::new();
    for n in 0..3 {
        server.publish(&format!("topic=a%2F{n}&retain=1"), "", b"x").await;
    }
    let page = get(&server, "all", &format!("?topicFilter=%23&maxResults=3&{V}")).await.json();
    assert_eq!(page["retainedMessages"].as_array().unwrap().len(), 3);
    assert!(page["nextLink"].is_null());
}

#[tokio::test]
async fn list_refusals() {
    let server = Server::new();
    for (token, rest, status) in [
        ("bad", format!("?topicFilter=%23&{V}"), 401),
        ("all", "?topicFilter=%23".to_owned(), 400),
        ("all", format!("?{V}"), 400),
        ("all", format!("?topicFilter=a&continuationToken=b&{V}"), 400),
        ("all", format!("?continuationToken=b&{V}"), 400),
        ("all", format!("?topicFilter=a%2F%23%2Fb&{V}"), 400),
        ("all", format!("?topicFilter=&{V}"), 400),
        ("all", format!("?topicFilter=a&maxResults=101&{V}"), 400),
        ("subscriber", format!("?topicFilter=%23&{V}"), 403),
        ("subscriber", format!("?topicFilter=devices%2F%2B&{V}"), 200),
        ("publisher", format!("?topicFilter=devices%2F%2B&{V}"), 403),
    ] {
        assert_eq!(get(&server, token, &rest).await.status, status, "{token} {rest}");
    }
}
