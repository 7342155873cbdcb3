//! Tests, checks and benchmarks of gridhub, as one command: `cargo xtask`.
//!
//! Owns how the project is proven on a bare machine: set-up of foreign clients, one profile and one
//! feature set for every build. Knows nothing of MQTT.
mod bench;
mod check;
mod clients;
mod command;
mod counts;
mod fuzz;
mod proof;
mod simulate;
mod test;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "cargo xtask COMMAND

  test [--kafka|--kafka-tls] [ARGUMENT...]
                        set up the test clients, build, run every test (arguments go to cargo test);
                        --kafka with the feature of that name, whose tests need no broker
  check [--kafka|--kafka-tls]
                        format, clippy without warnings, architecture
  tidy                  the architecture checks alone
  clients               set up the test clients alone
  counts [NAME...] [--accept]
                        count instructions of the hot paths under valgrind, compare with
                        bench/counts.txt or write it
  sim --seeds N [--from S] [--jobs J]
                        run the seeded simulator
  sim --seed N          replay one seed with every packet
  bench [SCENARIO... [--record]] [--pairs N] [--quick] [--list]
                        measure the floor, gridhub and Mosquitto side by side, write
                        bench/RESULTS.md, or with --record the rows of what is named; what takes
                        minutes with millions of messages (see --list) only when it is named
  fuzz TARGET...|--all [--minutes N] [--minimize]
                        look for inputs that break a property of crate fuzz; --minimize writes
                        the smallest corpus of what was found to fuzz/corpus
  proof NAME [--seconds N] [--smoke] | --list
                        load a server and judge it from outside, write docs/PROOFS.md
  soak [--minutes N] [--smoke]
                        500 connections of every kind, a ledger over every message
  crash [--rounds N] [--seed S] [--durability disk|memory] [--power-loss | --disconnect]
        [--without shared|keys|hub]
                        kill a loaded server again and again and hold it to what it acknowledged;
                        --durability memory must fail, --disconnect only resets connections";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, rest)) = arguments.split_first() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let done = match command.as_str() {
        "test" => test::run(rest),
        "check" => check::run(rest),
        "tidy" => check::tidy(),
        "clients" => clients::set_up(&root()).map(drop),
        "counts" => counts::run(rest),
        "sim" => simulate::run(rest),
        "bench" => bench::run(rest),
        "fuzz" => fuzz::run(rest),
        "proof" | "soak" | "crash" => proof::run(&arguments),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprintln!("xtask: there is no command '{other}'\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {command}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What cargo is told: the features that `--kafka` or `--kafka-tls` stands for, then the rest.
fn features(arguments: &[String]) -> Vec<&str> {
    let (kafka, rest): (Vec<_>, Vec<_>) =
        arguments.iter().map(String::as_str).partition(|argument| is_kafka(argument));
    let features = kafka.into_iter().flat_map(|argument| match argument {
        TLS => ["--features", "gridhub/kafka-tls,e2e/kafka"],
        _ => ["--features", "gridhub/kafka,e2e/kafka"],
    });
    features.chain(rest).collect()
}

/// Whether Kafka endpoints are asked for. They are not in every build: librdkafka is C, and takes
/// as long as a good part of the rest.
fn is_kafka(argument: &str) -> bool {
    [TLS, "--kafka"].contains(&argument)
}

const TLS: &str = "--kafka-tls";

/// The workspace's root: xtask is only ever run from a checkout.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in a folder of the workspace")
        .to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafka_is_features_and_the_rest_is_for_cargo() {
        for (words, told) in [
            ("-p e2e wills", "-p e2e wills"),
            ("--kafka", "--features gridhub/kafka,e2e/kafka"),
            ("wills --kafka-tls", "--features gridhub/kafka-tls,e2e/kafka wills"),
        ] {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            assert_eq!(features(&words).join(" "), told);
        }
    }
}
