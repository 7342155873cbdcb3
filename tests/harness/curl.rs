//! HTTP by curl: the client of the documentation, with its own idea of the protocol.
use crate::server::Server;
use serde_json::Value;
use std::process::{Command, Stdio};

/// A request as it grows.
pub struct Curl {
    arguments: Vec<String>,
    body: Option<Vec<u8>>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status code of the last response.
    pub status: u16,
    /// `1.1` or `2`.
    pub version: String,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Curl {
    /// To a path (with its query) of the server, with the token that may do everything.
    pub fn to(server: &Server, path: &str) -> Self {
        let authorization = format!("Authorization: Bearer {}", server.token());
        Self::anonymous(server, path).arguments(&["-H", &authorization])
    }

    /// Without any credential.
    pub fn anonymous(server: &Server, path: &str) -> Self {
        let url = format!("{}{path}", server.url());
        Self { arguments: vec![url], body: None }.arguments(&["--cacert", &server.text("ca_file")])
    }

    /// More words for curl.
    pub fn arguments(mut self, words: &[&str]) -> Self {
        self.arguments.extend(words.iter().map(ToString::to_string));
        self
    }

    /// A header.
    pub fn header(self, line: &str) -> Self {
        self.arguments(&["-H", line])
    }

    /// POST with these bytes and no content type of curl's own.
    pub fn post(mut self, body: &[u8]) -> Self {
        self.body = Some(body.to_vec());
        self.arguments(&["-X", "POST", "--data-binary", "@-", "-H", "Content-Type:"])
    }

    /// Sends it.
    #[track_caller]
    pub fn send(self) -> Answer {
        use std::io::Write;
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--globoff", "--path-as-is", "-i", "-m", "20"]);
        command.args(["--noproxy", "*"]).args(&self.arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("curl starts");
        let mut stdin = child.stdin.take().expect("piped");
        let body = self.body.unwrap_or_default();
        // On a thread: curl may answer before it has read all. A closed pipe is its right.
        let feeder = std::thread::spawn(move || drop(stdin.write_all(&body)));
        let output = child.wait_with_output().expect("curl ends");
        feeder.join().expect("the feeder only writes");
        let said = String::from_utf8_lossy(&output.stderr);
        Answer::parse(&output.stdout).unwrap_or_else(|| panic!("{said}: {:?}", self.arguments))
    }
}

impl Answer {
    /// The last response: interim ones (100) come before it.
    fn parse(text: &[u8]) -> Option<Self> {
        let end = text.windows(4).position(|w| w == b"\r\n\r\n")?;
        let (head, body) = (std::str::from_utf8(&text[..end]).ok()?, &text[end + 4..]);
        let mut lines = head.split("\r\n");
        let (version, rest) = lines.next()?.strip_prefix("HTTP/")?.split_once(' ')?;
        let status = rest.get(..3)?.parse().ok()?;
        if status == 100 {
            return Self::parse(body);
        }
        let headers = lines.filter_map(|l| l.split_once(':'));
        let headers = headers.map(|(n, v)| (n.to_lowercase(), v.trim().to_string())).collect();
        Some(Self { status, version: version.into(), headers, body: body.to_vec() })
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Must be a refusal with this status and the contract's error body.
    #[track_caller]
    pub fn refused(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        let error = &self.json()["error"];
        let part = |name: &str| error[name].as_str().unwrap_or_default().to_string();
        assert!(!part("code").is_empty() && !part("message").is_empty(), "{}", self.text());
        assert!(self.header("x-ms-request-id").is_some(), "no request id: {self:?}");
        part("message")
    }
}
