//! The foreign clients that the tests drive: paho-mqtt, mqtt.js, mosquitto-clients, curl, chromium.
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
    let python = said("paho-mqtt", python(&folder.join("py")));
    let javascript = said("mqtt.js", javascript(&folder.join("js")));
    Ok(Clients { python, javascript })
}

fn said(name: &str, made: Result<PathBuf>) -> Option<PathBuf> {
    made.map_err(|error| eprintln!("xtask: no {name}, its tests will skip: {error:#}")).ok()
}

fn python(folder: &Path) -> Result<PathBuf> {
    let python = folder.join("bin/python");
    let probe = format!("import paho.mqtt, sys; sys.exit(paho.mqtt.__version__ != '{PAHO}')");
    if succeeds(Command::new(&python).args(["-c", &probe])) {
        return Ok(python);
    }
    let venv = || run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder));
    if venv().is_err() {
        install("python3-venv");
        venv()?;
    }
    let package = format!("paho-mqtt=={PAHO}");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(Command::new(&python).args(pip).arg(package))?;
    Ok(python)
}

fn javascript(folder: &Path) -> Result<PathBuf> {
    let manifest = folder.join("node_modules/mqtt/package.json");
    let wanted = format!("\"version\": \"{MQTT_JS}\"");
    if std::fs::read_to_string(&manifest).is_ok_and(|text| text.contains(&wanted)) {
        return Ok(folder.to_path_buf());
    }
    std::fs::create_dir_all(folder)?;
    let package = format!("mqtt@{MQTT_JS}");
    let npm = ["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", "."];
    run(Command::new("npm").current_dir(folder).args(npm).arg(package))?;
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
const PAHO: &str = "2.2.0";
const MQTT_JS: &str = "5.16.0";
