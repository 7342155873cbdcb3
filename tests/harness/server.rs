//! A running `gridhub dev`, and the other verbs of the binary run to their end.
use crate::until::{DEADLINE, until};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

/// What a server is started with.
#[derive(Clone, Default)]
pub struct Options {
    /// More words for `gridhub dev`.
    pub arguments: Vec<String>,
    /// Use this data directory, which outlives the server; else one of its own.
    pub data: Option<PathBuf>,
    /// Soft and hard limit of open files; else those of the test.
    pub open_files: Option<(u32, u32)>,
}

impl Options {
    /// More words for `gridhub dev`.
    pub fn with(words: &[&str]) -> Self {
        Self { arguments: words.iter().map(ToString::to_string).collect(), ..Self::default() }
    }

    /// On a data directory of the caller's.
    pub fn on(data: &Path) -> Self {
        Self { data: Some(data.into()), ..Self::default() }
    }
}

/// A server of the test's own on free ports. Dropped, it is killed and waited for.
pub struct Server {
    child: Child,
    /// The line it printed when it was ready.
    pub ready: Value,
    /// Lines of stdout after the first.
    lines: Receiver<String>,
    /// Lines of stderr.
    notes: Receiver<String>,
    data: PathBuf,
    /// Held until the server has ended; removed with it.
    _folder: Option<Folder>,
}

impl Server {
    /// One reactor for each core, an empty data directory.
    #[track_caller]
    pub fn new() -> Self {
        Self::start(&Options::default())
    }

    /// With options.
    #[track_caller]
    pub fn start(options: &Options) -> Self {
        let folder = options.data.is_none().then(Folder::new);
        let data = match (&options.data, &folder) {
            (Some(path), _) => path.clone(),
            (None, Some(folder)) => folder.path().join(".gridhub"),
            (None, None) => unreachable!("one of the two is there"),
        };
        let mut command = match options.open_files {
            None => Command::new(gridhub()),
            Some((soft, hard)) => {
                let mut shell = Command::new("sh");
                let limited = format!("ulimit -Sn {soft}; ulimit -Hn {hard}; exec \"$0\" \"$@\"");
                shell.args(["-c", &limited]).arg(gridhub());
                shell
            }
        };
        command.args(["dev", "--json"]);
        if !options.arguments.iter().any(|a| a == "--ephemeral") {
            command.arg("--data").arg(&data);
        }
        for listener in ["--mqtt", "--mqtts", "--https"] {
            if !options.arguments.iter().any(|a| a == listener) {
                command.args([listener, "127.0.0.1:0"]);
            }
        }
        let work = folder.as_ref().map_or_else(std::env::temp_dir, |f| f.path().to_path_buf());
        command.args(&options.arguments).current_dir(work);
        Self::launch(command, data, folder)
    }

    /// Starts what prints a ready line.
    #[track_caller]
    pub(crate) fn launch(mut command: Command, data: PathBuf, folder: Option<Folder>) -> Self {
        command.env_remove("RUST_LOG");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let lines = follow(child.stdout.take().expect("piped"));
        let notes = follow(child.stderr.take().expect("piped"));
        let mut server = Self { child, ready: Value::Null, lines, notes, data, _folder: folder };
        server.ready = match server.lines.recv_timeout(DEADLINE) {
            Ok(line) => serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}")),
            Err(why) => panic!("no ready line ({why}): {}", server.said().join("\n")),
        };
        server
    }

    /// A string of the ready line.
    #[track_caller]
    pub fn text(&self, name: &str) -> String {
        let value = self.ready[name].as_str();
        value.unwrap_or_else(|| panic!("no {name} in {}", self.ready)).to_string()
    }

    /// The port of `mqtt` or `mqtts`.
    #[track_caller]
    pub fn port(&self, listener: &str) -> u16 {
        let address = self.text(listener);
        let port = address.rsplit(':').next().and_then(|p| p.trim_end_matches('/').parse().ok());
        port.unwrap_or_else(|| panic!("no port in {address}"))
    }

    /// The URL of the HTTPS listener, without a slash at its end.
    pub fn url(&self) -> String {
        self.text("https").trim_end_matches('/').to_string()
    }

    /// The bearer token that may do everything.
    pub fn token(&self) -> String {
        self.text("token")
    }

    /// Where it keeps its data.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it the way an operator does and returns every line of its log.
    #[track_caller]
    pub fn log_at_end(mut self) -> Vec<String> {
        self.terminate();
        assert!(self.ended().success(), "{}", self.said().join("\n"));
        drain(&self.notes)
    }

    /// A verb of the binary against this server, as from a second terminal beside its data.
    pub fn verb(&self, words: &[&str]) -> Verb {
        Verb::new(words).within(self.data.parent().expect("a folder of ours"))
    }

    /// Moves the domain clock.
    #[track_caller]
    pub fn advance(&self, by: &str) {
        let body = format!("{{\"advance\":\"{by}\"}}");
        let answer = crate::curl::Curl::to(self, "/admin/clock")
            .arguments(&["-H", "content-type: application/json", "-d", &body])
            .send();
        assert!((200..300).contains(&answer.status), "advance {by}: {answer:?}");
    }

    /// Asks it to end, as Ctrl-C in a terminal does, without waiting.
    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(status.is_ok_and(|s| s.success()), "kill -TERM {pid}");
    }

    /// Waits for its end.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        until("the server's end", || self.child.try_wait().expect("a child of ours"))
    }

    /// What it wrote to stderr so far.
    pub fn said(&self) -> Vec<String> {
        self.notes.try_iter().collect()
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail when the process is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            for line in self.said() {
                eprintln!("server: {line}");
            }
        }
    }
}

