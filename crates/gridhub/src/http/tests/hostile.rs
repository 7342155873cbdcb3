//! Peers that are slow, large or wrong.

use tokio::time::{Duration, Instant};

use super::{Server, publish_head};
use crate::http::server::Running;

#[tokio::test]
async fn headers_up_to_48_kib_are_taken_and_more_is_431() {
    let server = Server::new();
    let json = format!("[{{\"k\":\"{}\"}}]", "v".repeat(46 * 1024));
    let headers = format!("mqtt-user-properties: {json}\r\n");
    assert_eq!(server.publish("topic=a", &headers, b"").await.status, 204);
    for bytes in [48 * 1024, 100 * 1024] {
        let headers = format!("mqtt-user-properties: [{}]\r\n", " ".repeat(bytes));
        let reply = server.publish("topic=a", &headers, b"").await;
        assert_eq!(reply.error(), (431, "RequestHeadersTooLarge".to_owned()));
    }
    let target = format!("/healthz\r\nx: {}", "y".repeat(48 * 1024));
    let reply = server.ask(&format!("GET {} HTTP/1.1\r\nhost: h", &target[..8]), b"").await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn header_bombs_end_the_connection() {
    let server = Server::new();
    let many: String = (0..10_000).map(|n| format!("x-{n}: y\r\n")).collect();
    let one = format!("x: {}\r\n", "y".repeat(2_000_000));
    for bomb in [many, one] {
        let mut client = server.connect();
        client.send(format!("{}\r\n{bomb}\r\n", publish_head("topic=a", "")).as_bytes()).await;
        assert_eq!(client.head().await.status, 431);
        assert!(client.ended().await);
    }
    assert_eq!(server.publish("topic=a", "", b"").await.status, 204);
}

#[tokio::test]
async fn long_topics_in_the_query() {
    let server = Server::new();
    let topic = "x".repeat(60_000);
    assert_eq!(server.publish(&format!("topic={topic}"), "", b"").await.status, 204);
    let mut client = server.connect();
    let head = publish_head(&format!("topic={}", "x".repeat(70_000)), "");
    client.send(format!("{head}\r\n\r\n").as_bytes()).await;
    assert_eq!(client.head().await.status, 414);
    let reply = server.publish(&format!("topic={}", "x".repeat(62_000)), "", b"").await;
    assert_eq!(reply.error(), (414, "UriTooLong".to_owned()));
}

#[tokio::test]
async fn more_than_a_hundred_headers_are_431() {
    let server = Server::new();
    let headers = |count: usize| (0..count).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    // Three are there already: host, authorization, and the body's length.
    assert_eq!(server.publish("topic=a", &headers(97), b"x").await.status, 204);
    for count in [98, 390] {
        let reply = server.publish("topic=a", &headers(count), b"x").await;
        assert_eq!(reply.error(), (431, "RequestHeadersTooLarge".to_owned()), "{count}");
    }
}

#[tokio::test]
async fn nonsense_is_not_http() {
    let server = Server::new();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"POST /mqtt/messages HTTP/1.1\r\nhost: h\r\ncontent-length: -1\r\n\r\n",
        b"POST /mqtt/messages HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ] {
        let mut client = server.connect();
        client.send(bytes).await;
        assert_eq!(client.head().await.status, 400, "{bytes:?}");
        assert!(client.ended().await);
    }
}

#[tokio::test(start_paused = true)]
async fn slow_heads_and_idle_connections_are_closed() {
    let server = Server::new();
    for bytes in ["", "POST /mqtt/mess"] {
        let start = Instant::now();
        let mut client = server.connect();
        client.send(bytes.as_bytes()).await;
        assert!(client.ended().await);
        assert_eq!(start.elapsed().as_secs(), 60);
    }
    let mut client = server.connect();
    assert_eq!(client.ask(&publish_head("topic=a", ""), b"x").await.status, 204);
    assert!(client.ended().await);
}

#[tokio::test(start_paused = true)]
async fn slow_bodies_get_408() {
    let server = Server::new();
    let head = publish_head("topic=a", "content-length: 1000\r\n");
    let mut stalled = server.connect();
    stalled.send(format!("{head}\r\n\r\nabc").as_bytes()).await;
    let start = Instant::now();
    let reply = stalled.reply().await;
    assert_eq!(reply.error(), (408, "RequestTimeout".to_owned()));
    assert_eq!(start.elapsed().as_secs(), 15);
    assert!(stalled.ended().await);
    let mut dripping = server.connect();
    dripping.send(format!("{head}\r\n\r\n").as_bytes()).await;
    let start = Instant::now();
    for _ in 0..7 {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        tokio::time::advance(Duration::from_secs(9)).await;
        dripping.send(b"x").await;
    }
    assert_eq!(dripping.reply().await.status, 408);
    assert_eq!(start.elapsed().as_secs(), 63);
    assert!(server.hub.topics().is_empty());
}

#[tokio::test]
async fn a_body_that_breaks_off_publishes_nothing() {
    let server = Server::new();
    let mut client = server.connect();
    let head = publish_head("topic=a", "content-length: 10\r\n");
    client.send(format!("{head}\r\n\r\nabc").as_bytes()).await;
    drop(client);
    let mut client = server.connect();
    let chunked = publish_head("topic=a", "transfer-encoding: chunked\r\n");
    client.send(format!("{chunked}\r\n\r\nzz\r\n").as_bytes()).await;
    assert_eq!(client.head().await.status, 400);
    assert!(server.hub.topics().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_endless_body_of_a_refused_request_is_not_read_for_ever() {
    let server = Server::new();
    let mut client = server.connect();
    let head = "POST /mqtt/messages HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n";
    client.send(head.as_bytes()).await;
    let start = Instant::now();
    assert_eq!(client.reply().await.status, 401);
    assert!(client.ended().await);
    assert!(start.elapsed().as_secs() <= 6);
}

#[tokio::test]
async fn stopping_finishes_what_is_under_way() {
    let server = Server::with(super::Double::gated(), crate::http::Settings::default());
    let mut idle = server.connect();
    let mut busy = server.connect();
    busy.send(format!("{}\r\n\r\n", publish_head("topic=a", "")).as_bytes()).await;
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    server.stop.send_replace(Running::Stopping);
    assert!(idle.ended().await);
    server.hub.gate.add_permits(1);
    let reply = busy.reply().await;
    assert_eq!(reply.status, 204);
    assert!(busy.ended().await);
}

#[tokio::test]
async fn all_bodies_together_are_bounded() {
    let settings = crate::http::Settings { bodies_bytes_max: 1000, ..Default::default() };
    let server = Server::with(super::Double::gated(), settings);
    let mut first = server.connect();
    let head = publish_head("topic=a", "content-length: 900\r\n");
    first.send(format!("{head}\r\n\r\n{}", "x".repeat(900)).as_bytes()).await;
    while server.service.app().bodies.used() < 900 {
        tokio::task::yield_now().await;
    }
    let reply = server.publish("topic=a", "", &[b'x'; 200]).await;
    assert_eq!(reply.error(), (503, "ServiceUnavailable".to_owned()));
    server.hub.gate.add_permits(2);
    assert_eq!(first.reply().await.status, 204);
    assert_eq!(server.publish("topic=a", "", &[b'x'; 200]).await.status, 204);
    assert_eq!(server.service.app().bodies.used(), 0);
}
