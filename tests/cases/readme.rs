//! The tutorial of the README, pasted: every shell block runs and shows what it promises.
//!
//! Blocks that begin with ```sh are run in order by bash, in the directory of a server of the
//! test's own. A block ```sh in-another-terminal runs in the background and must end well.
//! Standard ports become the server's; ```console and other blocks are only looked at.
use e2e::server::{Running, root};
use e2e::{Foreign, Server, gridhub};
use std::path::Path;
use std::process::{Command, Stdio};

struct Block {
    kind: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(kind)) => open = Some(Block { kind: kind.into(), text: String::new() }),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

#[test]
fn the_tutorial_works_when_pasted() {
    if !Foreign::Curl.ready() || !Foreign::Mosquitto.ready() || !Foreign::Paho.ready() {
        return;
    }
    let page = std::fs::read_to_string(root().join("README.md")).unwrap();
    let server = Server::new();
    let above = server.data().parent().unwrap().to_path_buf();
    let mut background: Vec<(String, Running)> = Vec::new();
    let mut ran = 0;
    for block in blocks(&page) {
        let script = on_ports(&block.text, &server);
        match block.kind.as_str() {
            "sh" => {
                let output = bash(&script, &above).output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{script}\n{said}");
                ran += 1;
            }
            "sh in-another-terminal" => {
                let child = bash(&script, &above).spawn().unwrap();
                let running = Running::of(child);
                running.note("subscribed");
                background.push((script, running));
                ran += 1;
            }
            _ => {}
        }
    }
    assert!(ran >= 5, "the tutorial has {ran} blocks to run");
    for (script, mut running) in background {
        let status = running.ended();
        assert!(status.success(), "{script}\n{}", running.said().join("\n"));
        assert!(!running.rest().is_empty(), "{script}: it heard nothing");
    }
}

#[test]
fn the_readme_has_the_two_commands() {
    let page = std::fs::read_to_string(root().join("README.md")).unwrap();
    for command in ["cargo run --release -- dev", "cargo xtask test"] {
        assert!(page.contains(command), "{command}");
    }
}

#[test]
fn what_the_pages_point_to_exists() {
    let mut missing = Vec::new();
    for page in ["README.md", "ARCHITECTURE.md", "STYLE.md", "CHANGELOG.md", "docs/config.md"] {
        let file = root().join(page);
        let text = std::fs::read_to_string(&file).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap();
            let outside = target.starts_with("https://") || path.is_empty();
            if !outside && !file.parent().unwrap().join(path).exists() {
                missing.push(format!("{page}: {target}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

fn on_ports(text: &str, server: &Server) -> String {
    let https = server.url().trim_start_matches("https://").to_string();
    let (mqtts, mqtt) = (server.port("mqtts").to_string(), server.port("mqtt").to_string());
    text.replace("localhost:8443", &https).replace("8883", &mqtts).replace("1883", &mqtt)
}

fn bash(script: &str, folder: &Path) -> Command {
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", script]).current_dir(folder);
    let binary = gridhub().parent().unwrap();
    let python = e2e::foreign::python();
    let mut path = vec![binary.to_path_buf(), python.parent().unwrap().to_path_buf()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    command.env("PATH", std::env::join_paths(path).unwrap());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn blocks_are_found_with_their_kind() {
    let found = blocks("a\n```sh\none\ntwo\n```\nb\n```console\n$ x\n```\n```py\n");
    let shown: Vec<_> = found.iter().map(|b| (b.kind.as_str(), b.text.as_str())).collect();
    assert_eq!(shown, [("sh", "one\ntwo\n"), ("console", "$ x\n")]);
}
