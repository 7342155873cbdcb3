//! The conformance manifest: every normative statement has its test, or a reason why not yet.
//!
//! `conformance/ids.txt` is the list of statements, one id a line. `conformance/mqtt5.txt` says
//! `id | path::test_fn[, path::test_fn]` or `id | - reason`; `#` begins a comment line.
use super::Finding;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Compares the manifest with the list of statements and with the tests in the tree.
///
/// # Errors
/// When one of the two files cannot be read.
pub fn check(root: &Path) -> Result<Vec<Finding>> {
    let read = |file: &str| std::fs::read_to_string(root.join(file)).context(file.to_string());
    let ids = read(IDS)?;
    let manifest = read(MANIFEST)?;
    Ok(compare(&ids, &manifest, &|path| std::fs::read_to_string(root.join(path)).ok()))
}

fn compare(ids: &str, manifest: &str, source: &dyn Fn(&str) -> Option<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say = |line, rule: String| {
        findings.push(Finding { file: MANIFEST.into(), line, rule, reason: REASON });
    };
    let mut open: BTreeMap<&str, Option<usize>> =
        ids.lines().filter(|l| !l.is_empty()).map(|id| (id.trim(), None)).collect();
    for (number, line) in manifest.lines().enumerate() {
        let number = number + 1;
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((id, shown)) = line.split_once('|').map(|(i, s)| (i.trim(), s.trim())) else {
            say(number, "a line is `id | path::test_fn` or `id | - reason`".into());
            continue;
        };
        match open.get_mut(id) {
            None => say(number, format!("there is no statement {id}")),
            Some(Some(first)) => say(number, format!("{id} is listed in line {first} already")),
            Some(unseen) => *unseen = Some(number),
        }
        if let Some(reason) = shown.strip_prefix('-') {
            if reason.trim().len() < REASON_CHARS_MIN {
                say(number, format!("{id} has no test and no reason"));
            }
            continue;
        }
        for test in shown.split(',').map(str::trim) {
            if let Err(rule) = exists(test, source) {
                say(number, rule);
            }
        }
    }
    for id in open.iter().filter(|(_, seen)| seen.is_none()).map(|(id, _)| id) {
        say(0, format!("{id} is not listed"));
    }
    findings
}

/// `path::test_fn` or `path::module::test_fn`: the file is there and has that function.
fn exists(test: &str, source: &dyn Fn(&str) -> Option<String>) -> Result<(), String> {
    let Some((path, inner)) = test.split_once("::") else {
        return Err(format!("'{test}' is not `path::test_fn`"));
    };
    let name = inner.rsplit("::").next().unwrap_or(inner);
    let text = source(path).ok_or_else(|| format!("there is no file {path}"))?;
    let head = format!("fn {name}(");
    if text.lines().any(|l| l.trim_start().trim_start_matches("pub ").starts_with(&head)) {
        return Ok(());
    }
    Err(format!("{path} has no function {name}"))
}

const IDS: &str = "conformance/ids.txt";
const MANIFEST: &str = "conformance/mqtt5.txt";
const REASON: &str = "a statement nobody lists is a statement nobody tests";
const REASON_CHARS_MIN: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(manifest: &str) -> Vec<String> {
        let source = |path: &str| {
            (path == "a/b.rs").then(|| "#[test]\nfn good() {\n}\n// fn bad() {}\n".to_string())
        };
        compare("1-1\n1-2\n", manifest, &source).into_iter().map(|f| f.rule).collect()
    }

    #[test]
    fn a_full_manifest_has_no_findings() {
        let none: [String; 0] = [];
        assert_eq!(rules("# head\n1-1 | a/b.rs::good\n\n1-2 | - a client's duty\n"), none);
        assert_eq!(rules("1-1|a/b.rs::good, a/b.rs::tests::good\n1-2|- a client's duty"), none);
    }

    #[test]
    fn each_mistake_is_found() {
        let rows = [
            ("1-1 | a/b.rs::good", "1-2 is not listed"),
            ("1-3 | a/b.rs::good", "there is no statement 1-3"),
            ("1-1 | a/b.rs::good\n1-1 | a/b.rs::good", "1-1 is listed in line 1 already"),
            ("1-1 | a/b.rs::bad", "a/b.rs has no function bad"),
            ("1-1 | a/c.rs::good", "there is no file a/c.rs"),
            ("1-1 | good", "'good' is not `path::test_fn`"),
            ("1-1 | -", "1-1 has no test and no reason"),
            ("1-1 a/b.rs::good", "a line is `id | path::test_fn` or `id | - reason`"),
        ];
        for (manifest, rule) in rows {
            assert!(rules(manifest).iter().any(|r| r == rule), "{manifest}: {rule}");
        }
    }

    #[test]
    fn the_list_has_every_statement_of_the_standard() {
        let list = std::fs::read_to_string(crate::root().join(IDS)).unwrap();
        let mut ids: Vec<&str> = list.lines().collect();
        assert_eq!(ids.len(), 251);
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 251);
    }
}
