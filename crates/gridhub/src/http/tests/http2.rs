//! HTTP/2 by hand: frames and literal header fields (RFC 9113, RFC 7541 6.2.2).

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

use super::Server;
use crate::http::server::Protocol;

struct Client(DuplexStream);

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    body: Vec<u8>,
}

impl Client {
    async fn connect(server: &Server) -> Self {
        let mut io = server.stream(Protocol::Http2);
        io.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let mut client = Client(io);
        client.send(SETTINGS, 0, 0, &[]).await;
        client
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, body: &[u8]) {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], kind, flags];
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend_from_slice(body);
        self.0.write_all(&bytes).await.unwrap();
    }

    async fn headers(&mut self, stream: u32, flags: u8, fields: &[(&str, &str)]) {
        let mut block = Vec::new();
        for text in fields.iter().flat_map(|(name, value)| [name, value]) {
            if block.is_empty() || text.starts_with(':') || fields.iter().any(|(n, _)| n == text) {
                block.push(0);
            }
            assert!(text.len() < 127);
            block.push(text.len() as u8);
            block.extend_from_slice(text.as_bytes());
        }
        self.send(HEADERS, flags | END_HEADERS, stream, &block).await;
    }

    async fn frame(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut body = vec![0; length as usize];
        self.0.read_exact(&mut body).await.ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame { kind: head[3], flags: head[4], stream, body })
    }

    /// First byte of the header block (an indexed status) of the stream's answer, and its data.
    async fn reply(&mut self, stream: u32) -> (u8, Vec<u8>) {
        let mut answer = (0, Vec::new());
        loop {
            let frame = self.frame().await.expect("an answer");
            if frame.stream != stream {
                continue;
            }
            match frame.kind {
                HEADERS => answer.0 = frame.body[0],
                DATA => answer.1.extend_from_slice(&frame.body),
                other => panic!("frame {other}"),
            }
            if frame.flags & END_STREAM != 0 {
                return answer;
            }
        }
    }
}

const PUBLISH: [(&str, &str); 6] = [
    (":method", "POST"),
    (":scheme", "https"),
    (":authority", "hub"),
    (":path", "/mqtt/messages?topic=a%2Fb&api-version=2025-08-01-preview"),
    ("authorization", "Bearer all"),
    ("mqtt-qos", "0"),
];

#[tokio::test]
async fn publishes_on_several_streams() {
    let server = Server::new();
    let mut client = Client::connect(&server).await;
    client.headers(1, 0, &PUBLISH).await;
    client.send(DATA, END_STREAM, 1, b"hello").await;
    assert_eq!(client.reply(1).await, (STATUS_204, Vec::new()));
    client.headers(3, END_STREAM, &PUBLISH).await;
    assert_eq!(client.reply(3).await.0, STATUS_204);
    let mut list = PUBLISH[..5].to_vec();
    list[0].1 = "GET";
    list[3].1 = "/mqtt/retainedMessages?topicFilter=%23&api-version=2025-11-16-preview";
    client.headers(5, END_STREAM, &list).await;
    let (status, body) = client.reply(5).await;
    assert_eq!(status, STATUS_200);
    assert!(body.starts_with(b"{\"nextLink\":null"));
    client.headers(7, END_STREAM, &PUBLISH[..4]).await;
    let (_, body) = client.reply(7).await;
    assert!(String::from_utf8(body).unwrap().contains("\"code\":\"Unauthorized\""));
    let payloads: Vec<_> =
        server.hub.seen.lock().unwrap().iter().map(|r| r.payload.clone()).collect();
    assert_eq!(payloads, [b"hello".to_vec(), Vec::new()]);
}

#[tokio::test]
async fn a_body_longer_than_announced_or_allowed_is_413() {
    let server = Server::new();
    let mut client = Client::connect(&server).await;
    let mut head = PUBLISH.to_vec();
    head.push(("content-length", "600000"));
    client.headers(1, 0, &head).await;
    let (_, body) = client.reply(1).await;
    assert!(String::from_utf8(body).unwrap().contains("PayloadTooLarge"));
}

/// A stream that is reset after its answer makes clients fail that still send (curl: error 92).
#[tokio::test]
async fn an_early_answer_does_not_reset_the_stream() {
    let server = Server::new();
    let mut client = Client::connect(&server).await;
    let mut heads = [PUBLISH.to_vec(), PUBLISH.to_vec(), PUBLISH[..4].to_vec()];
    heads[0][3].1 = "/nothing";
    heads[1][3].1 = "/admin/sessions/x/disconnect";
    for (stream, head) in [1, 3, 5].into_iter().zip(heads) {
        client.headers(stream, 0, &head).await;
        assert!(!client.reply(stream).await.1.is_empty());
        client.send(DATA, END_STREAM, stream, b"late").await;
    }
    client.send(PING, 0, 0, b"12345678").await;
    loop {
        let frame = client.frame().await.expect("an answer to the ping");
        assert_ne!(frame.kind, RST_STREAM);
        if frame.kind == PING && frame.body == b"12345678" {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn silent_connections_are_closed() {
    let server = Server::new();
    for preface in [&b""[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"] {
        let mut io = server.stream(Protocol::Http2);
        io.write_all(preface).await.unwrap();
        let start = Instant::now();
        let mut rest = Vec::new();
        io.read_to_end(&mut rest).await.unwrap();
        assert!(start.elapsed().as_secs() <= 130, "{:?}", start.elapsed());
    }
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// Indexed fields of the static table (RFC 7541, appendix A).
const STATUS_200: u8 = 0x80 | 8;
const STATUS_204: u8 = 0x80 | 9;
