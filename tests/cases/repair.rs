//! `gridhub repair` on a stored log: what it tells, what it does, and when it does nothing.
use e2e::Verb;
use e2e::server::Folder;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn repair(folder: &Folder, more: &[&str]) -> Output {
    let words = [&["repair", "--data", folder.path().to_str().unwrap()], more].concat();
    Verb::new(&words).output()
}

/// A data directory with a copy of the stored log, whose end is torn.
fn data() -> Folder {
    let folder = Folder::new();
    let log = folder.path().join("log");
    std::fs::create_dir(&log).unwrap();
    let stored = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/store/tests/format/v1");
    for entry in std::fs::read_dir(stored).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), log.join(entry.file_name())).unwrap();
    }
    folder
}

fn contents(folder: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        files.insert(name, std::fs::read(entry.path()).ok());
    }
    files
}

#[test]
fn a_torn_end_is_told_and_is_no_damage() {
    let folder = data();
    let before = contents(&folder.path().join("log"));
    let output = repair(&folder, &["--dry-run"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("never acknowledged"), "{told}");
    assert!(contents(&folder.path().join("log")) == before, "nothing is changed");
    assert_eq!(contents(folder.path()).len(), 1, "not even a lock is left");
    assert_eq!(repair(&folder, &["--apply"]).status.code(), Some(0));
    let again = repair(&folder, &["--dry-run", "--json"]);
    assert_eq!(String::from_utf8(again.stdout).unwrap().lines().count(), 1, "nothing is found");
}

#[test]
fn damage_is_told_with_its_place_and_mended_when_asked() {
    let folder = data();
    let log = folder.path().join("log");
    let file = log.join("00000000000000000001.log");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let before = contents(&log);
    let output = repair(&folder, &["--dry-run", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("--apply"), "{}", said(&output));
    assert!(contents(&log) == before, "nothing is changed");
    let told = String::from_utf8(output.stdout).unwrap();
    let first: Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["file"], &first["kind"]),
        (&"00000000000000000001.log".into(), &"lost".into())
    );
    assert_eq!(first["offset"], 64);
    let output = repair(&folder, &["--apply"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(contents(&log)["00000000000000000001.damaged"] == Some(bytes), "it is kept as it was");
    assert_eq!(repair(&folder, &["--dry-run"]).status.code(), Some(0));
}

#[test]
fn a_log_of_a_newer_version_is_left_alone() {
    let folder = data();
    let log = folder.path().join("log");
    // Version 4711 with the checksum that fits.
    let file = log.join("00000000000000000001.log");
    std::fs::write(&file, NEWER_HEAD).unwrap();
    let before = contents(&log);
    for mode in ["--dry-run", "--apply"] {
        let output = repair(&folder, &[mode]);
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains("newer gridhub"), "{mode}: {told}");
        assert!(contents(&log) == before, "{mode}: nothing is changed");
    }
}

#[test]
fn what_to_do_has_to_be_said() {
    let folder = Folder::new();
    for (words, status) in [
        (&[][..], 2),
        (&["--dry-run", "--apply"], 2),
        // There is no log.
        (&["--dry-run"], 1),
        (&["--apply"], 1),
    ] {
        let output = repair(&folder, words);
        assert_eq!(output.status.code(), Some(status), "{words:?}: {}", said(&output));
    }
    assert_eq!(contents(folder.path()).len(), 0, "a refusal leaves nothing behind");
}

const NEWER_HEAD: [u8; 32] = [
    0x47, 0x52, 0x49, 0x44, 0x48, 0x55, 0x42, 0x00, 0x67, 0x12, 0x00, 0x00, 0x79, 0xc9, 0x7d, 0x34,
    0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
];
