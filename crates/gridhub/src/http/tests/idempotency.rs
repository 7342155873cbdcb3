//! `Idempotency-Key` (product 4).

use std::sync::atomic::Ordering;

use super::double::{Double, quota};
use super::{Server, publish_head};
use crate::http::app::Settings;
use broker::limits::Limits;

#[tokio::test]
async fn a_key_is_published_once_in_two_minutes() {
    let server = Server::new();
    for _ in 0..3 {
        let reply = server.publish("topic=a", "idempotency-key: k1\r\n", b"x").await;
        assert_eq!(reply.status, 204);
    }
    assert_eq!(server.hub.topics().len(), 1);
    let other = publish_head("topic=a", "idempotency-key: k1\r\n").replace("all", "other");
    assert_eq!(server.ask(&other, b"x").await.status, 204);
    assert_eq!(server.hub.topics().len(), 2);
    server.hub.wall_ms.fetch_add(120_000, Ordering::Relaxed);
    server.publish("topic=a", "idempotency-key: k1\r\n", b"x").await;
    assert_eq!(server.hub.topics().len(), 3);
}

#[tokio::test]
async fn a_refused_request_does_not_use_the_key_up() {
    let server = Server::new();
    server.hub.refusals.lock().unwrap().push_back(quota());
    let key = "idempotency-key: k\r\n";
    assert_eq!(server.publish("topic=a", key, b"").await.status, 429);
    assert_eq!(server.publish("topic=%23", key, b"").await.status, 403);
    assert_eq!(server.publish("topic=a&qos=9", key, b"").await.status, 400);
    assert_eq!(server.publish("topic=a", key, b"").await.status, 204);
    assert_eq!(server.publish("topic=a", key, b"").await.status, 204);
    assert_eq!(server.hub.topics().len(), 1);
}

#[tokio::test]
async fn concurrent_repeats_wait_for_the_first() {
    let server = Server::with(Double::gated(), Settings::default());
    let head = format!("{}\r\n\r\n", publish_head("topic=a", "idempotency-key: k\r\n"));
    let mut clients: Vec<_> = (0..5).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(head.as_bytes()).await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    server.hub.gate.add_permits(1);
    for client in &mut clients {
        assert_eq!(client.reply().await.status, 204);
    }
    assert_eq!(server.hub.topics().len(), 1);
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_publish_twice() {
    let server = Server::with(Double::gated(), Settings::default());
    let head = format!("{}\r\n\r\n", publish_head("topic=a", "idempotency-key: k\r\n"));
    let mut first = server.connect();
    first.send(head.as_bytes()).await;
    while server.service.app().keys.count() == 0 {
        tokio::task::yield_now().await;
    }
    drop(first);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    server.hub.gate.add_permits(2);
    let reply = server.publish("topic=a", "idempotency-key: k\r\n", b"").await;
    assert_eq!(reply.status, 204);
    assert_eq!(server.hub.topics().len(), 1);
}

#[tokio::test]
async fn at_the_bound_new_keys_are_refused() {
    let limits = Limits { idempotency_keys_max: 1, ..Limits::open() };
    let server = Server::with(Double::with(limits), Settings::default());
    assert_eq!(server.publish("topic=a", "idempotency-key: 1\r\n", b"").await.status, 204);
    let reply = server.publish("topic=a", "idempotency-key: 2\r\n", b"").await;
    assert_eq!(reply.error().0, 429);
    assert_eq!(reply.header("retry-after"), Some("120"));
    assert_eq!(server.publish("topic=a", "idempotency-key: 1\r\n", b"").await.status, 204);
    assert_eq!(server.publish("topic=a", "", b"").await.status, 204);
}
