//! Real files against what the log is promised of a disk, and the log itself on them.

use super::*;
use crate::identity::directory::DataDir;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use store::disk::File as _;
use store::log::{Batch, CommitError, Cursor, Hold, Kind, Log, Options, ReadEnd, Records};
use store::log::{Credit, StreamId};
use store::op::{NamespaceId, Sequence};

fn fresh() -> (DataDir, FileDisk) {
    let dir = DataDir::ephemeral().expect("dir");
    let disk = FileDisk::open_or_create(&dir.file("log")).expect("disk");
    (dir, disk)
}

#[test]
fn what_is_written_is_read_and_only_its_owner_may() {
    let (_dir, disk) = fresh();
    let file = disk.create("a.log", 100_000).expect("create");
    assert_eq!(file.len().expect("len"), 100_000);
    let metadata = fs::metadata(disk.path.join("a.log")).expect("metadata");
    assert_eq!(metadata.mode() & 0o777, 0o600);
    assert!(metadata.blocks() * 512 >= 100_000, "its space is reserved");
    assert_eq!(fs::metadata(&disk.path).expect("metadata").mode() & 0o777, 0o700);
    file.write_at(99_998, b"abcd").expect("write");
    file.sync().expect("sync");
    disk.sync_names().expect("names");
    let mut bytes = [9; 10];
    let again = disk.open("a.log").expect("open");
    assert_eq!(again.read_at(99_996, &mut bytes).expect("read"), 6);
    assert_eq!(&bytes, b"\0\0abcd\x09\x09\x09\x09");
    assert_eq!(again.read_at(200_000, &mut bytes).expect("read"), 0);
}

#[test]
fn what_is_cut_off_comes_back_as_reserved_zeros() {
    let (_dir, disk) = fresh();
    let file = disk.create("a.log", 100_000).expect("create");
    file.write_at(0, &[7; 100_000]).expect("write");
    file.set_len(10).expect("cut");
    file.set_len(100_000).expect("lengthen");
    let mut bytes = vec![1; 100_000];
    assert_eq!(file.read_at(0, &mut bytes).expect("read"), 100_000);
    assert!(bytes[..10].iter().all(|b| *b == 7) && bytes[10..].iter().all(|b| *b == 0));
    let metadata = fs::metadata(disk.path.join("a.log")).expect("metadata");
    assert!(metadata.blocks() * 512 >= 100_000, "its space is reserved");
}

#[test]
fn names_change_and_old_handles_read_on() {
    let (_dir, disk) = fresh();
    let old = disk.create("a.log", 4).expect("create");
    old.write_at(0, b"old!").expect("write");
    let new = disk.create("a.log", 8).expect("in place of it");
    let mut bytes = [0; 4];
    assert_eq!(old.read_at(0, &mut bytes).expect("read"), 4);
    assert_eq!((&bytes, new.len().expect("len")), (b"old!", 8));
    disk.create("b.log", 1).expect("create");
    disk.rename("a.log", "b.log").expect("rename");
    assert_eq!(disk.list().expect("list"), ["b.log"]);
    assert_eq!(disk.open("b.log").expect("open").len().expect("len"), 8);
    disk.remove("b.log").expect("remove");
    assert_eq!(disk.list().expect("list"), [""; 0]);
    let gone = disk.open("b.log").err().expect("it is gone");
    assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    assert!(disk.remove("b.log").is_err());
}

#[test]
fn no_name_leads_out_of_the_directory() {
    let (_dir, disk) = fresh();
    disk.create("a.log", 0).expect("create");
    let long = "x".repeat(NAME_BYTES_MAX + 1);
    for name in ["", ".", "..", "../a", "a/b", "/a", ".a", "a\0b", "a b", "ä", &long] {
        let refused = |result: io::Result<()>| {
            let error = result.expect_err(name);
            assert_eq!(error.kind(), io::ErrorKind::InvalidFilename, "{name}");
        };
        refused(disk.create(name, 0).map(drop));
        refused(disk.open(name).map(drop));
        refused(disk.rename("a.log", name));
        refused(disk.rename(name, "a.log"));
        refused(disk.remove(name));
    }
    assert_eq!(disk.list().expect("list"), ["a.log"]);
}

#[test]
fn what_is_inspected_stays_as_it_is() {
    let (_dir, disk) = fresh();
    disk.create("a.log", 4).expect("create");
    let disk = FileDisk::open(&disk.path, Usage::Inspect).expect("open");
    assert!(disk.create("b.log", 0).is_err());
    assert!(disk.remove("a.log").is_err());
    assert!(disk.rename("a.log", "b.log").is_err());
    let file = disk.open("a.log").expect("open");
    assert!(file.write_at(0, b"x").is_err());
    assert!(file.set_len(0).is_err());
    assert_eq!((disk.list().expect("list"), file.len().expect("len")), (vec!["a.log".into()], 4));
}

#[test]
fn a_file_that_cannot_be_made_leaves_nothing() {
    let (_dir, disk) = fresh();
    fs::create_dir(disk.path.join("a.log")).expect("in the way");
    assert!(disk.create("a.log", 10).is_err());
    assert_eq!(fs::read_dir(&disk.path).expect("list").count(), 1);
}

