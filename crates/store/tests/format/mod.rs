//! Stored logs of every version of the format: what one gridhub wrote a later one reads
//! (docs/FORMAT.md).
//!
//! `v1` was written by the code of its time. With `GRIDHUB_WRITE_FORMAT` set the test that
//! compares it with what is written today writes it instead: for a new version, into a new folder.

use crate::written;
use crashdisk::CrashDisk;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[test]
fn a_log_of_version_1_is_read_as_it_was_written() {
    let opened = written::open(CrashDisk::holding(stored("v1")));
    let (file, offset) = opened.cut.clone().expect("its end is torn");
    assert_eq!((file, offset), ("00000000000000000199.log".to_owned(), 43_046));
    let kept: BTreeMap<_, _> = (1..=WHOLE).filter(|n| written::is_kept(*n)).collect_known();
    assert!(opened.records == kept, "{:?}", opened.records.keys());
    let held: Vec<u64> = (1..=WHOLE).filter(|n| written::record(*n).held).collect();
    assert_eq!(opened.held.iter().copied().collect::<Vec<_>>(), held);
    for (id, seen) in &opened.streams {
        let of = |n: &u64| written::record(*n).streams.contains(id);
        assert_eq!(*seen, (1..=WHOLE).filter(of).collect::<Vec<_>>(), "stream {id}");
    }
    assert_eq!(opened.log.next_sequence().0, WHOLE + 1);
}

#[test]
fn what_is_written_today_is_the_newest_stored_version() {
    let (disk, before) = written::write(LAST);
    assert_eq!(before, WHOLE);
    let mut files = disk.contents();
    // The last batch loses a byte, as if the power had gone.
    let last = files.values_mut().next_back().unwrap();
    let end = last.iter().rposition(|b| *b != 0).unwrap();
    last[end] ^= 0x40;
    if std::env::var_os("GRIDHUB_WRITE_FORMAT").is_some() {
        let folder = folder("v1");
        std::fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in &files {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }
    let stored = stored("v1");
    assert_eq!(files.keys().collect::<Vec<_>>(), stored.keys().collect::<Vec<_>>());
    for (name, bytes) in &files {
        let differs = bytes.iter().zip(&stored[name]).position(|(a, b)| a != b);
        assert_eq!((differs, bytes.len()), (None, stored[name].len()), "{name}");
    }
}

trait CollectKnown {
    fn collect_known(self) -> BTreeMap<u64, written::Known>;
}

impl<I: Iterator<Item = u64>> CollectKnown for I {
    fn collect_known(self) -> BTreeMap<u64, written::Known> {
        self.map(|n| (n, written::record(n))).collect()
    }
}

fn stored(version: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder(version)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        files.insert(name, std::fs::read(&path).unwrap());
    }
    files
}

fn folder(version: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/format").join(version)
}

/// The records written. The last of them is torn, so that the one before it in the same batch was
/// no fact either.
const LAST: u64 = 300;
const WHOLE: u64 = 298;
