//! HTTP/1.1 by hand.

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// One connection.
pub struct Client<IO> {
    io: IO,
    read: Vec<u8>,
}

/// One response.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Client<IO> {
    pub fn new(io: IO) -> Self {
        Client { io, read: Vec::new() }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.unwrap();
    }

    /// Sends `head` with a Content-Length and `body`, and reads the answer.
    pub async fn ask(&mut self, head: &str, body: &[u8]) -> Reply {
        let head = match body {
            b"" => format!("{head}\r\n\r\n"),
            body => format!("{head}\r\ncontent-length: {}\r\n\r\n", body.len()),
        };
        self.send(head.as_bytes()).await;
        self.send(body).await;
        match head.starts_with("HEAD") {
            true => self.head().await,
            false => self.reply().await,
        }
    }

    /// The next response with its body, which must have a Content-Length.
    pub async fn reply(&mut self) -> Reply {
        let mut reply = self.head().await;
        let length = match reply.status {
            100 | 204 => 0,
            _ => reply.header("content-length").expect("a length").parse().unwrap(),
        };
        while self.read.len() < length {
            assert!(self.fill().await, "ended within a body");
        }
        reply.body = self.read.drain(..length).collect();
        reply
    }

    /// The next response's head.
    pub async fn head(&mut self) -> Reply {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|w| w == b"\r\n\r\n") {
                break end;
            }
            assert!(self.fill().await, "ended within a head: {:?}", self.read);
        };
        let text = String::from_utf8(self.read.drain(..end + 4).collect()).unwrap();
        let mut lines = text.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Reply { status, headers, body: Vec::new() }
    }

    /// Whether the server closed, with nothing left unread.
    pub async fn ended(&mut self) -> bool {
        self.read.is_empty() && !self.fill().await
    }

    async fn fill(&mut self) -> bool {
        self.io.read_buf(&mut self.read).await.unwrap_or(0) > 0
    }
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| &**value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Status, code and a look at the shape every error has.
    pub fn error(&self) -> (u16, String) {
        let json = self.json();
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert!(self.header("x-ms-request-id").is_some());
        assert!(!json["error"]["message"].as_str().unwrap().is_empty());
        (self.status, json["error"]["code"].as_str().unwrap().to_owned())
    }

    pub fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }
}
