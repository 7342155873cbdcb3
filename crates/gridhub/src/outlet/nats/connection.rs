//! One connection to a NATS server, as far as publishing with acknowledgements needs it: INFO,
//! CONNECT, one inbox, HPUB, and the answers. Refuses to know what is published.

use super::super::batch::CLOUD_EVENT;
use super::{Login, NatsSettings};
use crate::fresh::seed;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A connection that the server has accepted.
pub struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    inbox: String,
    payload_bytes_max: usize,
    /// Messages that were published.
    published: u64,
}

/// What came back to one message.
pub enum Acknowledged {
    /// A payload.
    Said(Vec<u8>),
    /// There is no stream.
    NobodyListens,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for T {}

/// What the server says first.
#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    tls_required: bool,
    #[serde(default)]
    headers: bool,
    #[serde(default)]
    max_payload: usize,
}

/// One thing that the server says.
enum Said {
    Ping,
    Pong,
    /// To an inbox: the last part of its subject.
    Message(String, Acknowledged),
    /// Nothing that matters.
    Else,
}

impl Connection {
    /// Connects and says who we are.
    ///
    /// # Errors
    /// What does not work, as one sentence.
    pub async fn open(
        settings: &NatsSettings,
        tls: Option<&Arc<ClientConfig>>,
    ) -> Result<Self, String> {
        let NatsSettings { host, port, .. } = settings;
        let at = format!("{host}:{port}");
        let tcp = TcpStream::connect((host.as_str(), *port)).await;
        let tcp = tcp.map_err(|error| format!("cannot reach {at}: {error}"))?;
        // A batch is written at once.
        let _ = tcp.set_nodelay(true);
        let mut stream: BufReader<Box<dyn Stream>> = BufReader::new(Box::new(tcp));
        let line = line(&mut stream).await?;
        let info = line.strip_prefix("INFO ").and_then(|text| serde_json::from_str(text).ok());
        let Info { tls_required, headers, max_payload } =
            info.ok_or_else(|| format!("{at} is no NATS server"))?;
        if !headers {
            return Err(format!("{at} takes no headers; it needs NATS 2.2 and JetStream"));
        }
        if tls_required || settings.tls {
            let tls = tls.ok_or_else(|| format!("{at} wants TLS, and no authority is known"))?;
            let name = ServerName::try_from(host.clone());
            let name = name.map_err(|_| format!("'{host}' is no host name"))?;
            let plain = stream.into_inner();
            let encrypted = TlsConnector::from(Arc::clone(tls)).connect(name, plain).await;
            let encrypted = encrypted.map_err(|error| format!("TLS with {at} failed: {error}"))?;
            stream = BufReader::new(Box::new(encrypted));
        }
        let [inbox, more] = seed().ok_or("the system gives no random bytes")?;
        let inbox = format!("_INBOX.{inbox:016x}{more:016x}");
        let hello = format!("CONNECT {}\r\nSUB {inbox}.* 1\r\nPING\r\n", connect(settings));
        let mut connection = Self { stream, inbox, payload_bytes_max: max_payload, published: 0 };
        connection.write(hello.as_bytes()).await?;
        while !matches!(connection.hear().await?, Said::Pong) {}
        Ok(connection)
    }

    /// The largest message that the server takes.
    pub fn payload_bytes_max(&self) -> usize {
        // Headers count: there are two short ones.
        self.payload_bytes_max.saturating_sub(HEADERS_BYTES_MAX)
    }

    /// Publishes messages, each under its id, and waits for what comes back to each.
    ///
    /// # Errors
    /// The connection is of no use any more.
    pub async fn publish(
        &mut self,
        subject: &str,
        messages: &[(String, Vec<u8>)],
    ) -> Result<Vec<Acknowledged>, String> {
        let (first, inbox) = (self.published, &self.inbox);
        let mut bytes = Vec::new();
        for (number, (id, message)) in (first..).zip(messages) {
            let headers =
                format!("NATS/1.0\r\nNats-Msg-Id: {id}\r\nContent-Type: {CLOUD_EVENT}\r\n\r\n");
            let (head, all) = (headers.len(), headers.len() + message.len());
            let line = format!("HPUB {subject} {inbox}.{number} {head} {all}\r\n{headers}");
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(message);
            bytes.extend_from_slice(b"\r\n");
        }
        self.published += messages.len() as u64;
        self.write(&bytes).await?;
        let mut heard: Vec<Option<Acknowledged>> = messages.iter().map(|_| None).collect();
        while heard.iter().any(Option::is_none) {
            let Said::Message(number, said) = self.hear().await? else { continue };
            // What is not for one of these is late.
            let at = number.parse().ok().and_then(|number: u64| number.checked_sub(first));
            let place = at.and_then(|at| heard.get_mut(usize::try_from(at).ok()?));
            if let Some(place) = place {
                *place = Some(said);
            }
        }
        Ok(heard.into_iter().flatten().collect())
    }

