//! A NATS server with JetStream, and what a test has to ask it, in its own words.
use crate::server::{Folder, root};
use crate::until::until;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// It, and where it keeps its streams. Dropped, it is killed and waited for.
pub struct NatsServer {
    child: Child,
    port: u16,
    folder: Folder,
}

impl NatsServer {
    /// Empty.
    #[track_caller]
    pub fn new() -> Self {
        // It could be another's in a moment; then the server does not start, and the test says so.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let (folder, port) = (Folder::new(), free.expect("a free port").port());
        let child = start(&folder, port, &[]);
        Self { child, port, folder }.ready()
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// It is killed.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// It is there again, with its streams.
    #[track_caller]
    pub fn start(mut self) -> Self {
        self.child = start(&self.folder, self.port, &[]);
        self.ready()
    }

    /// It is there again, with its streams, and started with more words: it may ask who comes, and
    /// speak TLS only, so that nothing can be asked of it here.
    #[track_caller]
    pub fn start_with(mut self, words: &[&str]) -> Self {
        self.child = start(&self.folder, self.port, words);
        until("a NATS server", || {
            let mut line = String::new();
            let stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
            BufReader::new(stream).read_line(&mut line).ok()?;
            line.starts_with("INFO ").then_some(())
        });
        self
    }

    /// Makes a stream that listens to a subject.
    #[track_caller]
    pub fn make_stream(&self, name: &str, subject: &str) {
        let config = json!({"name": name, "subjects": [subject], "storage": "file"});
        let made = self.ask(&format!("$JS.API.STREAM.CREATE.{name}"), &config).expect("an answer");
        assert!(made["error"].is_null(), "{made}");
    }

    /// All messages of a stream: headers and payload.
    #[track_caller]
    pub fn messages(&self, stream: &str) -> Vec<(String, Value)> {
        use base64::Engine;
        let text = |value: &Value| {
            let bytes = base64::prelude::BASE64_STANDARD.decode(value.as_str().unwrap_or_default());
            String::from_utf8(bytes.expect("base64")).expect("text")
        };
        let message = |number: u64| {
            let get = format!("$JS.API.STREAM.MSG.GET.{stream}");
            let found = self.ask(&get, &json!({ "seq": number })).expect("an answer");
            let message = found.get("message")?;
            let payload = serde_json::from_str(&text(&message["data"])).expect("JSON");
            Some((text(&message["hdrs"]), payload))
        };
        (1..).map_while(message).collect()
    }

    fn ready(self) -> Self {
        until("JetStream", || {
            self.ask("$JS.API.INFO", &Value::Null).filter(|info| info["error"].is_null())
        });
        self
    }

    /// One request of JetStream's interface; `None` = nobody is there yet.
    fn ask(&self, subject: &str, request: &Value) -> Option<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let body = if request.is_null() { String::new() } else { request.to_string() };
        let bytes = body.len();
        let hello = "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}";
        let text = format!("{hello}\r\nSUB in 1\r\nPUB {subject} in {bytes}\r\n{body}\r\nPING\r\n");
        stream.write_all(text.as_bytes()).ok()?;
        let mut reader = BufReader::new(stream);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let mut words = line.split_whitespace();
            match words.next() {
                Some("MSG") => {
                    let size = words.last()?.parse().ok()?;
                    let mut payload = vec![0; size];
                    reader.read_exact(&mut payload).ok()?;
                    return serde_json::from_slice(&payload).ok();
                }
                // Nobody listens.
                Some("HMSG") => return None,
                _ => {}
            }
        }
    }
}

impl Default for NatsServer {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn start(folder: &Folder, port: u16, words: &[&str]) -> Child {
    let mut command = Command::new(program());
    command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"]).arg(folder.path());
    command.args(words);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("nats-server starts")
}

/// The server of the Python package, or what the environment names.
pub(crate) fn program() -> PathBuf {
    let folder = root().join("target/clients/nats/bin/nats-server");
    std::env::var_os("E2E_NATS_SERVER").map_or(folder, PathBuf::from)
}
