//! Clients that others wrote: paho-mqtt, mqtt.js, mosquitto_pub and mosquitto_sub, a browser; and a
//! NATS server, whose client we are.
//!
//! A client that is not installed skips its test by name; with `CI` set that is a failure.
use crate::server::{Running, Server, root};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A client program that may be missing.
#[derive(Clone, Copy, Debug)]
pub enum Foreign {
    /// Python's.
    Paho,
    /// Node's.
    MqttJs,
    /// Debian's mosquitto-clients.
    Mosquitto,
    /// Debian's curl.
    Curl,
    /// Azure's SDKs of services and devices for Python.
    AzurePython,
    /// Azure's SDKs of services and devices for Node.
    AzureNode,
    /// A NATS server with JetStream.
    NatsServer,
    /// Debian's chromium, with mqtt.js in the page.
    Chromium,
}

impl Foreign {
    /// True when it is there; else says so by name, and fails with `CI` set.
    #[track_caller]
    pub fn ready(self) -> bool {
        let there = match self {
            Self::Paho => python().is_file(),
            Self::MqttJs => node_modules().join("mqtt").is_dir() && on_path("node"),
            Self::Mosquitto => on_path("mosquitto_pub") && on_path("mosquitto_sub"),
            Self::Curl => on_path("curl"),
            Self::AzurePython => azure_interpreter().is_file(),
            Self::AzureNode => {
                azure_modules().join("azure-iot-device-http").is_dir() && on_path("node")
            }
            Self::NatsServer => crate::nats::program().is_file(),
            Self::Chromium => on_path("chromium") && bundle().is_file(),
        };
        if !there {
            let test = std::thread::current().name().unwrap_or("a test").to_string();
            assert!(std::env::var_os("CI").is_none(), "{test}: {self:?} is missing, and CI is set");
            eprintln!("SKIPPED {test}: {self:?} is missing; `cargo xtask clients` installs it");
        }
        there
    }
}

/// A client script: one command a line on stdin as JSON, one event a line on stdout.
pub struct Script {
    running: Running,
}

impl Script {
    #[track_caller]
    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("the client script starts");
        Self { running: Running::of(child) }
    }

    /// Tells it to do something and returns its answer, events aside.
    #[track_caller]
    pub fn ask(&mut self, command: &Value) -> Value {
        use std::io::Write;
        let stdin = self.running.child.stdin.as_mut().expect("piped");
        writeln!(stdin, "{command}").expect("the client script reads");
        let answer = self.running.json();
        assert!(answer["error"].is_null(), "{command}: {answer}");
        answer
    }

    /// Kills it without a word to the server.
    pub fn kill(mut self) {
        let _ = self.running.child.kill();
        let _ = self.running.child.wait();
    }
}

/// A paho-mqtt client; see `clients/paho_client.py` for its commands.
#[track_caller]
pub fn paho() -> Script {
    let mut command = Command::new(python());
    command.arg("-u").arg(script("paho_client.py"));
    Script::start(command)
}

/// An mqtt.js client; see `clients/js_client.js` for its commands, the same as paho's.
#[track_caller]
pub fn javascript() -> Script {
    let mut command = Command::new("node");
    command.arg(script("js_client.js")).env("NODE_PATH", node_modules());
    Script::start(command)
}

/// Azure's service SDK for Python by a connection string; see `clients/azure_iot_hub.py`.
#[track_caller]
pub fn azure_python(server: &Server, connection_string: &str) -> Script {
    let mut command = Command::new(azure_interpreter());
    command.arg("-u").arg(script("azure_iot_hub.py"));
    command.arg(connection_string).arg(server.text("ca_file"));
    Script::start(command)
}

/// Azure's service SDK for Node by a connection string; see `clients/azure_iothub.js`.
#[track_caller]
pub fn azure_node(server: &Server, connection_string: &str) -> Script {
    let mut command = Command::new("node");
    command.arg(script("azure_iothub.js")).arg(connection_string);
    command.env("NODE_PATH", azure_modules());
    command.env("NODE_EXTRA_CA_CERTS", server.text("ca_file"));
    Script::start(command)
}

/// Azure's device SDK for Python by a connection string; see `clients/azure_iot_device.py` for the
/// words before it.
#[track_caller]
pub fn azure_device_python(server: &Server, how: &[&str], connection_string: &str) -> Script {
    let mut command = Command::new(azure_interpreter());
    command.arg("-u").arg(script("azure_iot_device.py")).args(how);
    command.arg(connection_string).arg(server.text("ca_file")).env("NO_PROXY", "*");
    Script::start(command)
}

/// Azure's device SDK for Node by a transport and a connection string; see
/// `clients/azure_iot_device.js`.
#[track_caller]
pub fn azure_device_node(server: &Server, transport: &str, connection_string: &str) -> Script {
    let mut command = Command::new("node");
    command.arg(script("azure_iot_device.js")).args([transport, connection_string]);
    command.arg(server.text("ca_file")).env("NODE_PATH", azure_modules());
    command.env("NODE_EXTRA_CA_CERTS", server.text("ca_file"));
    Script::start(command)
}

pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
}

/// The Python that has paho-mqtt.
pub fn python() -> PathBuf {
    let folder = root().join("target/clients/py/bin/python");
    std::env::var_os("E2E_PYTHON").map_or(folder, PathBuf::from)
}

/// The Python that has Azure's SDK: its requirements are not those of paho-mqtt 2.
fn azure_interpreter() -> PathBuf {
    let folder = root().join("target/clients/azure-py/bin/python");
    std::env::var_os("E2E_AZURE_PYTHON").map_or(folder, PathBuf::from)
}

fn azure_modules() -> PathBuf {
    let folder = root().join("target/clients/azure-js");
    std::env::var_os("E2E_AZURE_JAVASCRIPT").map_or(folder, PathBuf::from).join("node_modules")
}

/// mqtt.js in one file, for a page.
pub(crate) fn bundle() -> PathBuf {
    node_modules().join("mqtt/dist/mqtt.min.js")
}

fn node_modules() -> PathBuf {
    let folder = root().join("target/clients/js");
    std::env::var_os("E2E_JAVASCRIPT").map_or(folder, PathBuf::from).join("node_modules")
}

/// How mosquitto's tools reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mosquitto {
    /// Plain, anonymous.
    Tcp,
    /// TLS, the token as password.
    Tls,
    /// TLS with the certificate of client1.
    Certificate,
}

/// `mosquitto_pub` or `mosquitto_sub` with what it needs to reach the server.
pub fn mosquitto(program: &str, server: &Server, by: Mosquitto, version: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["-h", "localhost", "-V", version]).stdin(Stdio::null());
    if by == Mosquitto::Tcp {
        command.args(["-h", "127.0.0.1", "-p", &server.port("mqtt").to_string()]);
        return command;
    }
    command.args(["-p", &server.port("mqtts").to_string(), "--cafile"]);
    command.arg(server.text("ca_file"));
    if by == Mosquitto::Tls {
        command.args(["-u", "anyone", "-P", &server.token()]);
    } else {
        let client = &server.ready["client"];
        let part = |name: &str| client[name].as_str().expect("in the ready line").to_string();
        command.args(["--cert", &part("cert_file"), "--key", &part("key_file")]);
        command.args(["-u", &part("name")]);
    }
    command
}

/// Starts a program in the background and reads its lines.
#[track_caller]
pub fn background(mut command: Command) -> Running {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::of(command.spawn().expect("the program starts"))
}

/// Runs a program that must exit with 0.
#[track_caller]
pub fn succeeds(mut command: Command) -> Output {
    let output = command.output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {} {said}", output.status);
    output
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