/// A verb of the binary, run on its own.
pub struct Verb(pub Command);

impl Verb {
    /// `gridhub WORDS`, with nothing of the caller's environment that would change it.
    pub fn new(words: &[&str]) -> Self {
        let mut command = Command::new(gridhub());
        for name in ["ENDPOINT", "CA", "TOKEN", "CONNECTION_STRING"] {
            command.env_remove(format!("GRIDHUB_{name}"));
        }
        command.args(words).stdin(Stdio::null());
        Self(command)
    }

    /// To its end.
    #[track_caller]
    pub fn output(mut self) -> Output {
        self.0.output().expect("the binary starts")
    }

    /// In a directory.
    pub fn within(mut self, folder: &Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// In the background, line by line.
    #[track_caller]
    pub fn spawn(mut self) -> Running {
        self.0.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.0.spawn().expect("the binary starts");
        let lines = follow(child.stdout.take().expect("piped"));
        let notes = follow(child.stderr.take().expect("piped"));
        Running { child, lines, notes }
    }
}

/// A child whose lines are read as they come. Dropped, it is killed and waited for.
pub struct Running {
    /// The process.
    pub child: Child,
    lines: Receiver<String>,
    notes: Receiver<String>,
}

impl Running {
    /// Around a child that pipes both streams.
    pub fn of(mut child: Child) -> Self {
        let lines = follow(child.stdout.take().expect("piped"));
        let notes = follow(child.stderr.take().expect("piped"));
        Self { child, lines, notes }
    }

    /// The next line of stdout.
    #[track_caller]
    pub fn line(&self) -> String {
        match self.lines.recv_timeout(DEADLINE) {
            Ok(line) => line,
            Err(why) => panic!("no line ({why}): {}", self.said().join("\n")),
        }
    }

    /// The next line of stdout, as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"))
    }

    /// The next line of stderr that contains `words`.
    #[track_caller]
    pub fn note(&self, words: &str) -> String {
        let end = Instant::now() + DEADLINE;
        let mut seen = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.notes.recv_timeout(left) {
                Ok(line) if line.contains(words) => return line,
                Ok(line) => seen.push(line),
                Err(why) => panic!("no '{words}' ({why}) in {seen:?}"),
            }
        }
    }

    /// Waits for its end.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        until("the end of a child", || self.child.try_wait().expect("a child of ours"))
    }

    /// All lines of stdout that are left, after its end.
    #[track_caller]
    pub fn rest(&self) -> Vec<String> {
        drain(&self.lines)
    }

    /// What it wrote to stderr so far.
    pub fn said(&self) -> Vec<String> {
        self.notes.try_iter().collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The built binary: `GRIDHUB_BIN` as `cargo xtask test` sets it, else built here once.
pub fn gridhub() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("GRIDHUB_BIN") {
        Some(path) => path.into(),
        None => {
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let built = Command::new(cargo)
                .current_dir(root())
                .args(["build", "--quiet", "--profile", "ci", "--package", "gridhub"])
                .status();
            assert!(built.is_ok_and(|s| s.success()), "gridhub does not build");
            // This test lies in TARGET/ci/deps.
            let own = std::env::current_exe().expect("this test has a path");
            own.ancestors().nth(2).expect("two folders up").join("gridhub")
        }
    })
}

/// The workspace's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lies in the workspace")
}

/// A folder of its own, removed at the end.
pub struct Folder(PathBuf);

impl Folder {
    /// Empty.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("gridhub-e2e-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("the temporary directory is writable");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// All lines up to the end of the stream.
#[track_caller]
fn drain(from: &Receiver<String>) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        match from.recv_timeout(DEADLINE) {
            Ok(line) => lines.push(line),
            Err(RecvTimeoutError::Disconnected) => return lines,
            Err(RecvTimeoutError::Timeout) => panic!("it did not close its streams"),
        }
    }
}

/// Lines as they come, read on a thread so that the writer never blocks.
fn follow(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                // Nobody listens any more; read on, so that the writer never blocks.
            }
        }
    });
    receiver
}
