//! A small blocking HTTP/1.1 client for the verbs that administer a server: one request a
//! connection. Owns the bytes of request and answer; knows nothing of what is asked.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use super::connection::{Connection, READ_TIMEOUT, TlsStream};
use super::endpoint::{Endpoint, HttpsEndpoint};

/// What a server answered with a status below 300.
pub struct Answer {
    headers: Vec<(String, String)>,
    body: Body<BufReader<TlsStream>>,
}

/// The method of a request.
#[derive(Clone, Copy)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// What is asked beside method and target.
#[derive(Clone, Copy, Default)]
pub struct Request<'a> {
    /// The value of `Authorization`.
    pub authorization: &'a str,
    /// Names and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub payload: Payload<'a>,
    /// How much longer than usual the answer may take.
    pub patience: Duration,
}

/// The body of a request.
#[derive(Clone, Copy, Default)]
pub enum Payload<'a> {
    /// There is none.
    #[default]
    None,
    /// JSON.
    Json(&'a [u8]),
    /// Bytes of which nothing is said.
    Bytes(&'a [u8]),
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
    /// Names in lower case.
    headers: Vec<(String, String)>,
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
    let authorization = format!("Bearer {}", connection.token);
    send(
        connection,
        method,
        target,
        Request { authorization: &authorization, ..Request::default() },
    )
}

/// As [`ask`], with headers and a body.
///
/// # Errors
/// As there.
pub fn send(
    connection: &Connection<HttpsEndpoint>,
    method: Method,
    target: &str,
    request: Request<'_>,
) -> anyhow::Result<Answer> {
    let (host, port) = connection.endpoint.address();
    let shown = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let context = || format!("cannot ask {shown}:{port}");
    let head = request.head(method, target, &format!("{shown}:{port}"))?;
    let mut stream = connection.open()?;
    let patience = READ_TIMEOUT + request.patience;
    stream.sock.set_read_timeout(Some(patience)).context("socket")?;
    let sent = stream.write_all(head.as_bytes());
    let sent = sent.and_then(|()| stream.write_all(request.payload.bytes()));
    sent.and_then(|()| stream.flush()).with_context(context)?;
    let mut from = BufReader::new(stream);
    let Head { status, headers, left } = read_head(&mut from).with_context(context)?;
    let mut body = Body { from, left };
    if status < 300 {
        return Ok(Answer { headers, body });
    }
    let mut text = Vec::new();
    // A refusal without its words is still one, with its status.
    let _ = (&mut body).take(REFUSAL_BYTES_MAX).read_to_end(&mut text);
    match refusal(&serde_json::from_slice::<Value>(&text).unwrap_or_default()) {
        Some((code, message)) => {
            let name = headers.iter().find(|(name, _)| name == "iothub-errorcode");
            bail!("{message} ({status} {})", name.map_or(&code, |(_, name)| name))
        }
        None => bail!("{shown}:{port} refused with status {status}"),
    }
}

/// Code and message of a refusal: of ours, or of the hub's service API (iot-hub C9, both formats).
fn refusal(error: &Value) -> Option<(String, String)> {
    if let Some(text) = error["Message"].as_str() {
        let first = text.strip_prefix("ErrorCode:").and_then(|text| text.split_once(';'));
        return first.map(|(code, message)| (code.to_owned(), message.to_owned())).or_else(|| {
            let inner: Value = serde_json::from_str(text).ok()?;
            Some((inner["errorCode"].to_string(), inner["message"].as_str()?.to_owned()))
        });
    }
    let bulk = &error["errors"][0];
    for (error, code, message) in
        [(&error["error"], "code", "message"), (bulk, "errorCode", "errorStatus")]
    {
        if let (Some(code), Some(message)) = (error[code].as_str(), error[message].as_str()) {
            return Some((code.to_owned(), message.to_owned()));
        }
    }
    None
}

impl Request<'_> {
    fn head(&self, method: Method, target: &str, host: &str) -> anyhow::Result<String> {
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        if !plain(self.authorization) {
            bail!("the token has characters that no token has; make one with `gridhub token`");
        }
        let mut head = format!(
            "{} {target} HTTP/1.1\r\nhost: {host}\r\nauthorization: {}\r\n",
            method.word(),
            self.authorization
        );
        for (name, value) in self.headers {
            if !plain(value) {
                bail!("'{}' has characters that no header has", value.escape_default());
            }
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Payload::Json(_) = self.payload {
            head.push_str("content-type: application/json; charset=utf-8\r\n");
        }
        if !matches!(self.payload, Payload::None) || matches!(method, Method::Post) {
            head.push_str(&format!("content-length: {}\r\n", self.payload.bytes().len()));
        }
        head.push_str("connection: close\r\n\r\n");
        Ok(head)
    }
}

impl<'a> Payload<'a> {
    fn bytes(self) -> &'a [u8] {
        match self {
            Self::None => &[],
            Self::Json(bytes) | Self::Bytes(bytes) => bytes,
        }
    }
}

impl Answer {
    /// The first header of that name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The whole body.
    ///
    /// # Errors
    /// When the connection ends before it.
    pub fn bytes(mut self) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.body.read_to_end(&mut bytes).context("the server's answer cannot be read")?;
        Ok(bytes)
    }

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
            Self::Put => "PUT",
            Self::Patch => "PATCH",
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
fn read_head(from: &mut impl BufRead) -> io::Result<Head> {
    loop {
        let first = line(from)?;
        let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let status = status.and_then(|status| status.parse::<u16>().ok());
        let status = status.ok_or_else(|| no_http("status line"))?;
        let (mut left, mut headers) = (Left::Bytes(0), Vec::new());
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
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        match status {
            100..200 => {}
            204 | 304 => return Ok(Head { status, headers, left: Left::Nothing }),
            _ => return Ok(Head { status, headers, left }),
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
        let head = read_head(&mut from)?;
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
    fn headers_of_an_answer_and_refusals_of_each_kind() {
        let mut from = "HTTP/1.1 200 OK\r\nX-A: b c \r\n\r\n".as_bytes();
        let headers = read_head(&mut from).unwrap().headers;
        assert_eq!(headers, [("x-a".to_owned(), "b c".to_owned())]);
        for (body, said) in [
            (r#"{"error":{"code":"C","message":"m"}}"#, Some(("C", "m"))),
            (r#"{"Message":"ErrorCode:C;m: a;b","ExceptionMessage":"x"}"#, Some(("C", "m: a;b"))),
            (r#"{"errors":[{"errorCode":"C","errorStatus":"m"}]}"#, Some(("C", "m"))),
            (r#"{"Message":"{\"errorCode\":404103,\"message\":\"m\"}"}"#, Some(("404103", "m"))),
            (r#"{"Message":"x"}"#, None),
            ("null", None),
        ] {
            let said = said.map(|(code, message)| (code.to_owned(), message.to_owned()));
            assert_eq!(refusal(&serde_json::from_str(body).unwrap()), said, "{body}");
        }
        let request = Request { headers: &[("if-match", "a\r\nb: c")], ..Request::default() };
        assert!(request.head(Method::Get, "/", "h").is_err());
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
