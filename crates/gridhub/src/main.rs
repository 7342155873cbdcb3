//! The `gridhub` binary: installs the crypto provider, reads the command line, calls the verb.
//! Owns nothing else.

mod auth;
mod cli;
mod config;
mod identity;
mod serve;

use std::process::ExitCode;

fn main() -> ExitCode {
    auth::tls::install_provider();
    cli::run()
}
