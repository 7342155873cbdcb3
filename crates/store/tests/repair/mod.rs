//! Damage made on purpose: wherever it is, repair tells of it, changes nothing unless it is told
//! to, and leaves a log that opens with everything that can be read.

use crate::written::{self, Known};
use crashdisk::{CrashDisk, below};
use std::collections::BTreeMap;
use store::log::Log;
use store::log::repair::{Report, Verdict, What, apply, examine};

type Files = BTreeMap<String, Vec<u8>>;

/// A log and what is known of it.
struct Whole {
    files: Files,
    records: BTreeMap<u64, Known>,
    /// The numbers of its last batch are behind it.
    before_last: u64,
}

#[test]
fn a_whole_log_is_sound_and_stays_as_it_is() {
    let whole = whole();
    let report = examine(&CrashDisk::holding(whole.files.clone())).unwrap();
    assert_eq!((report.findings.as_slice(), report.verdict()), (&[][..], Verdict::Sound));
    assert_eq!((report.segments, report.records), (4, whole.records.len() as u64));
    let disk = CrashDisk::holding(whole.files.clone());
    assert!(apply(&disk).unwrap().kept.is_empty());
    assert!(disk.contents() == whole.files);
}

#[test]
fn wherever_a_byte_is_changed_the_rest_is_kept() {
    let whole = whole();
    for (name, bytes) in &whole.files {
        for at in places(bytes.len()) {
            let mut files = whole.files.clone();
            files.get_mut(name).unwrap()[at] ^= 0x40;
            check(&whole, &files, Damage::Byte, &format!("{name} changed at {at}"));
        }
    }
}

#[test]
fn wherever_a_stretch_is_overwritten_the_rest_is_kept() {
    let whole = whole();
    let mut chance = 0x2545_f491_4f6c_dd1d;
    for round in 0..600 {
        let mut files = whole.files.clone();
        let mut what = String::new();
        for _ in 0..=below(&mut chance, 2) {
            let pick = below(&mut chance, files.len() as u64) as usize;
            let (name, bytes) = files.iter_mut().nth(pick).unwrap();
            let at = below(&mut chance, bytes.len() as u64) as usize;
            let len = (1 + below(&mut chance, 9_000) as usize).min(bytes.len() - at);
            let zeros = below(&mut chance, 2) == 0;
            for byte in &mut bytes[at..at + len] {
                *byte = if zeros { 0 } else { below(&mut chance, 256) as u8 };
            }
            what.push_str(&format!("{name} {at}..{} zeros: {zeros}; ", at + len));
        }
        check(&whole, &files, Damage::Stretch, &format!("round {round}: {what}"));
    }
}

#[test]
fn a_power_failure_in_the_middle_of_a_repair_is_repaired() {
    let whole = whole();
    let mut files = whole.files.clone();
    let names: Vec<String> = files.keys().cloned().collect();
    for name in &names[..3] {
        files.get_mut(name).unwrap()[5_000] ^= 1;
    }
    let lost = examine(&CrashDisk::holding(files.clone())).unwrap().lost();
    for calls in 0..60 {
        let disk = CrashDisk::holding(files.clone());
        disk.plan(calls, crashdisk::Fault::PowerLoss);
        let done = apply(&disk).is_ok();
        disk.crash();
        apply(&disk).unwrap();
        let missing = missing(&whole, &written::open(disk));
        assert!(missing.len() as u64 <= lost, "after {calls} calls: {missing:?}");
        assert!(calls < 59 || done, "the power goes too late to matter");
    }
}

#[test]
fn a_head_that_is_not_ours_is_left_alone() {
    let whole = whole();
    for (at, with) in [(8, VERSION_2), (16, OTHER_IDENTITY)] {
        let mut files = whole.files.clone();
        let head = files.values_mut().nth(1).unwrap();
        head[at] ^= with;
        let check = crc32c::crc32c_append(crc32c::crc32c(&head[..12]), &head[16..32]);
        head[12..16].copy_from_slice(&check.to_le_bytes());
        let disk = CrashDisk::holding(files.clone());
        let mended = apply(&disk).unwrap();
        assert_eq!(mended.report.verdict(), Verdict::Beyond);
        let finding = &mended.report.findings[0];
        assert_eq!((finding.offset, matches!(finding.what, What::Beyond(_))), (at as u64, true));
        assert!(disk.contents() == files, "it is not touched");
        assert!(Log::open(disk, written::options(), |_| {}).is_err());
    }
}

