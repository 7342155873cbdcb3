//! Messages as HTTP requests: a batch is the body of one POST, a JSON array of CloudEvents
//! (`application/cloudevents-batch+json`), and 2xx says that all of it was taken. One connection,
//! kept. Refuses to know when a batch is tried again.

use super::batch::Batch;
use super::sink::{Refusal, Verdict};
use crate::auth::outgoing::trusting_system_and;
use anyhow::Context;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{
    CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// A webhook.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// `http` or `https`, with a host.
    pub url: Uri,
    /// More headers of each request.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Authorities besides the system's (PEM).
    pub ca_file: Option<PathBuf>,
    /// How long one request may take, its connection included.
    pub timeout: Duration,
}

/// The client of one webhook.
pub struct Webhook {
    settings: WebhookSettings,
    /// Where requests go under TLS.
    tls: Option<Arc<ClientConfig>>,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// What of an answer counts.
struct Answer {
    status: StatusCode,
    retry_after: Option<RetryAfter>,
    /// How its body begins.
    text: String,
}

/// When an answer asks for the same again (RFC 9110, 10.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RetryAfter {
    Wait(Duration),
    /// A time, and what time it is there, if it says so.
    At(SystemTime, Option<SystemTime>),
}

impl Webhook {
    /// Without a connection.
    ///
    /// # Errors
    /// Authorities that cannot be read, or none.
    pub fn new(settings: WebhookSettings) -> anyhow::Result<Self> {
        let is_tls = settings.url.scheme_str() == Some("https");
        let tls = is_tls.then(|| trusting_system_and(settings.ca_file.as_deref()));
        let tls = tls.transpose().with_context(|| format!("cannot trust {}", settings.url))?;
        Ok(Self { settings, tls, connection: None })
    }

    /// Sends a batch. It is `now_ms` by the wall clock.
    ///
    /// # Errors
    /// It was not taken, or nobody knows.
    pub async fn take(&mut self, batch: &Batch, now_ms: u64) -> Result<(), Refusal> {
        let body = Bytes::from(batch.cloud_events());
        let limit = self.settings.timeout;
        match timeout(limit, self.send(body)).await {
            Ok(Ok(answer)) => answer.verdict(UNIX_EPOCH + Duration::from_millis(now_ms)),
            Ok(Err(why)) => Err(Refusal::later(why)),
            Err(_) => {
                self.connection = None;
                let why = format!("there was no answer for {} ms", limit.as_millis());
                Err(Refusal::later(why))
            }
        }
    }

    async fn send(&mut self, body: Bytes) -> Result<Answer, String> {
        if let Some(mut kept) = self.connection.take()
            && kept.ready().await.is_ok()
            && let Ok(response) = kept.send_request(self.request(body.clone())).await
        {
            return self.answer(response, kept).await;
        }
        // There is none, or it was closed meanwhile.
        let mut connection = self.connect().await?;
        let response = connection.send_request(self.request(body)).await;
        let response = response.map_err(|error| format!("the request failed: {error}"))?;
        self.answer(response, connection).await
    }

    fn request(&self, body: Bytes) -> Request<Full<Bytes>> {
        let url = &self.settings.url;
        let path = url.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        // It was read as a part of a URL, which always has one.
        *request.uri_mut() = path.parse().unwrap_or_else(|_| Uri::from_static("/"));
        let headers = request.headers_mut();
        let host = url.authority().map_or("", |authority| authority.as_str());
        if let Ok(host) = HeaderValue::from_str(host) {
            headers.insert(HOST, host);
        }
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(CLOUD_EVENTS));
        headers.extend(self.settings.headers.iter().cloned());
        request
    }

    /// Reads the answer to its end, so that the connection can be used again.
    async fn answer(
        &mut self,
        response: hyper::Response<Incoming>,
        connection: SendRequest<Full<Bytes>>,
    ) -> Result<Answer, String> {
        let (head, body) = response.into_parts();
        let (status, retry_after) = (head.status, RetryAfter::of(&head.headers));
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let text = match body {
            Ok(body) => {
                self.connection = Some(connection);
                let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
                text.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS).collect()
            }
            // What it says does not matter; the connection is given up.
            Err(_) => String::new(),
        };
        Ok(Answer { status, retry_after, text })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let url = &self.settings.url;
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
        let port = url.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let stream = TcpStream::connect((host, port)).await;
        let stream = stream.map_err(|error| format!("cannot reach {host}:{port}: {error}"))?;
        // A request is written at once.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else { return begin(stream).await };
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| format!("'{host}' is no host name"))?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
        begin(stream.map_err(|error| format!("TLS with {host}:{port} failed: {error}"))?).await
    }
}

