//! `Idempotency-Key` (product 4).

use std::sync::atomic::Ordering;

use super::double::{Double, quota};
use super::{Server, publish_head};
use crate::http::app::Settings;
use broker::limits::Limits;
use node::door::{Published, RequestKey};
use node::journal::FoundRequest;
use store::op::Sequence;

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
async fn a_disk_that_is_full_does_not_use_the_key_up() {
    let server = Server::new();
    server.hub.refusals.lock().unwrap().push_back(Published::Unstored { why: "it is full" });
    let key = "idempotency-key: k\r\n";
    let reply = server.publish("topic=a", key, b"").await;
    assert_eq!((reply.status, reply.error().1.as_str()), (507, "InsufficientStorage"));
    assert_eq!(server.publish("topic=a", key, b"").await.status, 204);
    assert_eq!(server.hub.topics().len(), 1);
}

#[tokio::test]
async fn the_door_gets_the_key_with_its_publish() {
    let server = Server::new();
    server.publish("topic=a", "idempotency-key: k\r\n", b"").await;
    server.publish("topic=a", "", b"").await;
    let seen = server.hub.seen.lock().unwrap();
    let key = RequestKey { key: "k".into(), item: None, kept_ms: 120_000 };
    assert_eq!([&seen[0].key, &seen[1].key], [&Some(key), &None]);
}

#[tokio::test]
async fn keys_of_an_earlier_run_are_known() {
    let server = Server::new();
    let now_ms = server.hub.wall_ms.load(Ordering::Relaxed);
    let found = |principal: &str, key: &str, item, ends_at_ms| FoundRequest {
        principal: principal.into(),
        key: key.into(),
        item,
        ends_at_ms,
        sequence: Sequence(1),
    };
    let keys = &server.service.app().keys;
    let found = vec![
        found("all", "2", None, now_ms + 90_000),
        found("all", "1", None, now_ms + 60_000),
        found("all", "ended", None, now_ms),
        found("all", "moved", None, now_ms + 9_000_000),
        found("other", "3", None, now_ms + 60_000),
        found("all", "4", Some(0), now_ms + 60_000),
    ];
    keys.restore(found, now_ms);
    assert_eq!(keys.count(), 5);
    let publish = async |key: &str| {
        let before = server.hub.topics().len();
        let head = format!("idempotency-key: {key}\r\n");
        assert_eq!(server.publish("topic=a", &head, b"").await.status, 204);
        if server.hub.topics().len() == before { "known" } else { "new" }
    };
    for (key, wanted) in [
        ("1", "known"),
        ("2", "known"),
        ("moved", "known"),
        ("ended", "new"),
        ("3", "new"),
        ("4", "new"),
    ] {
        assert_eq!(publish(key).await, wanted, "{key}");
    }
    server.hub.wall_ms.fetch_add(60_000, Ordering::Relaxed);
    assert_eq!((publish("1").await, publish("2").await), ("new", "known"));
    server.hub.wall_ms.fetch_add(60_000, Ordering::Relaxed);
    assert_eq!(publish("moved").await, "new", "no key is known for more than two minutes");
}

#[tokio::test]
async fn more_keys_than_the_bound_are_all_remembered() {
    let limits = Limits { idempotency_keys_max: 1, ..Limits::open() };
    let server = Server::with(Double::with(limits), Settings::default());
    let now_ms = server.hub.wall_ms.load(Ordering::Relaxed);
    let found = (1..=3).map(|n| FoundRequest {
        principal: "all".into(),
        key: n.to_string().into(),
        item: None,
        ends_at_ms: now_ms + n * 10_000,
        sequence: Sequence(n),
    });
    server.service.app().keys.restore(found.collect(), now_ms);
    let publish =
        async |key| server.publish("topic=a", &format!("idempotency-key: {key}\r\n"), b"").await;
    for key in ["1", "2", "3"] {
        assert_eq!(publish(key).await.status, 204);
    }
    assert!(server.hub.topics().is_empty());
    assert_eq!(publish("4").await.status, 429);
    server.hub.wall_ms.fetch_add(30_000, Ordering::Relaxed);
    assert_eq!(publish("4").await.status, 204);
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
