//! The load proofs and the soak of gridhub: one process that starts the built binary, loads it,
//! keeps a ledger of every message, and judges it from outside.
//!
//! `load crash [--rounds N] [--seed S] [--durability disk|memory] [--power-loss | --disconnect]
//! [--without shared|keys|hub]`, `load proof NAME [--seconds N] [--smoke]` and
//! `load soak [--minutes N] [--smoke] [--with websocket]`, and what `cargo xtask bench` asks for,
//! `load figure NAME --folder DIR [--smoke]`; each with `--binary FILE` (else
//! `GRIDHUB_BIN`) and `--record PAGE` to write the result down.
mod crash;
mod engine;
mod figure;
mod flood;
mod https;
mod hub;
mod latency;
mod ledger;
mod mark;
mod metrics;
mod options;
mod paced;
mod process;
mod proof;
mod report;
mod server;
mod soak;
mod waiting;

use anyhow::Context;
use options::{Options, What};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match Options::parse(&arguments).and_then(|options| run(&options)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// 0 = it holds, 1 = it does not.
fn run(options: &Options) -> anyhow::Result<ExitCode> {
    process::raise_open_files();
    let binary = options.binary()?;
    let report = match &options.what {
        What::Proof(name) => proof::run(name, &binary, options.seconds, options.size)?,
        What::Soak => {
            let seconds = options.seconds.unwrap_or(SOAK_S);
            soak::run(&binary, seconds, options.size, &options.extras)?
        }
        What::Crash(settings) => match crash::run(&binary, settings)? {
            Some(report) => report,
            None => return Ok(ExitCode::SUCCESS),
        },
        What::Figure(name) => {
            let folder = options.folder.as_deref().context("a figure has a folder")?;
            let place = figure::Place { binary: &binary, folder, size: options.size };
            println!("{}", figure::run(name, place)?.line());
            return Ok(ExitCode::SUCCESS);
        }
        What::List => {
            for (name, shows, seconds, _) in proof::PROOFS {
                println!("{name:<12} {seconds:>4} s  {shows}");
            }
            return Ok(ExitCode::SUCCESS);
        }
    };
    println!("{}", report.line());
    if let Some(page) = &options.record {
        report.record(page, &options.command())?;
    }
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// An hour.
const SOAK_S: u64 = 3_600;
