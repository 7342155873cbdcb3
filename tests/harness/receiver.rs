//! A webhook of the test's own: an HTTP server of a few lines that keeps what it is sent and
//! answers as it is told.
use crate::site::Site;
use crate::tls::certificates;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// It, for as long as the test.
pub struct Receiver {
    /// Where it listens.
    pub url: String,
    state: Arc<State>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Posted {
    /// Its first line.
    pub line: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body, a JSON array.
    pub events: Vec<Value>,
    /// What it was answered.
    pub status: u16,
    /// When it was there.
    pub at: Instant,
}

struct State {
    status: AtomicU16,
    /// Headers of each answer, a line each.
    headers: Mutex<String>,
    posted: Mutex<Vec<Posted>>,
}

impl Receiver {
    /// One that answers with this status.
    #[track_caller]
    pub fn answering(status: u16) -> Self {
        Self::start(status, None)
    }

    /// One that does so over TLS, with the certificate of a site.
    #[track_caller]
    pub fn over_tls(status: u16, site: &Site) -> Self {
        let file = |name: &str| site.identity().join(name);
        let key = PrivateKeyDer::from_pem_file(file("server-key.pem")).expect("a private key");
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(certificates(&file("server.pem")), key);
        Self::start(status, Some(Arc::new(config.expect("a pair"))))
    }

    fn start(status: u16, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (status, headers) = (AtomicU16::new(status), Mutex::new("retry-after: 0\r\n".into()));
        let state = Arc::new(State { status, headers, posted: Mutex::default() });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (state, tls) = (Arc::clone(&shared), tls.clone());
                std::thread::spawn(move || match tls {
                    None => serve(stream, &state),
                    Some(tls) => {
                        let session = ServerConnection::new(tls).expect("a TLS session");
                        serve(StreamOwned::new(session, stream), &state)
                    }
                });
            }
        });
        Self { url: format!("{scheme}://localhost:{port}/hook?a=b"), state }
    }

    /// From now on its answers have these headers, lines that end in CR LF.
    pub fn say(&self, headers: &str) {
        *self.state.headers.lock().unwrap() = headers.to_owned();
    }

    /// From now on it answers with this status.
    pub fn answer(&self, status: u16) {
        self.state.status.store(status, Ordering::SeqCst);
    }

    /// All requests so far.
    pub fn posted(&self) -> Vec<Posted> {
        self.state.posted.lock().unwrap().clone()
    }

    /// The events that were taken, in order; some may be there twice.
    pub fn taken(&self) -> Vec<Value> {
        let taken = self.posted().into_iter().filter(|one| one.status == 200);
        taken.flat_map(|one| one.events).collect()
    }
}

/// Requests of one connection, until it closes.
fn serve(stream: impl Read + Write, state: &State) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            let bytes = reader.read_line(&mut line).ok()?;
            match line.trim_end() {
                "" if bytes > 0 => break,
                _ if bytes == 0 => return None,
                text => head.push(text.to_owned()),
            }
        }
        let header = |line: &String| {
            line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        };
        let headers: Vec<_> = head.iter().skip(1).filter_map(header).collect();
        let length = headers.iter().find(|(name, _)| name == "content-length")?;
        let mut body = vec![0; length.1.parse().ok()?];
        reader.read_exact(&mut body).ok()?;
        let status = state.status.load(Ordering::SeqCst);
        let events = serde_json::from_slice(&body).expect("a JSON array");
        let posted = Posted { line: head[0].clone(), headers, events, status, at: Instant::now() };
        state.posted.lock().unwrap().push(posted);
        let more = state.headers.lock().unwrap().clone();
        let answer = format!("HTTP/1.1 {status} X\r\n{more}content-length: 4\r\n\r\nsaid");
        reader.get_mut().write_all(answer.as_bytes()).ok()?;
        reader.get_mut().flush().ok()?;
    }
}
