//! `POST /mqtt/messages`: statuses, order of judgement, keep-alive (event-grid 2).

use std::sync::atomic::Ordering;

use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::property::{Properties, Property};
use node::door::Published;

use super::double::{Double, quota};
use super::{Server, publish_head};
use crate::config::Profile;
use crate::config::http::HttpConfig;
use crate::http::app::Settings;
use broker::limits::Limits;

#[tokio::test]
async fn published_sample_reaches_the_door_as_decoded() {
    let server = Server::new();
    let reply = server
        .publish(
            "topic=devices%2FCXa-23112%2Fprompt&qos=1",
            "mqtt-response-topic: devices%2FCXa-23112%2Freply\r\n\
             mqtt-correlation-data: PlXCscK2wrbCuy8=\r\n\
             mqtt-user-properties: W3siVXJnZW5jeSI6ImFsZXJ0In0seyJSZXF1ZXN0SWQiOiI1NWY0YTdlZS1iMGI\
             0LTRkN2YtOGViNS0yZWRiYTJjZWQ1ZDcifV0=\r\ncontent-type: text/plain\r\n",
            b"hello",
        )
        .await;
    assert_eq!((reply.status, reply.body.len()), (204, 0));
    assert!(reply.header("x-ms-request-id").is_some());
    let seen = server.hub.seen.lock().unwrap();
    let request = &seen[0];
    assert_eq!(request.topic, "devices/CXa-23112/prompt");
    assert_eq!((request.qos, request.retain), (QoS::AtLeastOnce, false));
    assert_eq!(request.payload, b"hello");
    let properties: Vec<_> = Properties::trusted(&request.properties).iter().collect();
    assert_eq!(
        properties,
        [
            Property::ContentType("text/plain"),
            Property::ResponseTopic("devices/CXa-23112/reply"),
            Property::CorrelationData(b"\x3e\x55\xc2\xb1\xc2\xb6\xc2\xb6\xc2\xbb\x2f"),
            Property::User("Urgency", "alert"),
            Property::User("RequestId", "55f4a7ee-b0b4-4d7f-8eb5-2edba2ced5d7"),
        ]
    );
}

/// Each row breaks one rule more than the row below it: the first broken one must answer.
#[tokio::test]
async fn rules_answer_in_the_order_of_the_specification() {
    let config = HttpConfig { publish_per_second_max: Some(1), ..HttpConfig::default() };
    let settings = Settings::of(&config, Profile::Open);
    let server = Server::with(Double::open(), settings);
    let version = "api-version=2025-08-01-preview";
    let head = |token: &str, query: String| {
        format!("POST /mqtt/messages?{query} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {token}")
    };
    let large = vec![b'x'; 512 * 1024 + 1];
    let rows = [
        ("bad", "topic=%23&qos=2&api-version=x".to_owned(), true, 401),
        ("publisher", "topic=%23&qos=2&api-version=x".to_owned(), true, 400),
        ("publisher", format!("topic=%23&qos=2&{version}"), true, 400),
        ("publisher", format!("topic=%23&{version}"), true, 413),
        ("publisher", format!("topic=%23&{version}"), false, 403),
        ("publisher", format!("topic=other&{version}"), false, 403),
        ("publisher", format!("topic=devices&{version}"), false, 204),
        ("publisher", format!("topic=other&{version}"), false, 403),
        ("publisher", format!("topic=devices&{version}"), false, 429),
    ];
    for (n, (token, query, too_large, status)) in rows.into_iter().enumerate() {
        let body: &[u8] = if too_large { &large } else { b"x" };
        let reply = server.ask(&head(token, query), body).await;
        assert_eq!(reply.status, status, "row {n}");
        if status != 204 {
            reply.error();
        }
        if status == 429 {
            assert_eq!(reply.header("retry-after"), Some("1"));
        }
    }
    assert_eq!(server.hub.topics(), ["devices"]);
}

#[tokio::test]
async fn unauthorized_says_why_and_how() {
    let server = Server::new();
    let target = "POST /mqtt/messages?topic=a&api-version=2025-08-01-preview HTTP/1.1\r\nhost: h";
    let none = server.ask(target, b"").await;
    assert_eq!(none.error(), (401, "Unauthorized".to_owned()));
    assert_eq!(none.header("www-authenticate"), Some("Bearer realm=\"gridhub\""));
    let expired = server.ask(&format!("{target}\r\nauthorization: Bearer old"), b"").await;
    assert_eq!(expired.status, 401);
    let challenge = expired.header("www-authenticate").unwrap();
    assert!(challenge.contains("error=\"invalid_token\", error_description=\"the token has exp"));
    for wrong in ["Basic YTpi", "Bearer", "Bearer all\r\nauthorization: Bearer all"] {
        let reply = server.ask(&format!("{target}\r\nauthorization: {wrong}"), b"").await;
        assert_eq!(reply.status, 401, "{wrong}");
    }
}