impl Answer {
    fn verdict(self, now: SystemTime) -> Result<(), Refusal> {
        let Self { status, retry_after, text } = self;
        if status.is_success() {
            return Ok(());
        }
        let again = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
        let verdict = match status.is_client_error() && !again.contains(&status) {
            true => Verdict::Never,
            false => Verdict::Later(retry_after.map(|after| after.wait(now))),
        };
        let said = if text.is_empty() { String::new() } else { format!(": {text}") };
        Err(Refusal { why: format!("it answered {}{said}", status.as_u16()), verdict })
    }
}

async fn begin(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<SendRequest<Full<Bytes>>, String> {
    let begun = handshake(TokioIo::new(stream)).await;
    let (sender, connection) = begun.map_err(|error| format!("no HTTP connection: {error}"))?;
    // It ends with the sender; what it says then the request has said.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

impl RetryAfter {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
        let date = |name| text(name).and_then(|text| httpdate::parse_http_date(text).ok());
        match text(RETRY_AFTER)?.parse() {
            Ok(seconds) => Some(Self::Wait(Duration::from_secs(seconds))),
            Err(_) => Some(Self::At(date(RETRY_AFTER)?, date(DATE))),
        }
    }

    /// How long from now. Clocks differ: its own one counts.
    fn wait(self, now: SystemTime) -> Duration {
        match self {
            Self::Wait(wait) => wait,
            Self::At(at, its_now) => at.duration_since(its_now.unwrap_or(now)).unwrap_or_default(),
        }
    }
}

const CLOUD_EVENTS: &str = "application/cloudevents-batch+json; charset=utf-8";
const AGENT: &str = concat!("gridhub/", env!("CARGO_PKG_VERSION"));
const ANSWER_BYTES_MAX: usize = 64 * 1024;
const SHOWN_CHARS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_taken_later_is_tried_again() {
        for (status, retry_after, verdict) in [
            (200, None, None),
            (204, None, None),
            (301, None, Some(Verdict::Later(None))),
            (400, None, Some(Verdict::Never)),
            (404, Some(5), Some(Verdict::Never)),
            (408, None, Some(Verdict::Later(None))),
            (413, None, Some(Verdict::Never)),
            (429, Some(7), Some(Verdict::Later(Some(Duration::from_secs(7))))),
            (500, None, Some(Verdict::Later(None))),
            (503, Some(1), Some(Verdict::Later(Some(Duration::from_secs(1))))),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let retry_after = retry_after.map(|s| RetryAfter::Wait(Duration::from_secs(s)));
            let answer = Answer { status, retry_after, text: "why".to_owned() };
            let found = answer.verdict(UNIX_EPOCH).err().map(|refusal| refusal.verdict);
            assert_eq!(found, verdict, "{status}");
        }
    }

    #[test]
    fn a_time_to_try_again_is_read_in_both_forms() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777 - 60);
        for (text, date, seconds) in [
            ("7", "", Some(7)),
            (" 8 ", "", Some(8)),
            ("Wed, 21 Oct", "", None),
            ("-1", "", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT", "", Some(60)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", "", Some(60)),
            // It is past.
            ("Sun, 06 Nov 1994 08:00:00 GMT", "", Some(0)),
            // Its clock is an hour ahead of ours.
            ("Sun, 06 Nov 1994 09:49:37 GMT", "Sun, 06 Nov 1994 09:49:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", "yesterday", Some(60)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            headers.insert(DATE, date.parse().unwrap());
            let wait = RetryAfter::of(&headers).map(|after| after.wait(now).as_secs());
            assert_eq!(wait, seconds, "{text} {date}");
        }
    }
}
