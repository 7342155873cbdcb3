//! A webhook of the test's own: an HTTP server of a few lines that keeps what it is sent and
//! answers as it is told.
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

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
}

struct State {
    status: AtomicU16,
    posted: Mutex<Vec<Posted>>,
}

impl Receiver {
    /// One that answers with this status.
    #[track_caller]
    pub fn answering(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let state = Arc::new(State { status: AtomicU16::new(status), posted: Mutex::default() });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(&stream, &state));
            }
        });
        Self { url: format!("http://127.0.0.1:{port}/hook?a=b"), state }
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
fn serve(stream: &TcpStream, state: &State) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
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
        let posted = Posted { line: head[0].clone(), headers, events, status };
        state.posted.lock().unwrap().push(posted);
        let answer =
            format!("HTTP/1.1 {status} X\r\nretry-after: 0\r\ncontent-length: 4\r\n\r\nsaid");
        (&*stream).write_all(answer.as_bytes()).ok()?;
    }
}