#[tokio::test]
async fn bad_requests_name_the_fix() {
    let server = Server::new();
    let head = "POST /mqtt/messages?topic=a HTTP/1.1\r\nhost: h\r\nauthorization: Bearer all";
    let reply = server.ask(head, b"").await;
    assert_eq!(reply.error(), (400, "MissingApiVersion".to_owned()));
    assert!(reply.message().contains("2025-08-01-preview"));
    for (query, headers, piece) in [
        ("qos=1", "", "'topic' is missing"),
        ("topic=a&topic=a", "", "more than once"),
        ("topic=a&qos=2", "", "0 or 1"),
        ("topic=a%2XXXX", "", "%25"),
        ("topic=a", "mqtt-correlation-data: *\r\n", "base64"),
        ("topic=a", "idempotency-key:\r\n", "1 to 255"),
        ("topic=a&wait=no", "", "delivered"),
    ] {
        let reply = server.publish(query, headers, b"").await;
        assert_eq!(reply.status, 400, "{query}");
        assert!(reply.message().contains(piece), "{query}: {}", reply.message());
    }
    assert!(server.hub.topics().is_empty());
}

#[tokio::test]
async fn invalid_and_reserved_topics_are_forbidden() {
    let open = Server::new();
    for topic in ["", "a%2F%2B", "a%2F%23", "%23", "a%00b", "$SYS%2Fx", "$share%2Fg%2Fa"] {
        let reply = open.publish(&format!("topic={topic}"), "", b"").await;
        assert_eq!(reply.status, 403, "{topic}");
    }
    let deep = "1%2F2%2F3%2F4%2F5%2F6%2F7%2F8%2F9";
    assert_eq!(open.publish(&format!("topic={deep}"), "", b"").await.status, 204);
    let strict = Server::with(Double::with(Limits::event_grid()), Settings::default());
    let long = "x".repeat(257);
    for topic in [deep, &long, "$own%2Fx"] {
        let reply = strict.publish(&format!("topic={topic}"), "", b"").await;
        assert_eq!(reply.error(), (403, "NotAuthorized".to_owned()), "{topic}");
    }
    assert_eq!(strict.publish("topic=1%2F2%2F3%2F4%2F5%2F6%2F7%2F8", "", b"").await.status, 204);
}

#[tokio::test]
async fn sizes() {
    let server = Server::new();
    let body = |bytes| vec![b'x'; bytes];
    let rows = [
        ("topic=a", 0, 204),
        ("topic=a", 512 * 1024, 204),
        ("topic=a", 512 * 1024 + 1, 413),
        ("topic=a&retain=1", 64 * 1024, 204),
        ("topic=a&retain=1", 64 * 1024 + 1, 413),
        ("topic=a", 64 * 1024 + 1, 204),
    ];
    for (query, bytes, status) in rows {
        let reply = server.publish(query, "", &body(bytes)).await;
        assert_eq!(reply.status, status, "{query} {bytes}");
    }
}

#[tokio::test]
async fn outcomes_of_the_door() {
    let server = Server::new();
    let refused = |reason| Published::Refused { reason, why: "because" };
    for (published, status) in [
        (quota(), 429),
        (refused(Reason::PACKET_TOO_LARGE), 413),
        (refused(Reason::SERVER_SHUTTING_DOWN), 503),
        (refused(Reason::TOPIC_NAME_INVALID), 403),
        (refused(Reason::PAYLOAD_FORMAT_INVALID), 400),
        (refused(Reason::UNSPECIFIED_ERROR), 500),
    ] {
        server.hub.refusals.lock().unwrap().push_back(published);
        let reply = server.publish("topic=a", "", b"").await;
        assert_eq!(reply.error().0, status);
        let retry = [429, 503].contains(&status);
        assert_eq!(reply.header("retry-after").is_some(), retry, "{status}");
    }
}

#[tokio::test]
async fn other_methods_and_paths() {
    let server = Server::new();
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let head = format!("{method} /mqtt/messages?topic=a HTTP/1.1\r\nhost: h");
        let reply = server.ask(&head, b"").await;
        assert_eq!(reply.error().0, 405, "{method}");
        assert_eq!(reply.header("allow"), Some("POST"));
    }
    let reply = server.ask("HEAD /mqtt/messages HTTP/1.1\r\nhost: h", b"").await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
    for target in ["/", "/mqtt/", "/mqtt/messages/", "/mqtt/Messages", "//mqtt/messages", "/x?y=1"]
    {
        let reply = server.ask(&format!("POST {target} HTTP/1.1\r\nhost: h"), b"x").await;
        assert_eq!(reply.error(), (404, "NotFound".to_owned()), "{target}");
    }
    let reply = server.ask("PUT /mqtt/messages:batch HTTP/1.1\r\nhost: h", b"").await;
    assert_eq!(reply.error().0, 405);
    assert_eq!(reply.header("allow"), Some("POST"));
}

