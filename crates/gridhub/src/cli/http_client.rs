//! A small blocking HTTP/1.1 client for the verbs that administer a server: one request a
//! connection. Owns the bytes of request and answer; knows nothing of what is asked.

use std::io::{self, BufRead, BufReader, Read, Write};

use anyhow::{Context, bail};
use serde_json::Value;

use super::connection::{Connection, TlsStream};
use super::endpoint::{Endpoint, HttpsEndpoint};

/// What a server answered with a status below 300.
pub struct Answer {
    body: Body<BufReader<TlsStream>>,
}

/// The method of a request without a body.
#[derive(Clone, Copy)]
pub enum Method {
    Get,
    Post,
    Delete,
}

/// A body as it comes: it ends with an error where the connection ends before it.
pub struct Body<R> {
    from: R,
    left: Left,
}

/// What of a body is still to come.
enum Left {
    /// So many bytes.
    Bytes(u64),
    /// So many bytes of this chunk, then perhaps more chunks.
    Chunk(u64),
    /// Nothing.
    Nothing,
}

/// The head of an answer.
struct Head {
    status: u16,
    left: Left,
}

/// Asks and waits for the head of the answer. `target` begins with `/` and is encoded.
///
/// # Errors
/// When the server cannot be reached, answers with no HTTP, or refuses; then with its reason.
pub fn ask(
    connection: &Connection<HttpsEndpoint>,
    method: Method,
    target: &str,
) -> anyhow::Result<Answer> {
    let (host, port) = connection.endpoint.address();
    let shown = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let token = &connection.token;
    if token.bytes().any(|b| !b.is_ascii_graphic()) {
        bail!("the token has characters that no token has; make one with `gridhub token`");
    }
    let length = if matches!(method, Method::Post) { "content-length: 0\r\n" } else { "" };
    let request = format!(
        "{} {target} HTTP/1.1\r\nhost: {shown}:{port}\r\nauthorization: Bearer {token}\r\n\
         {length}connection: close\r\n\r\n",
        method.word()
    );
    let context = || format!("cannot ask {shown}:{port}");
    let mut stream = connection.open()?;
    stream.write_all(request.as_bytes()).and_then(|()| stream.flush()).with_context(context)?;
    let mut from = BufReader::new(stream);
    let head = head(&mut from).with_context(context)?;
    let mut body = Body { from, left: head.left };
    if head.status < 300 {
        return Ok(Answer { body });
    }
    let mut text = Vec::new();
    // A refusal without its words is still one, with its status.
    let _ = (&mut body).take(REFUSAL_BYTES_MAX).read_to_end(&mut text);
    let error = serde_json::from_slice::<Value>(&text).unwrap_or_default();
    match (error["error"]["message"].as_str(), error["error"]["code"].as_str()) {
        (Some(message), Some(code)) => bail!("{message} ({} {code})", head.status),
        _ => bail!("{shown}:{port} refused with status {}", head.status),
    }
}

impl Answer {
    /// The body as it comes.
    pub fn into_body(self) -> impl Read {
        self.body
    }

    /// The whole body as JSON.
    ///
    /// # Errors
    /// When the connection ends before it, or it is no JSON.
    pub fn json(self) -> anyhow::Result<Value> {
        serde_json::from_reader(self.body).context("the server's answer cannot be read")
    }
}

impl Method {
    fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

impl<R: BufRead> Read for Body<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = match &mut self.left {
                Left::Nothing => return Ok(0),
                Left::Bytes(0) => {
                    self.left = Left::Nothing;
                    return Ok(0);
                }
                Left::Chunk(0) => {
                    let next = chunk(&mut self.from)?;
                    self.left = if next == 0 { Left::Nothing } else { Left::Chunk(next) };
                    continue;
                }
                Left::Bytes(left) | Left::Chunk(left) => left,
            };
            let most = usize::try_from(*left).unwrap_or(usize::MAX).min(into.len());
            let got = self.from.read(&mut into[..most])?;
            if got == 0 && most > 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            *left -= got as u64;
            if *left == 0 && matches!(self.left, Left::Chunk(_)) {
                line(&mut self.from)?;
            }
            return Ok(got);
        }
    }
}

/// Reads status line and headers; answers before the last one (1xx) are passed over.
fn head(from: &mut impl BufRead) -> io::Result<Head> {
    loop {
        let first = line(from)?;
        let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let status = status.and_then(|status| status.parse::<u16>().ok());
        let status = status.ok_or_else(|| no_http("status line"))?;
        let mut left = Left::Bytes(0);
        for count in 0.. {
            let header = line(from)?;
            if header.is_empty() {
                break;
            }
            if count == HEADERS_MAX {
                return Err(no_http("number of headers"));
            }
            let (name, value) = header.split_once(':').ok_or_else(|| no_http("header"))?;
            if name.eq_ignore_ascii_case("content-length") {
                let length = value.trim().parse().map_err(|_| no_http("content-length"))?;
                left = Left::Bytes(length);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                left = Left::Chunk(0);
            }
        }
        match status {
            100..200 => {}
            204 | 304 => return Ok(Head { status, left: Left::Nothing }),
            _ => return Ok(Head { status, left }),
        }
    }
}

/// The length of the next chunk; behind the last one what follows it is read too.
fn chunk(from: &mut impl BufRead) -> io::Result<u64> {
    let size = line(from)?;
    let digits = size.split(';').next().unwrap_or_default().trim();
    let length = u64::from_str_radix(digits, 16).map_err(|_| no_http("chunk"))?;
    if length == 0 {
        for _ in 0..HEADERS_MAX {
            if line(from)?.is_empty() {
                break;
            }
        }
    }
    Ok(length)
}

/// A line without its end.
fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes)?;
    if bytes.pop() != Some(b'\n') {
        return match bytes.len() as u64 + 1 < LINE_BYTES_MAX {
            true => Err(io::ErrorKind::UnexpectedEof.into()),
            false => Err(no_http("length of a line")),
        };
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    String::from_utf8(bytes).map_err(|_| no_http("header"))
}

fn no_http(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the answer is no HTTP/1.1: {what}"))
}

const LINE_BYTES_MAX: u64 = 64 * 1024;
const HEADERS_MAX: usize = 100;
const REFUSAL_BYTES_MAX: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(answer: &str) -> io::Result<(u16, String)> {
        let mut from = answer.as_bytes();
        let head = head(&mut from)?;
        let mut text = String::new();
        Body { from, left: head.left }.read_to_string(&mut text)?;
        Ok((head.status, text))
    }

    #[test]
    fn answers_are_read_to_their_end_and_no_further() {
        for (answer, status, body) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", 200, "ab"),
            ("HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
            ("HTTP/1.1 404\r\n\r\n", 404, ""),
            ("HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx", 200, "x"),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                 3;n=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nt: 1\r\n\r\nmore",
                200,
                "abc0123456789",
            ),
        ] {
            assert_eq!(read(answer).unwrap(), (status, body.to_owned()), "{answer}");
        }
    }

    #[test]
    fn what_ends_too_early_or_is_no_http_is_an_error() {
        use io::ErrorKind::{InvalidData, UnexpectedEof};
        for (answer, kind) in [
            ("", UnexpectedEof),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", UnexpectedEof),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", UnexpectedEof),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", UnexpectedEof),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab", UnexpectedEof),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nz\r\n", InvalidData),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", InvalidData),
            ("HTTP/1.1 200 OK\r\nnothing\r\n\r\n", InvalidData),
            ("SSH-2.0-x\r\n", InvalidData),
        ] {
            assert_eq!(read(answer).unwrap_err().kind(), kind, "{answer}");
        }
    }
}
