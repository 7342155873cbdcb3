//! The architecture checks: what ARCHITECTURE.md and STYLE.md promise, held by tests.
//!
//! Owns the walk over the tree and the form of a finding; each check is a file of its own.
mod arrows;
mod manifest;
mod mask;
mod rules;
mod source;

use anyhow::{Context, Result};
use std::fmt;
use std::path::{Path, PathBuf};

/// One broken rule at one place.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// Path relative to the workspace's root.
    pub file: String,
    /// From 1; 0 when the whole file is meant.
    pub line: usize,
    /// What must be or must not be.
    pub rule: String,
    /// Why the rule exists.
    pub reason: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, rule, reason } = self;
        match line {
            0 => write!(f, "{file}: {rule} (because: {reason})"),
            line => write!(f, "{file}:{line}: {rule} (because: {reason})"),
        }
    }
}

/// Every check over the whole tree.
///
/// # Errors
/// When the tree cannot be read or cargo cannot describe it.
pub fn all(root: &Path) -> Result<Vec<Finding>> {
    let mut findings = sources(root)?;
    findings.extend(arrows::check(root)?);
    findings.extend(manifest::check(root)?);
    Ok(findings)
}

/// The checks that read text.
fn sources(root: &Path) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in files(root)? {
        let bytes = std::fs::read(root.join(&file)).with_context(|| file.clone())?;
        let Ok(text) = String::from_utf8(bytes) else { continue };
        rules::check_text(&file, &text, &mut findings);
        if file.ends_with(".rs") {
            rules::check_rust(&source::Source::new(&file, &text), &mut findings);
        }
    }
    Ok(findings)
}

/// Every file of ours, relative to the root, in order.
fn files(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let at = root.join(&folder);
        for entry in std::fs::read_dir(&at).with_context(|| at.display().to_string())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = folder.join(&name);
            let kind = entry.file_type()?;
            if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
                folders.push(path);
            } else if kind.is_file() && name != ".git" {
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Not ours: version control, what builds leave, what clients install, data of `gridhub dev`.
const SKIPPED: [&str; 5] = [".git", "target", "node_modules", "__pycache__", ".gridhub"];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn none(findings: &[Finding]) {
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "{} findings:\n{}", lines.len(), lines.join("\n"));
    }

    #[test]
    fn sources_follow_the_style() {
        none(&sources(&crate::root()).unwrap());
    }

    #[test]
    fn crates_depend_only_downwards() {
        none(&arrows::check(&crate::root()).unwrap());
    }

    #[test]
    fn the_manifest_lists_every_statement_and_names_existing_tests() {
        none(&manifest::check(&crate::root()).unwrap());
    }
}