#[tokio::test]
async fn request_ids_differ_and_the_callers_is_echoed() {
    let server = Server::new();
    let mut client = server.connect();
    let head = publish_head("topic=a", "x-ms-client-request-id: mine\r\n");
    let one = client.ask(&head, b"").await;
    let two = client.ask(&head, b"").await;
    assert_ne!(one.header("x-ms-request-id"), two.header("x-ms-request-id"));
    assert_eq!(one.header("x-ms-client-request-id"), Some("mine"));
    let long = format!("x-ms-client-request-id: {}\r\n", "x".repeat(129));
    let reply = client.ask(&publish_head("topic=a", &long), b"").await;
    assert_eq!(reply.header("x-ms-client-request-id"), None);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_on_one_connection() {
    let server = Server::new();
    let mut client = server.connect();
    let mut bytes = Vec::new();
    for n in 0..20 {
        let head = publish_head(&format!("topic=a%2F{n}"), "content-length: 2\r\n");
        bytes.extend_from_slice(format!("{head}\r\n\r\nhi").as_bytes());
    }
    bytes.extend_from_slice(b"GET /healthz HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
    client.send(&bytes).await;
    for _ in 0..20 {
        assert_eq!(client.reply().await.status, 204);
    }
    assert_eq!(client.reply().await.status, 200);
    assert!(client.ended().await);
    let expected: Vec<String> = (0..20).map(|n| format!("a/{n}")).collect();
    assert_eq!(server.hub.topics(), expected);
}

#[tokio::test]
async fn a_refused_request_leaves_the_connection_usable() {
    let server = Server::new();
    let mut client = server.connect();
    let large = vec![b'x'; 600 * 1024];
    let reply = client.ask(&publish_head("topic=a", ""), &large).await;
    assert_eq!(reply.status, 413);
    let bad = "POST /mqtt/messages HTTP/1.1\r\nhost: h";
    assert_eq!(client.ask(bad, &large[..100_000]).await.status, 401);
    assert_eq!(client.ask(&publish_head("topic=a", ""), b"x").await.status, 204);
}

#[tokio::test]
async fn chunked_bodies_are_bounded_and_read() {
    let server = Server::new();
    let mut client = server.connect();
    let head = publish_head("topic=a", "transfer-encoding: chunked\r\n");
    client.send(format!("{head}\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").as_bytes()).await;
    assert_eq!(client.reply().await.status, 204);
    assert_eq!(server.hub.seen.lock().unwrap()[0].payload, b"abcde");
    client.send(format!("{head}\r\n\r\n100000\r\n").as_bytes()).await;
    client.send(&vec![b'x'; 0x10_0000]).await;
    assert_eq!(client.reply().await.status, 413);
}

#[tokio::test]
async fn expect_continue_is_answered_after_the_head_was_judged() {
    let server = Server::new();
    let mut client = server.connect();
    let expect = "expect: 100-continue\r\ncontent-length: 5\r\n";
    client.send(format!("{}\r\n\r\n", publish_head("topic=a", expect)).as_bytes()).await;
    assert_eq!(client.reply().await.status, 100);
    client.send(b"hello").await;
    assert_eq!(client.reply().await.status, 204);
    let too_large = "expect: 100-continue\r\ncontent-length: 600000\r\n";
    client.send(format!("{}\r\n\r\n", publish_head("topic=a", too_large)).as_bytes()).await;
    assert_eq!(client.reply().await.status, 413);
    assert!(client.ended().await);
}

#[tokio::test(start_paused = true)]
async fn wait_delivered_counts_until_all_or_the_time_is_over() {
    let server = Server::new();
    let mut client = server.connect();
    let head = publish_head("topic=a&wait=delivered&timeout=5", "");
    client.send(format!("{head}\r\n\r\n").as_bytes()).await;
    while server.hub.watches.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let watch = server.hub.watches.lock().unwrap()[0].clone();
    watch.delivered();
    watch.delivered();
    let reply = client.reply().await;
    assert_eq!((reply.status, &*reply.body), (200, &br#"{"delivered":2,"subscribers":2}"#[..]));
    let reply = client.ask(&head, b"").await;
    assert_eq!((reply.status, &*reply.body), (200, &br#"{"delivered":0,"subscribers":2}"#[..]));
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn not_ready_is_503_but_for_probes() {
    let server = Server::new();
    server.hub.ready.store(false, Ordering::Relaxed);
    let reply = server.publish("topic=a", "", b"").await;
    assert_eq!(reply.error(), (503, "ServiceUnavailable".to_owned()));
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!(server.get("/admin/sessions").await.status, 503);
    assert_eq!(server.get("/readyz").await.status, 503);
    assert_eq!(server.get("/healthz").await.status, 200);
}
