//! Everything of the `gridhub` binary but its `main`, so that what reads foreign bytes can be
//! proven from outside. Owns the list of modules and what of them is shown; refuses to be an
//! interface for anybody else: only `run` and the provers' names are public.

mod auth;
mod backup;
mod cli;
mod clock;
mod config;
mod disk;
mod feed;
mod first_device;
mod fresh;
mod http;
mod identity;
mod keep;
mod latch;
mod machine;
mod net;
mod outlet;
mod serve;
mod start;
mod sys;

use std::process::ExitCode;

pub use http::publish::trial as http_publish;

/// The whole program: installs the crypto provider, reads the command line, calls the verb.
pub fn run() -> ExitCode {
    auth::tls::install_provider();
    cli::run()
}
