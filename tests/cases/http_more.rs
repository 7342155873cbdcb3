//! HTTP Publish beyond Azure, and the transport: idempotency, batches, waiting, keep-alive, HTTP/2.
use crate::accept::{connect, payloads, plain, receive, subscribe};
use e2e::curl::Curl;
use e2e::{Foreign, Server, paho};
use serde_json::{Value, json};

const TARGET: &str = "/mqtt/messages?api-version=2025-08-01-preview&topic=a";
const BATCH: &str = "/mqtt/messages:batch?api-version=2025-08-01-preview";

fn ready() -> bool {
    Foreign::Curl.ready() && Foreign::Paho.ready()
}

#[test]
fn both_versions_of_http_keep_the_connection() {
    if !ready() {
        return;
    }
    let server = Server::new();
    for (flag, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let answer = Curl::to(&server, TARGET).post(b"x").arguments(&[flag]).send();
        assert_eq!((answer.status, answer.version.as_str()), (204, version));
        // The same address twice in one call: curl says how many connections it made for the last.
        let url = format!("{}{TARGET}", server.url());
        let count = ["-o", "-", "-w", "%{num_connects}", flag, &url];
        let twice = Curl::to(&server, TARGET).post(b"").arguments(&count).send();
        assert!(twice.text().ends_with('0'), "{flag}: {}", twice.text());
    }
}

#[test]
fn request_ids_differ_and_the_callers_is_echoed() {
    if !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    let id = |answer: &e2e::curl::Answer| answer.header("x-ms-request-id").unwrap().to_string();
    let first = Curl::to(&server, TARGET).post(b"x").send();
    let second = Curl::to(&server, TARGET).post(b"x").send();
    assert_ne!(id(&first), id(&second));
    let named = Curl::to(&server, TARGET).post(b"x").header("x-ms-client-request-id: mine").send();
    assert_eq!(named.header("x-ms-client-request-id"), Some("mine"));
}

#[test]
fn a_body_is_asked_for_before_it_is_sent() {
    if !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    let body = vec![b'x'; 100 << 10];
    for version in ["--http1.1", "--http2"] {
        let curl = Curl::to(&server, TARGET).post(&body).header("Expect: 100-continue");
        assert_eq!(curl.arguments(&[version]).send().status, 204, "{version}");
    }
}

#[test]
fn an_idempotency_key_counts_once() {
    if !ready() {
        return;
    }
    let server = Server::new();
    let mut hearer = paho();
    connect(&mut hearer, &plain(&server, 5, "hearer"));
    subscribe(&mut hearer, "a", 1);
    let send = |key: &str, body: &[u8]| {
        Curl::to(&server, TARGET).post(body).header(&format!("Idempotency-Key: {key}")).send()
    };
    assert_eq!(send("k1", b"first").status, 204);
    assert_eq!(send("k1", b"again").status, 204);
    assert_eq!(send("k2", b"second").status, 204);
    server.advance("3m");
    assert_eq!(send("k1", b"later").status, 204);
    assert_eq!(payloads(&mut hearer, 3), ["first", "second", "later"]);
    // What was refused does not use the key up.
    let refused = Curl::to(&server, &format!("{TARGET}&qos=9")).post(b"");
    refused.header("Idempotency-Key: k3").send().refused(400);
    assert_eq!(send("k3", b"fine").status, 204);
    assert_eq!(receive(&mut hearer)["payload"], "fine");
}

