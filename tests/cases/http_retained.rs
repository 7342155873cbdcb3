//! Retained messages over HTTP: get, list with pages, delete.
use crate::accept::{connect, plain, receive, subscribe};
use e2e::curl::Curl;
use e2e::{Foreign, Server, paho};
use serde_json::json;

const VERSION: &str = "api-version=2025-11-16-preview";

fn retain(server: &Server, topic: &str, body: &[u8], headers: &[&str]) {
    let path = format!("/mqtt/messages?{VERSION}&topic={topic}&retain=1&qos=1");
    let mut curl = Curl::to(server, &path).post(body);
    for header in headers {
        curl = curl.header(header);
    }
    let answer = curl.send();
    assert_eq!(answer.status, 204, "{topic}: {}", answer.text());
}

fn message(topic: &str) -> String {
    format!("/mqtt/retainedMessages/message?{VERSION}&topic={topic}")
}

fn list(rest: &str) -> String {
    format!("/mqtt/retainedMessages?{VERSION}&{rest}")
}

#[test]
fn one_is_read_with_its_metadata_and_deleted() {
    if !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    let headers = ["Content-Type: text/plain", "mqtt-user-properties: [{\"k\":\"v\"}]"];
    retain(&server, "r%2Fa", b"payload", &headers);
    let answer = Curl::to(&server, &message("r%2Fa")).send();
    assert_eq!((answer.status, answer.text().as_str()), (200, "payload"));
    assert_eq!(answer.header("x-ms-mqtt-topic"), Some("r/a"));
    assert_eq!(answer.header("x-ms-mqtt-qos"), Some("1"));
    let size: usize = answer.header("x-ms-mqtt-size").unwrap().parse().unwrap();
    assert!(size >= "payload".len(), "{size}");
    assert!(answer.header("x-ms-mqtt-expiry").is_none());
    let modified = answer.header("x-ms-mqtt-last-modified").unwrap();
    assert!(modified.contains('T') && modified.ends_with('Z'), "{modified}");
    assert_eq!(answer.header("x-ms-mqtt-content-type"), Some("text/plain"));
    assert!(answer.header("x-ms-mqtt-user-properties").is_some());
    let delete = |topic| Curl::to(&server, &message(topic)).arguments(&["-X", "DELETE"]).send();
    assert_eq!(delete("r%2Fa").status, 204);
    delete("r%2Fa").refused(404);
    Curl::to(&server, &message("r%2Fa")).send().refused(404);
}

#[test]
fn what_is_stored_over_http_is_kept_for_mqtt() {
    if !Foreign::Curl.ready() || !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    retain(&server, "both", b"kept", &["mqtt-message-expiry: 60"]);
    let mut client = paho();
    connect(&mut client, &plain(&server, 5, "late"));
    subscribe(&mut client, "both", 1);
    let kept = receive(&mut client);
    assert_eq!((&kept["payload"], &kept["retain"]), (&json!("kept"), &json!(true)));
    assert!(Curl::to(&server, &message("both")).send().header("x-ms-mqtt-expiry").is_some());
    server.advance("61s");
    Curl::to(&server, &message("both")).send().refused(404);
}

#[test]
fn lists_come_in_pages() {
    if !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    for n in 0..7 {
        retain(&server, &format!("list%2F{n}"), b"x", &[]);
    }
    retain(&server, "other", b"x", &[]);
    let mut path = list("topicFilter=list%2F%2B&maxResults=3");
    let (mut topics, mut pages) = (Vec::new(), 0);
    loop {
        let answer = Curl::to(&server, &path).send();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let page = answer.json();
        for item in page["retainedMessages"].as_array().unwrap() {
            assert!(item["qos"].is_u64() && item["size"].is_u64(), "{item}");
            assert!(item["expiry"].is_null() && item["lastModifiedTime"].is_string(), "{item}");
            topics.push(item["topic"].as_str().unwrap().to_string());
        }
        pages += 1;
        let Some(next) = page["nextLink"].as_str() else { break };
        path = next.strip_prefix(&server.url()).expect("the same host").to_string();
    }
    topics.sort_unstable();
    let expected: Vec<String> = (0..7).map(|n| format!("list/{n}")).collect();
    assert_eq!((topics, pages), (expected, 3));
    let all = Curl::to(&server, &list("topicFilter=%23")).send().json();
    assert_eq!(all["retainedMessages"].as_array().unwrap().len(), 8);
}

#[test]
fn wrong_requests_are_refused() {
    if !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    retain(&server, "here", b"x", &[]);
    for query in [
        "",
        "topicFilter=a%2F%23%2Fb",
        "topicFilter=",
        "topicFilter=a&maxResults=0",
        "topicFilter=a&maxResults=101",
        "topicFilter=a&continuationToken=b",
        "continuationToken=made-up",
    ] {
        let answer = Curl::to(&server, &list(query)).send();
        assert_eq!(answer.status, 400, "{query}: {}", answer.text());
        answer.refused(400);
    }
    Curl::to(&server, "/mqtt/retainedMessages?topicFilter=a").send().refused(400);
    Curl::to(&server, &message("a%2F%23")).send().refused(400);
    Curl::anonymous(&server, &message("here")).send().refused(401);
    Curl::anonymous(&server, &list("topicFilter=%23")).send().refused(401);
    let words = ["token", "--name", "mouth", "--role", "publisher"];
    let token = String::from_utf8(server.verb(&words).output().stdout).unwrap();
    let header = format!("Authorization: Bearer {}", token.trim());
    Curl::anonymous(&server, &message("here")).header(&header).send().refused(403);
    Curl::anonymous(&server, &list("topicFilter=%23")).header(&header).send().refused(403);
}
