//! The `gridhub` binary: starts the program. Owns nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    gridhub::run()
}
