//! A page in headless Chromium: served from loopback, heard when it posts what it found.
use crate::foreign::{background, bundle, script};
use crate::server::{Folder, Running};
use crate::until::DEADLINE;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};

/// A browser with one page of `clients/`. Dropped, it is killed.
pub struct Browser {
    running: Running,
    results: Receiver<Value>,
    _profile: Folder,
}

impl Browser {
    /// Opens `page` with `parameters`, which it finds at `/parameters`. The server's certificate is
    /// not checked: a browser takes authorities from its own store only.
    #[track_caller]
    pub fn open(page: &str, parameters: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let files = [
            ("/", "text/html", std::fs::read(script(page)).expect("a page of ours")),
            ("/mqtt.js", "text/javascript", std::fs::read(bundle()).expect("mqtt.js")),
            ("/parameters", "application/json", parameters.to_string().into_bytes()),
        ];
        let (sender, results) = channel();
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                // A connection that the browser opened in advance and left is no trouble.
                let _ = answer(&socket, &files, &sender);
            }
        });
        let profile = Folder::new();
        let mut command = Command::new("chromium");
        command.args(FLAGS).arg(format!("--user-data-dir={}", profile.path().display()));
        command.arg(format!("http://{address}/"));
        Self { running: background(command), results, _profile: profile }
    }

    /// What the page posts next.
    #[track_caller]
    pub fn result(&self) -> Value {
        // A browser's first start takes longer than an answer of ours.
        match self.results.recv_timeout(DEADLINE * 4) {
            Ok(result) => result,
            Err(why) => panic!("no result ({why}): {}", self.running.said().join("\n")),
        }
    }
}

/// One request a connection, answered from `files`; what is posted is a result.
fn answer(
    mut socket: &TcpStream,
    files: &[(&str, &str, Vec<u8>)],
    results: &Sender<Value>,
) -> std::io::Result<()> {
    socket.set_read_timeout(Some(DEADLINE))?;
    let mut reader = BufReader::new(socket);
    let (mut request, mut length) = (String::new(), 0);
    reader.read_line(&mut request)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if request.starts_with("POST") {
        let text = || Value::String(String::from_utf8_lossy(&body).into_owned());
        let _ = results.send(serde_json::from_slice(&body).unwrap_or_else(|_| text()));
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let file = files.iter().find(|(name, ..)| *name == path);
    let (status, kind, content) = match file {
        Some((_, kind, content)) => ("200 OK", *kind, &content[..]),
        None => ("404 Not Found", "text/plain", &[][..]),
    };
    let length = content.len();
    write!(
        socket,
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n"
    )?;
    socket.write_all(content)
}

/// Nothing of the user's, nothing from the net: only loopback resolves.
const FLAGS: [&str; 13] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--ignore-certificate-errors",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
];
