//! The log of refusals: what a line holds, what it never holds, and its bound.

use std::io::Write;
use std::sync::{Arc, Mutex, Once, PoisonError};

use serde_json::Value;
use tokio::time::Duration;
use tracing::subscriber::DefaultGuard;

use super::{Server, publish_head};

/// Log lines of this thread, as JSON.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn capture() -> (Self, DefaultGuard) {
        // Where no subscriber lives a place in the code is remembered as one that nobody hears,
        // until that is asked again: other tests' subscribers come and go meanwhile.
        static HEARD: Once = Once::new();
        HEARD.call_once(|| {
            let deaf = tracing_subscriber::fmt().with_writer(std::io::sink);
            let _ = deaf.with_max_level(tracing::Level::DEBUG).try_init();
        });
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(move || writer.clone())
            .finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    /// The fields of the lines with this message.
    fn of(&self, message: &str) -> Vec<Value> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = String::from_utf8(bytes).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let lines = lines.filter(|line| line["fields"]["message"] == message);
        lines
            .map(|line| {
                let mut fields = line["fields"].clone();
                fields["level"] = line["level"].clone();
                fields
            })
            .collect()
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_refusal_leaves_one_line_without_secrets() {
    let (lines, _guard) = Lines::capture();
    let server = Server::new();
    let head = publish_head("topic=%23&sig=hidden", "").replace("Bearer all", "Bearer publisher");
    let forbidden = server.ask(&head, b"x").await;
    let head = head.replace("Bearer publisher", "Bearer hunter2");
    assert_eq!(server.ask(&head, b"x").await.status, 401);
    let refused = lines.of("refused");
    assert_eq!(refused.len(), 2);
    let line = &refused[0];
    for (field, value) in [
        ("level", "WARN"),
        ("method", "POST"),
        ("path", "/mqtt/messages"),
        ("code", "InvalidTopic"),
        ("why", &*forbidden.message()),
        ("principal", "publisher"),
        ("request_id", forbidden.header("x-ms-request-id").unwrap()),
        ("peer", "127.0.0.1:50000"),
    ] {
        assert_eq!(line[field], value, "{field}");
    }
    assert_eq!(line["status"], 403);
    assert_eq!(refused[1]["status"], 401);
    assert_eq!(refused[1]["principal"], Value::Null);
    for secret in ["hunter2", "hidden", "Bearer publisher"] {
        assert!(!lines.text().contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn routed_paths_and_batch_items_are_logged_too() {
    let (lines, _guard) = Lines::capture();
    let server = Server::new();
    assert_eq!(server.get("/nothing?x=1").await.status, 404);
    let admin = "GET /admin/sessions HTTP/1.1\r\nhost: h\r\nauthorization: Bearer publisher";
    assert_eq!(server.ask(admin, b"").await.status, 403);
    let batch = "POST /mqtt/messages:batch?api-version=2025-08-01-preview HTTP/1.1\r\nhost: h\r\n\
                 authorization: Bearer all\r\ncontent-type: application/json";
    let items = br##"[{"topic":"a"},{"topic":"#"},{"topic":"b","qos":7}]"##;
    assert_eq!(server.ask(batch, items).await.status, 200);
    let told: Vec<_> = lines
        .of("refused")
        .iter()
        .map(|line| format!("{} {} {}", line["path"], line["status"], line["item"]))
        .collect();
    assert_eq!(
        told,
        [
            "\"/nothing\" 404 null",
            "\"/admin/sessions\" 403 null",
            "\"/mqtt/messages:batch\" 403 1",
            "\"/mqtt/messages:batch\" 400 2",
        ]
    );
}

#[tokio::test]
async fn accepted_publishes_are_told_at_debug() {
    let (lines, _guard) = Lines::capture();
    let server = Server::new();
    let reply = server.publish("topic=a%2Fb", "", b"x").await;
    let published = lines.of("published");
    assert_eq!(published.len(), 1);
    for (field, value) in [
        ("level", "DEBUG"),
        ("protocol", "http-publish"),
        ("topic", "a/b"),
        ("principal", "all"),
        ("peer", "127.0.0.1:50000"),
        ("request_id", reply.header("x-ms-request-id").unwrap()),
    ] {
        assert_eq!(published[0][field], value, "{field}");
    }
    assert!(lines.of("refused").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_counted_and_long_words_are_cut() {
    let (lines, _guard) = Lines::capture();
    let server = Server::new();
    let mut client = server.connect();
    let long = format!("GET /{} HTTP/1.1\r\nhost: h", "x".repeat(10_000));
    for _ in 0..100 {
        assert_eq!(client.ask(&long, b"").await.status, 404);
    }
    assert_eq!(lines.of("refused").len(), 64);
    assert!(lines.of("refused")[0]["path"].as_str().unwrap().len() <= 512);
    assert!(lines.of("refused")[0]["why"].as_str().unwrap().len() <= 512);
    tokio::time::sleep(Duration::from_millis(1001)).await;
    let summary = lines.of("more refusals in this second were left out");
    assert_eq!(summary.iter().map(|line| line["count"].as_u64()).collect::<Vec<_>>(), [Some(36)]);
    assert_eq!(client.ask(&long, b"").await.status, 404);
    assert_eq!(lines.of("refused").len(), 65);
    let metrics = String::from_utf8(server.get("/metrics").await.body).unwrap();
    assert!(metrics.contains("\ngridhub_http_refusals_left_out_total 36\n"), "{metrics}");
}

#[tokio::test]
async fn what_is_no_http_is_told_and_counted() {
    let (lines, _guard) = Lines::capture();
    let server = Server::new();
    let mut client = server.connect();
    client.send(b"GET\r\n\r\n").await;
    assert_eq!(client.head().await.status, 400);
    assert!(client.ended().await);
    let told = lines.of("refused what is no readable request");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["peer"], "127.0.0.1:50000");
    let metrics = String::from_utf8(server.get("/metrics").await.body).unwrap();
    assert!(metrics.contains("\ngridhub_http_unreadable_total 1\n"), "{metrics}");
}