/// A tmpfs answers at once, without being filled, when more is asked of it than it has.
#[test]
fn without_room_it_says_so_and_what_was_there_stays() {
    let shared = Path::new("/dev/shm");
    let size = rustix::fs::statfs(shared).ok();
    let Some(size) = size.filter(|s| s.f_type == TMPFS && s.f_blocks > 0) else {
        return skip("without_room_it_says_so_and_what_was_there_stays", "a tmpfs of a known size");
    };
    let path = shared.join(format!("gridhub-full-{}", std::process::id()));
    let disk = FileDisk::open_or_create(&path).expect("disk");
    disk.create("a.log", 5).expect("create");
    let more = (size.f_blocks + 1) * u64::try_from(size.f_bsize).expect("a size");
    let kinds = ["a.log", "b.log"].map(|n| disk.create(n, more).err().map(|e| e.kind()));
    let left = (disk.list(), disk.open("a.log").and_then(|file| file.len()));
    let file = disk.open("a.log").expect("open");
    let lengthened = file.set_len(more).map(|()| file.len().expect("len"));
    fs::remove_dir_all(&path).expect("remove");
    assert_eq!(kinds, [Some(io::ErrorKind::StorageFull); 2]);
    assert_eq!((left.0.expect("list"), left.1.expect("len")), (vec!["a.log".into()], 5));
    assert_eq!(lengthened.expect("the end is still zeros"), more);
}

#[test]
fn the_log_rolls_and_is_read_again() {
    let (_dir, disk) = fresh();
    let path = disk.path.clone();
    let mut log = Log::open(disk, options(), |_| {}).expect("open").log;
    for n in 0..300 {
        append(&mut log, n).expect("append");
    }
    assert_eq!(read(&log), (0..300).collect::<Vec<_>>());
    drop(log);
    let disk = FileDisk::open(&path, Usage::Full).expect("disk");
    assert!(disk.list().expect("list").len() > 3, "it has several segments");
    let mut held = 0;
    let opened = Log::open(disk, options(), |_| held += 1).expect("open");
    assert_eq!((opened.cut, held), (None, 30));
    assert_eq!(read(&opened.log), (0..300).collect::<Vec<_>>());
}

#[test]
fn a_log_on_a_full_disk_refuses_and_goes_on_by_itself() {
    let name = "a_log_on_a_full_disk_refuses_and_goes_on_by_itself";
    let dir = DataDir::ephemeral().expect("dir");
    let Some(mount) = Mount::new(&dir.file("small")) else {
        return skip(name, "the right to mount a tmpfs");
    };
    let disk = FileDisk::open_or_create(&mount.0.join("log")).expect("disk");
    fs::write(mount.0.join("ballast"), vec![1; 128 * 1024]).expect("ballast");
    let mut log = Log::open(disk, options(), |_| {}).expect("open").log;
    let mut written = 0;
    let error = loop {
        match append(&mut log, written) {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 10_000, "the disk is never full");
    };
    assert!(matches!(error, CommitError::Full(_)), "{error}");
    assert_eq!(read(&log), (0..written).collect::<Vec<_>>());
    fs::remove_file(mount.0.join("ballast")).expect("remove");
    append(&mut log, written).expect("there is room again");
    drop(log);
    let disk = FileDisk::open(&mount.0.join("log"), Usage::Full).expect("disk");
    let log = Log::open(disk, options(), |_| {}).expect("open").log;
    assert_eq!(read(&log), (0..=written).collect::<Vec<_>>());
}

/// A small file system of its own.
struct Mount(PathBuf);

impl Mount {
    /// `None` without the right to it.
    fn new(at: &Path) -> Option<Self> {
        fs::create_dir(at).expect("dir");
        let words = ["-t", "tmpfs", "-o", "size=512k,mode=700", "gridhub-test"];
        let done = Command::new("mount").args(words).arg(at).output().ok()?;
        done.status.success().then(|| Self(at.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let done = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(done.is_ok_and(|status| status.success()), "{} stays mounted", self.0.display());
    }
}

/// A skip that nobody sees is a test that nobody has.
fn skip(test: &str, needs: &str) {
    assert!(std::env::var_os("CI").is_none(), "{test} needs {needs}, and CI is set");
    eprintln!("skipped: {test} needs {needs}");
}

fn append(log: &mut Log<FileDisk>, n: u32) -> Result<(), CommitError> {
    let mut records = Records::default();
    let hold = if n.is_multiple_of(10) { Hold::UntilReleased } else { Hold::No };
    let payload: [&[u8]; 2] = [&n.to_le_bytes(), &[n as u8; 1_000]];
    records.push(Kind(1), hold, NamespaceId(0), &[StreamId(1)], &payload);
    let mut batch = Batch::default();
    batch.join(&mut records);
    log.commit(&mut batch).map(drop)
}

/// The numbers that [`append`] wrote, in order.
fn read(log: &Log<FileDisk>) -> Vec<u32> {
    let mut cursor = Cursor::new(Sequence(0), [(StreamId(1), Sequence(0))]);
    let mut seen = Vec::new();
    let credit = Credit { records: usize::MAX, bytes: usize::MAX };
    let end = log.reader().read(&mut cursor, credit, |record| {
        let (n, rest) = record.payload.split_first_chunk().expect("four bytes");
        let n = u32::from_le_bytes(*n);
        assert_eq!(rest, [n as u8; 1_000]);
        seen.push(n);
    });
    assert!(matches!(end.expect("read"), ReadEnd::All(_)));
    seen
}

fn options() -> Options {
    Options { segment_bytes: 64 * 1024, identity: 0x1234_5678_9abc_def0 }
}

const TMPFS: i64 = 0x0102_1994;