    /// The next thing that the server says; a PING is answered.
    async fn hear(&mut self) -> Result<Said, String> {
        let text = line(&mut self.stream).await?;
        let mut words = text.split_ascii_whitespace();
        let said = match words.next().unwrap_or_default() {
            "PING" => Said::Ping,
            "PONG" => Said::Pong,
            "MSG" => self.message(&words.collect::<Vec<_>>(), false).await?,
            "HMSG" => self.message(&words.collect::<Vec<_>>(), true).await?,
            "-ERR" => {
                return Err(format!("the server says {}", text.trim_start_matches("-ERR").trim()));
            }
            _ => Said::Else,
        };
        if matches!(said, Said::Ping) {
            self.write(b"PONG\r\n").await?;
        }
        Ok(said)
    }

    /// A message: subject, subscription, perhaps where an answer goes, and how long it is.
    async fn message(&mut self, words: &[&str], has_headers: bool) -> Result<Said, String> {
        let sizes = if has_headers { 2 } else { 1 };
        let wrong = || "the server says what is no message".to_owned();
        let at = words.len().checked_sub(sizes).filter(|at| *at >= 2).ok_or_else(wrong)?;
        let size = |word: &str| {
            let size = word.parse().ok().filter(|size| *size <= ANSWER_BYTES_MAX);
            size.ok_or_else(wrong)
        };
        let head = if has_headers { size(words[at])? } else { 0 };
        let all: usize = size(words[words.len() - 1])?;
        let mut payload = vec![0; all + END.len()];
        self.stream.read_exact(&mut payload).await.map_err(|error| closed(&error))?;
        payload.truncate(all);
        let is_nobody = payload.starts_with(NOBODY);
        let number = words[0].rsplit('.').next().unwrap_or_default().to_owned();
        let said = match is_nobody {
            true => Acknowledged::NobodyListens,
            false => Acknowledged::Said(payload.split_off(head.min(all))),
        };
        Ok(Said::Message(number, said))
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream.write_all(bytes).await.map_err(|error| closed(&error))?;
        self.stream.flush().await.map_err(|error| closed(&error))
    }
}

/// A line without its end.
async fn line(stream: &mut BufReader<Box<dyn Stream>>) -> Result<String, String> {
    let mut line = Vec::new();
    let mut bounded = stream.take(LINE_BYTES_MAX);
    bounded.read_until(b'\n', &mut line).await.map_err(|error| closed(&error))?;
    let text = String::from_utf8(line).ok();
    let text = text.and_then(|text| Some(text.strip_suffix('\n')?.trim_end().to_owned()));
    text.ok_or_else(|| "the server has closed the connection".to_owned())
}

fn connect(settings: &NatsSettings) -> serde_json::Value {
    let mut options = json!({
        "verbose": false,
        "pedantic": false,
        "tls_required": settings.tls,
        "lang": "rust",
        "version": env!("CARGO_PKG_VERSION"),
        "name": "gridhub",
        "protocol": 1,
        "headers": true,
        "no_responders": true,
        "echo": false,
    });
    match &settings.login {
        Login::Nobody => {}
        Login::Token(token) => options["auth_token"] = json!(token),
        Login::User(user, password) => {
            options["user"] = json!(user);
            options["pass"] = json!(password);
        }
    }
    options
}

fn closed(error: &std::io::Error) -> String {
    format!("the connection ended: {error}")
}

const NOBODY: &[u8] = b"NATS/1.0 503";
const END: &[u8] = b"\r\n";
/// An INFO with all servers of a cluster has some kilobytes.
const LINE_BYTES_MAX: u64 = 64 * 1024;
const ANSWER_BYTES_MAX: usize = 64 * 1024;
const HEADERS_BYTES_MAX: usize = 512;
