//! Which crate may know which: the arrows of ARCHITECTURE.md against what cargo says.
use super::Finding;
use crate::command::{cargo, output};
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;

/// Compares every manifest of the workspace with the tables below.
///
/// # Errors
/// When cargo cannot describe the workspace.
pub fn check(root: &Path) -> Result<Vec<Finding>> {
    let said = output(cargo(root).args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata = serde_json::from_slice(&said.stdout).context("what cargo metadata says")?;
    Ok(compare(&metadata))
}

fn compare(metadata: &Value) -> Vec<Finding> {
    let empty = Vec::new();
    let packages = metadata["packages"].as_array().unwrap_or(&empty);
    let ours: Vec<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let mut findings = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let mut say = |rule: String, reason| {
            let file = format!("the manifest of crate {name}");
            findings.push(Finding { file, line: 0, rule, reason });
        };
        let Some(below) = ARROWS.iter().find(|(from, _)| *from == name).map(|(_, to)| *to) else {
            say("it is in no row of the arrows".into(), "an arrow that is not drawn is a guess");
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap_or(&empty) {
            let to = dependency["name"].as_str().unwrap_or_default();
            if ours.contains(&to) && !below.contains(&to) {
                say(format!("{name} must not know {to}"), DOWN);
            }
            if RUNTIMES.contains(&to) && !WITH_RUNTIME.contains(&name) {
                say(format!("{name} must not know {to}"), "what decides performs no IO");
            }
            if dependency["kind"].is_null() && LEAN.contains(&name) && !below.contains(&to) {
                say(format!("{name} depends on nothing"), "it can be lifted out and fuzzed alone");
            }
        }
    }
    findings
}

/// Crate, and those of ours that it may import (in tests too).
const ARROWS: &[(&str, &[&str])] = &[
    ("mqtt", &[]),
    ("store", &["crashdisk"]),
    ("crashdisk", &["store"]),
    ("broker", &["mqtt", "store"]),
    ("hub", &["mqtt", "store"]),
    ("engine", &["store", "crashdisk"]),
    ("node", &["mqtt", "store", "broker", "hub", "engine", "crashdisk"]),
    ("cluster", &["mqtt", "store", "engine"]),
    ("gridhub", &["mqtt", "store", "broker", "hub", "engine", "node", "cluster"]),
    ("counts", &["mqtt", "store", "broker", "hub", "engine", "node", "crashdisk"]),
    ("sim", &["mqtt", "store", "broker", "hub", "engine", "node", "cluster", "crashdisk"]),
    ("fuzz", &["mqtt", "store", "broker", "hub", "engine", "node", "gridhub"]),
    ("e2e", &["mqtt"]),
    ("load", &["mqtt"]),
    ("xtask", &[]),
];
/// Nothing at all, not even from outside.
const LEAN: [&str; 1] = ["mqtt"];
const RUNTIMES: [&str; 9] =
    ["tokio", "axum", "hyper", "hyper-util", "mio", "socket2", "rustls", "tokio-rustls", "rand"];
const WITH_RUNTIME: [&str; 6] = ["gridhub", "cluster", "e2e", "load", "xtask", "sim"];
const DOWN: &str = "arrows point downwards only: each crate is small enough to know whole";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(name: &str, dependencies: &[&str]) -> usize {
        let list: Vec<Value> =
            dependencies.iter().map(|d| json!({"name": d, "kind": null})).collect();
        let mut packages = vec![json!({"name": name, "dependencies": list})];
        for (other, _) in ARROWS.iter().filter(|(other, _)| *other != name) {
            packages.push(json!({"name": other, "dependencies": []}));
        }
        compare(&json!({"packages": packages})).len()
    }

    #[test]
    fn arrows_point_downwards() {
        let rows: [(&str, &[&str], usize); 10] = [
            ("node", &["mqtt", "broker", "engine", "hashbrown"], 0),
            ("broker", &["node"], 1),
            ("broker", &["engine"], 1),
            ("engine", &["broker", "mqtt"], 2),
            ("node", &["tokio"], 1),
            ("gridhub", &["tokio", "node", "mio"], 0),
            ("gridhub", &["xtask", "e2e"], 2),
            ("node", &["fuzz"], 1),
            ("mqtt", &["hashbrown"], 1),
            ("junk", &[], 1),
        ];
        for (name, dependencies, expected) in rows {
            assert_eq!(found(name, dependencies), expected, "{name} -> {dependencies:?}");
        }
    }
}