#[test]
fn waiting_tells_how_many_acknowledged() {
    if !ready() {
        return;
    }
    let server = Server::new();
    let wait = |seconds: u8| {
        let path = format!("{TARGET}&wait=delivered&timeout={seconds}");
        let answer = Curl::to(&server, &path).post(b"x").send();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    };
    assert_eq!(wait(5), json!({"delivered": 0, "subscribers": 0}));
    let mut hearers = [paho(), paho()];
    for (n, hearer) in hearers.iter_mut().enumerate() {
        connect(hearer, &plain(&server, 5, &format!("h{n}")));
        subscribe(hearer, "a", 1);
    }
    assert_eq!(wait(10), json!({"delivered": 2, "subscribers": 2}));
    // Offline counts as a subscriber, and cannot acknowledge.
    let mut gone = paho();
    let durable = json!({"clean": false, "properties": {"session_expiry": 600}});
    connect(&mut gone, &crate::accept::with(plain(&server, 5, "gone"), durable));
    subscribe(&mut gone, "a", 1);
    gone.ask(&json!({"do": "disconnect"}));
    assert_eq!(wait(1), json!({"delivered": 2, "subscribers": 3}));
    for wrong in ["wait=maybe", "wait=delivered&timeout=x"] {
        Curl::to(&server, &format!("{TARGET}&{wrong}")).post(b"x").send().refused(400);
    }
}

#[test]
fn a_batch_answers_for_each_item() {
    if !ready() {
        return;
    }
    let server = Server::new();
    let mut hearer = paho();
    connect(&mut hearer, &plain(&server, 5, "hearer"));
    subscribe(&mut hearer, "b/#", 1);
    let items = json!([
        {"topic": "b/1", "payload": "text", "qos": 1, "contentType": "text/plain",
         "userProperties": [{"k": "1"}, {"k": "2"}], "responseTopic": "b/r",
         "correlationData": "AAEC", "messageExpiry": 60, "payloadFormatIndicator": 1},
        {"topic": "b/#", "payload": "bad"},
        {"topic": "b/2", "payloadBase64": "eHl6", "qos": 0},
        {"payload": "no topic"},
        {"topic": "b/3", "qos": 7},
        {"topic": "b/4", "payload": "last", "retain": true},
    ]);
    let lines: String = items.as_array().unwrap().iter().map(|i| format!("{i}\n")).collect();
    let forms = [("application/json", items.to_string()), ("application/x-ndjson", lines)];
    for (kind, body) in forms {
        let content = format!("Content-Type: {kind}");
        let answer = Curl::to(&server, BATCH).post(body.as_bytes()).header(&content).send();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let results = answer.json()["results"].as_array().unwrap().clone();
        let statuses: Vec<u64> = results.iter().map(|r| r["status"].as_u64().unwrap()).collect();
        assert!(matches!(statuses[..], [202 | 204, 403, 202 | 204, 400, 400, 202 | 204]));
        assert!(
            results[1]["error"]["code"].is_string() && results[1]["error"]["message"].is_string()
        );
        let first = receive(&mut hearer);
        let expected = json!({
            "content_type": "text/plain", "user": [["k", "1"], ["k", "2"]],
            "response_topic": "b/r", "correlation_data": "000102", "expiry": 60,
            "payload_format": 1,
        });
        assert_eq!(first["properties"], expected, "{kind}");
        assert_eq!(payloads(&mut hearer, 2), ["xyz", "last"], "{kind}");
    }
    let wrong = Curl::to(&server, BATCH).post(b"{").header("Content-Type: application/json");
    wrong.send().refused(400);
    Curl::anonymous(&server, BATCH).post(b"[]").send().refused(401);
}

#[test]
fn many_requests_at_once_all_arrive() {
    if !ready() {
        return;
    }
    let server = Server::new();
    let mut hearer = paho();
    connect(&mut hearer, &plain(&server, 5, "hearer"));
    subscribe(&mut hearer, "a", 1);
    std::thread::scope(|scope| {
        for n in 0..20_u8 {
            let request = Curl::to(&server, TARGET).post(&[b'a' + n]);
            scope.spawn(move || {
                let answer = request.send();
                assert_eq!(answer.status, 204, "{}", answer.text());
            });
        }
    });
    let mut heard = payloads(&mut hearer, 20);
    heard.sort_unstable();
    let sent: Vec<String> = (0..20_u8).map(|n| char::from(b'a' + n).to_string()).collect();
    assert_eq!(heard, sent);
    let quiet: Value = hearer.ask(&json!({"do": "quiet"}));
    assert_eq!(quiet["waiting"], 0);
}
