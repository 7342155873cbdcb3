//! A small blocking HTTPS/1.1 client on one kept connection: metrics, sessions, HTTP Publish.
//! Refuses to know what the bodies mean.

use anyhow::{Context, Result, bail};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// A server's HTTPS listener.
pub struct Https {
    port: u16,
    tls: Arc<ClientConfig>,
    authorization: String,
    stream: Option<StreamOwned<ClientConnection, TcpStream>>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// The body as text; what is no UTF-8 is marked.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Https {
    /// Connects at the first request.
    pub fn new(port: u16, tls: Arc<ClientConfig>, token: &str) -> Self {
        Self::showing(port, tls, format!("Bearer {token}"))
    }

    /// The same, for who shows something else than a bearer token.
    pub fn showing(port: u16, tls: Arc<ClientConfig>, authorization: String) -> Self {
        Self { port, tls, authorization, stream: None }
    }

    /// `GET path`, which must answer 200.
    ///
    /// # Errors
    /// When it does not.
    pub fn get(&mut self, path: &str) -> Result<String> {
        let answer = self.look(path)?;
        if answer.status != 200 {
            bail!("GET {path}: {} {}", answer.status, answer.text());
        }
        Ok(answer.text())
    }

    /// `GET path`, whatever it answers.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn look(&mut self, path: &str) -> Result<Answer> {
        self.ask("GET", path, &[], b"")
    }

    /// `POST path`. An answer that did not come is never asked for again: it may have been done.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer> {
        // A kept connection may have been closed for idleness: a new one is always right.
        self.stream = None;
        self.exchange("POST", path, headers, body)
    }

    /// Any request, on the kept connection if there is one, once.
    ///
    /// # Errors
    /// When the connection breaks; the request may have been done.
    pub fn once(
        &mut self,
        verb: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer> {
        self.exchange(verb, path, headers, body)
    }

    fn ask(
        &mut self,
        verb: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer> {
        if self.stream.is_some()
            && let Ok(answer) = self.exchange(verb, path, headers, body)
        {
            return Ok(answer);
        }
        self.stream = None;
        self.exchange(verb, path, headers, body)
    }

    fn exchange(
        &mut self,
        verb: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.open()?,
        };
        let mut request = format!(
            "{verb} {path} HTTP/1.1\r\nHost: localhost:{}\r\nAuthorization: {}\r\n\
             Content-Length: {}\r\n",
            self.port,
            self.authorization,
            body.len()
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body);
        stream.write_all(&bytes)?;
        stream.flush()?;
        let answer = answer(&mut stream).with_context(|| format!("{verb} {path}"))?;
        self.stream = Some(stream);
        Ok(answer)
    }

    fn open(&self) -> Result<StreamOwned<ClientConnection, TcpStream>> {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).context("HTTPS")?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(TIMEOUT))?;
        let name = ServerName::try_from("localhost").context("a host name")?;
        let session = ClientConnection::new(Arc::clone(&self.tls), name).context("TLS")?;
        Ok(StreamOwned::new(session, socket))
    }
}

/// Reads head and body; the body's length is given or it comes in chunks.
fn answer(stream: &mut impl Read) -> Result<Answer> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break end;
        }
        more(stream, &mut bytes)?;
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    bytes.drain(..head + 4);
    let status = text.split(' ').nth(1).and_then(|s| s.parse().ok()).context("a status")?;
    let lines = text.split("\r\n").filter_map(|line| line.split_once(':'));
    let headers = lines.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let mut answer = Answer { status, headers: headers.collect(), body: Vec::new() };
    answer.body = match answer.header("content-length").and_then(|len| len.parse::<usize>().ok()) {
        Some(len) => {
            while bytes.len() < len {
                more(stream, &mut bytes)?;
            }
            bytes
        }
        None if answer.header("transfer-encoding").is_some() => chunks(stream, bytes)?,
        None => Vec::new(),
    };
    Ok(answer)
}

fn chunks(stream: &mut impl Read, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let Some(end) = bytes.windows(2).position(|w| w == b"\r\n") else {
            more(stream, &mut bytes)?;
            continue;
        };
        let size = std::str::from_utf8(&bytes[..end]).context("a chunk's size")?;
        let size = usize::from_str_radix(size, 16).context("a chunk's size")?;
        while bytes.len() < end + 2 + size + 2 {
            more(stream, &mut bytes)?;
        }
        body.extend_from_slice(&bytes[end + 2..end + 2 + size]);
        bytes.drain(..end + 2 + size + 2);
        if size == 0 {
            return Ok(body);
        }
    }
}

fn more(stream: &mut impl Read, into: &mut Vec<u8>) -> Result<()> {
    let mut piece = [0; 16 * 1024];
    let count = stream.read(&mut piece)?;
    if count == 0 {
        bail!("the server closed within an answer");
    }
    into.extend_from_slice(&piece[..count]);
    Ok(())
}

const TIMEOUT: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_kinds_of_bodies() {
        let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        let read = answer(&mut plain.as_slice()).unwrap();
        assert_eq!((read.status, &*read.text()), (200, "abc"));
        let pieces =
            b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        let read = answer(&mut pieces.as_slice()).unwrap();
        assert_eq!((read.status, &*read.text()), (404, "abc"));
        assert!(answer(&mut b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab".as_slice()).is_err());
    }
}
