//! Every input of the corpus and everything that once broke a property, through its property.

use std::path::{Path, PathBuf};

use fuzz::{Check, TARGETS};

#[test]
fn the_corpus_keeps_its_properties() {
    for (name, check) in TARGETS {
        let inputs = inputs("corpus", name);
        assert!(inputs.len() >= 5, "{name}: its corpus has {} inputs", inputs.len());
        inputs.iter().for_each(|input| replay(input, *check));
    }
}

#[test]
fn what_was_found_once_is_not_found_again() {
    for (name, check) in TARGETS {
        inputs("regressions", name).iter().for_each(|input| replay(input, *check));
    }
}

/// Beginnings of the corpus are inputs too: cheap ones that stop where no fuzzer would.
#[test]
fn beginnings_of_the_corpus_keep_their_properties() {
    for (name, check) in TARGETS {
        for input in inputs("corpus", name) {
            let bytes = std::fs::read(&input).expect("a readable file");
            for part in [1, 2, 3] {
                check(&bytes[..bytes.len() * part / 4]);
            }
        }
    }
}

/// A folder without a target is never replayed.
#[test]
fn every_folder_belongs_to_a_target() {
    for kind in ["corpus", "regressions"] {
        for folder in entries(&root().join(kind)) {
            let name = folder.file_name().expect("a folder has a name").to_string_lossy();
            assert!(TARGETS.iter().any(|(target, _)| *target == name), "{}", folder.display());
        }
    }
}

#[track_caller]
fn replay(input: &Path, check: Check) {
    let bytes = std::fs::read(input).expect("a readable file");
    let done = std::panic::catch_unwind(|| check(&bytes));
    assert!(done.is_ok(), "{} broke its property, see above", input.display());
}

fn inputs(kind: &str, target: &str) -> Vec<PathBuf> {
    entries(&root().join(kind).join(target))
}

/// What lies in a folder; nothing when it is not there.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut all: Vec<_> = entries.map(|e| e.expect("a readable folder").path()).collect();
    all.sort();
    all
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
