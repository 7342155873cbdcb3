//! The `gridhub` binary: installs the crypto provider, reads the command line, calls the verb.
//! Owns nothing else.

mod auth;
mod cli;
mod config;
#[allow(dead_code, reason = "serve.rs calls it once the data plane is linked")]
mod http;
mod identity;
mod serve;

use std::process::ExitCode;

fn main() -> ExitCode {
    auth::tls::install_provider();
    cli::run()
}
