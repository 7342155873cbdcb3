//! The command line (product.md 2): one file a verb. Owns flags, texts and exit statuses; what a
//! verb does belongs to the modules it calls.

mod backup;
mod cert;
mod command;
mod config;
mod connection;
mod dev;
mod device;
mod endpoint;
mod fault;
mod http_client;
mod incoming;
mod job;
mod listing;
mod method;
mod mqtt_client;
pub mod port;
mod pretty;
mod publish;
mod query;
mod ready;
mod repair;
mod restore;
mod serve;
mod service;
mod session;
mod subscribe;
mod table;
mod telemetry;
mod token;
mod twin;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Your own Event Grid MQTT broker in one binary.
#[derive(Parser)]
#[command(name = "gridhub", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run a broker for development: no file to write, ready in under a second
    Dev(dev::Dev),
    /// Run a broker from a configuration file
    Serve(serve::Serve),
    /// Check or show a configuration file, or hash a password for it
    #[command(subcommand)]
    Config(config::ConfigVerb),
    /// Publish one message
    Publish(publish::Publish),
    /// Subscribe and print what arrives
    Subscribe(subscribe::Subscribe),
    /// Make a bearer token with the key of the data directory
    Token(token::Token),
    /// Make a client certificate with the authority of the data directory
    Cert(cert::Cert),
    /// Look at sessions, and end them
    #[command(subcommand)]
    Session(session::Session),
    /// Register devices and modules of the hub, look at them, change them
    #[command(subcommand)]
    Device(device::Device),
    /// Look at twins, and write into them
    #[command(subcommand)]
    Twin(twin::Twin),
    /// Query the twins of devices and modules
    Query(query::Query),
    /// Read what devices send
    #[command(subcommand)]
    Telemetry(telemetry::Telemetry),
    /// Call direct methods of devices
    #[command(subcommand)]
    Method(method::Method),
    /// Send commands to devices, and look at their queues
    #[command(subcommand)]
    Command(command::Command),
    /// Do the same to many devices, at once or later
    #[command(subcommand)]
    Job(job::Job),
    /// Let things go wrong on purpose, to test what clients do then
    #[command(subcommand)]
    Fault(fault::Fault),
    /// Copy what a server keeps into one file, while it runs or without one
    Backup(backup::Backup),
    /// Put a backup into an empty data directory
    Restore(restore::Restore),
    /// Look for damage in the log of a data directory, and mend it
    Repair(repair::Repair),
}

/// Reads the command line and runs its verb. Exit status: 0 done, 1 refused or failed, 2 bad
/// usage (by clap).
pub fn run() -> ExitCode {
    let outcome = match Cli::parse().verb {
        Verb::Dev(verb) => verb.run(),
        Verb::Serve(verb) => verb.run(),
        Verb::Config(verb) => verb.run(),
        Verb::Publish(verb) => verb.run(),
        Verb::Subscribe(verb) => verb.run(),
        Verb::Token(verb) => verb.run(),
        Verb::Cert(verb) => verb.run(),
        Verb::Session(verb) => verb.run(),
        Verb::Device(verb) => verb.run(),
        Verb::Twin(verb) => verb.run(),
        Verb::Query(verb) => verb.run(),
        Verb::Telemetry(verb) => verb.run(),
        Verb::Method(verb) => verb.run(),
        Verb::Command(verb) => verb.run(),
        Verb::Job(verb) => verb.run(),
        Verb::Fault(verb) => verb.run(),
        Verb::Backup(verb) => verb.run(),
        Verb::Restore(verb) => verb.run(),
        Verb::Repair(verb) => verb.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Starts the log on stderr; stdout belongs to the verb's output. `RUST_LOG` narrows or widens.
fn start_log(log: &Log) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(log.level.as_str()));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start (two servers in one test process) keeps the first log.
    let text = match log.format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let _ = if text {
        builder.with_ansi(false).try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
}

/// The wall clock in Unix seconds, for what is signed offline.
fn wall_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
