//! HTTP/1.1 by hand over TLS: several requests in one write, answered in order.
use e2e::Server;
use e2e::tls::{Proof, Tls, open};
use std::io::{ErrorKind, Read, Write};

fn https(server: &Server) -> Tls {
    let port = server.url().rsplit(':').next().and_then(|p| p.parse().ok());
    open(server, port.expect("a port"), &Proof::Nothing)
}

/// All that comes until the server closes; HTTP delimits itself, so a bare close is an end too.
fn everything(tls: &mut Tls) -> String {
    let mut text = Vec::new();
    match tls.read_to_end(&mut text) {
        Ok(_) => {}
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => {}
        Err(e) => panic!("{e}: {}", String::from_utf8_lossy(&text)),
    }
    String::from_utf8(text).unwrap()
}

fn publish(server: &Server, topic: &str, more: &str, body: &str) -> String {
    format!(
        "POST /mqtt/messages?topic={topic}&api-version=2025-08-01-preview HTTP/1.1\r\n\
         host: localhost\r\nauthorization: Bearer {}\r\n{more}content-length: {}\r\n\r\n{body}",
        server.token(),
        body.len(),
    )
}

fn statuses(text: &str) -> Vec<&str> {
    text.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect()
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::new();
    let mut tls = https(&server);
    let get = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let all = [
        publish(&server, "a", "", "one"),
        publish(&server, "a%23", "", "two"),
        get.to_string(),
        "GET /nothing HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n\r\nbody".to_string(),
        publish(&server, "a", "", ""),
        publish(&server, "a", "connection: close\r\n", "last"),
    ];
    tls.write_all(all.concat().as_bytes()).unwrap();
    let text = everything(&mut tls);
    assert_eq!(statuses(&text), ["204", "403", "200", "404", "204", "204"], "{text}");
    let ids: Vec<_> = text.lines().filter(|l| l.starts_with("x-ms-request-id:")).collect();
    let different: std::collections::HashSet<_> = ids.iter().collect();
    assert_eq!(different.len(), all.len(), "each answer has its own id: {ids:?}");
}

#[test]
fn a_request_in_pieces_is_one_request() {
    let server = Server::new();
    let mut tls = https(&server);
    let request = publish(&server, "a", "connection: close\r\n", "in pieces");
    for piece in request.as_bytes().chunks(7) {
        tls.write_all(piece).unwrap();
        tls.flush().unwrap();
    }
    assert_eq!(statuses(&everything(&mut tls)), ["204"]);
}

#[test]
fn what_is_no_http_hurts_nobody_else() {
    let server = Server::new();
    let mut good = https(&server);
    let half = publish(&server, "a", "connection: close\r\n", "fine");
    good.write_all(&half.as_bytes()[..40]).unwrap();
    for nonsense in
        [&b"\x10\x0c\x00\x04MQTT\x05\x02\x00\x3c\x00"[..], b"GET / HTTP/1.1\r\nx\r\n\r\n"]
    {
        let mut bad = https(&server);
        bad.write_all(nonsense).unwrap();
        bad.write_all(b"\r\n\r\n").unwrap();
        let text = everything(&mut bad);
        assert!(text.is_empty() || statuses(&text) == ["400"], "{text}");
    }
    good.write_all(&half.as_bytes()[40..]).unwrap();
    assert_eq!(statuses(&everything(&mut good)), ["204"]);
}
