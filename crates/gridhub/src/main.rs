//! The `gridhub` binary: installs the crypto provider, reads the command line, calls the verb.
//! Owns nothing else.

mod auth;
mod cli;
mod clock;
mod config;
mod http;
mod identity;
mod machine;
mod net;
mod serve;
mod sys;

use std::process::ExitCode;

fn main() -> ExitCode {
    auth::tls::install_provider();
    cli::run()
}