#[test]
fn what_damage_means_is_told_with_its_place() {
    let whole = whole();
    let names: Vec<&String> = whole.files.keys().collect();
    let (rewritten, sealed) = (whole.files[names[0]].len(), whole.files[names[1]].len());
    let open = whole.files[names[3]].iter().rposition(|b| *b != 0).unwrap();
    for (name, at, wanted) in [
        (names[0], 9, "Head"),
        (names[0], rewritten - 3, "Footer"),
        (names[1], sealed - 3, "Unsealed"),
        (names[1], sealed - 40, "Footer"),
        (names[1], 32 + 32 + 24, "Lost"),
        (names[3], 32 + 3, "Lost"),
        (names[3], open, "Torn"),
    ] {
        let mut files = whole.files.clone();
        files.get_mut(name).unwrap()[at] ^= 0x40;
        let report = examine(&CrashDisk::holding(files)).unwrap();
        let said = format!("{:?}", report.findings);
        assert_eq!(report.findings.len(), 1, "{said}");
        let finding = &report.findings[0];
        assert!(format!("{:?}", finding.what).starts_with(wanted), "{name} {at}: {said}");
        assert_eq!(finding.file, **name);
        assert!(wanted == "Unsealed" || finding.offset <= at as u64, "{said}");
    }
}

#[derive(Clone, Copy)]
enum Damage {
    Byte,
    Stretch,
}

/// Repairs a damaged log and compares what it holds.
fn check(whole: &Whole, files: &Files, damage: Damage, what: &str) {
    let disk = CrashDisk::holding(files.clone());
    let report = examine(&disk).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert!(disk.contents() == *files, "{what}: examining changes nothing");
    let mended = apply(&disk).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_eq!(mended.report, report, "{what}");
    assert_ne!(report.verdict(), Verdict::Beyond, "{what}: {report:?}");
    if report.verdict() == Verdict::Sound {
        assert!(mended.kept.is_empty(), "{what}");
    }
    for kept in &mended.kept {
        let from = format!("{}.log", kept.split('.').next().unwrap());
        assert!(disk.contents()[kept] == files[&from], "{what}: {kept} is what it was");
    }
    let again = examine(&disk).unwrap();
    assert_eq!((again.verdict(), again.lost()), (Verdict::Sound, 0), "{what}: {again:?}");
    let opened = written::open(disk);
    let (missing, end) = (missing(whole, &opened), opened.log.next_sequence().0);
    let whole_end = *whole.records.last_key_value().unwrap().0 + 1;
    let hurt = files.values().next_back() != whole.files.values().next_back();
    let end_min = match damage {
        Damage::Byte if torn(&report) => whole.before_last + 1,
        // With its last batches gone nothing in a log says that they were durable.
        Damage::Stretch if hurt => 0,
        _ => whole_end,
    };
    assert!((end_min..=whole_end).contains(&end), "{what}: the next number is {end}");
    let durable = missing.iter().filter(|n| **n < end).count() as u64;
    assert!(durable <= report.lost(), "{what}: {missing:?} is missing, told: {report:?}");
    for (id, seen) in &opened.streams {
        let of = |(_, known): &(&u64, &Known)| known.streams.contains(id);
        let wanted: Vec<u64> = whole.records.iter().filter(of).map(|(n, _)| *n).collect();
        let wanted: Vec<u64> = wanted.into_iter().filter(|n| !missing.contains(n)).collect();
        assert_eq!(*seen, wanted, "{what}: stream {id}");
    }
    for (n, known) in &whole.records {
        let held = known.held && !missing.contains(n);
        assert_eq!(opened.held.contains(n), held, "{what}: held {n}");
    }
}

/// Numbers of records that are not there any more; those that are must be what they were.
fn missing(whole: &Whole, opened: &written::Opened) -> Vec<u64> {
    for (n, known) in &opened.records {
        assert_eq!(whole.records.get(n), Some(known), "record {n}");
    }
    let missing = whole.records.keys().filter(|n| !opened.records.contains_key(n));
    missing.copied().collect()
}

fn torn(report: &Report) -> bool {
    report.findings.iter().any(|f| f.what == What::Torn)
}

fn whole() -> Whole {
    let (disk, before_last) = written::write(450);
    let files = disk.contents();
    let records = written::open(disk).records;
    assert!(records.len() > 300 && files.len() == 4, "{:?}", files.keys());
    Whole { files, records, before_last }
}

/// Every byte near the ends, some between them.
fn places(len: usize) -> impl Iterator<Item = usize> {
    (0..len).filter(move |at| *at < 150 || *at + 150 > len || at.is_multiple_of(331))
}

const VERSION_2: u8 = 1 ^ 2;
const OTHER_IDENTITY: u8 = 1;
