//! Lines in files of one directory: appended, made to last, rotated. A line is whole or not there,
//! whatever ends the process. Refuses to know what a line says.
//!
//! A file is called `NUMBER-BEGIN.ndjson`: 12 digits that ascend, and when it was begun. Only the
//! last one is written.

use hub::Moment;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The files of one directory, for one writer.
pub struct Lines {
    directory: PathBuf,
    rotation: Rotation,
    open: Option<Open>,
}

/// When a file is followed by another.
#[derive(Debug, Clone, Copy)]
pub struct Rotation {
    /// It would get more bytes than that.
    pub bytes: u64,
    /// It is so old, milliseconds.
    pub after_ms: u64,
    /// So many files are kept; 0 = all.
    pub keep: usize,
}

/// The file that is written.
struct Open {
    file: File,
    begun_ms: u64,
    bytes: u64,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// Ascending.
    pub number: u64,
    /// The whole name.
    pub text: String,
    begun_ms: u64,
}

impl Lines {
    /// In a directory, which is made with the first line.
    pub fn new(directory: PathBuf, rotation: Rotation) -> Self {
        Self { directory, rotation, open: None }
    }

    /// Appends whole lines; they last when it returns. Gives how many lines were removed with the
    /// oldest files.
    ///
    /// # Errors
    /// Nothing, or a part of them, was written; the part is cut off before anything else is.
    pub fn append(&mut self, lines: &[u8], now_ms: u64) -> io::Result<u64> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.open_last(now_ms)?,
        };
        let is_full = open.bytes + lines.len() as u64 > self.rotation.bytes;
        let is_old = now_ms.saturating_sub(open.begun_ms) >= self.rotation.after_ms;
        let mut removed = 0;
        if open.bytes > 0 && (is_full || is_old) {
            open = self.begin(now_ms)?;
            removed = self.remove_oldest()?;
        }
        // On an error it is opened anew, which cuts off what is not whole.
        open.file.write_all(lines)?;
        open.file.sync_data()?;
        open.bytes += lines.len() as u64;
        self.open = Some(open);
        Ok(removed)
    }

    /// The files, in order.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn names(&self) -> io::Result<Vec<Name>> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry?.file_name().to_str().and_then(Name::parse));
        }
        names.sort_by_key(|name: &Name| name.number);
        Ok(names)
    }

    /// Where a file lies.
    pub fn path(&self, name: &Name) -> PathBuf {
        self.directory.join(&name.text)
    }

    /// Removes all files.
    ///
    /// # Errors
    /// Some are still there.
    pub fn clear(&mut self) -> io::Result<()> {
        self.open = None;
        let names = self.names()?;
        names.iter().try_for_each(|name| fs::remove_file(self.path(name)))?;
        if names.is_empty() { Ok(()) } else { sync_directory(&self.directory) }
    }

    /// Cuts off what the last file has behind its last whole line.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn mend(&mut self) -> io::Result<()> {
        if let Some(name) = self.names()?.pop() {
            self.open = Some(self.go_on(&name)?);
        }
        Ok(())
    }

    fn open_last(&mut self, now_ms: u64) -> io::Result<Open> {
        make(&self.directory)?;
        match self.names()?.pop() {
            Some(name) => self.go_on(&name),
            None => self.begin(now_ms),
        }
    }

    fn go_on(&self, name: &Name) -> io::Result<Open> {
        let path = self.path(name);
        let mut file = OpenOptions::new().read(true).append(true).open(&path)?;
        let (bytes, whole) = (file.metadata()?.len(), whole_lines(&mut file)?);
        if whole < bytes {
            tracing::warn!(file = %path.display(), "an unfinished line was cut off");
            file.set_len(whole)?;
            file.sync_all()?;
        }
        Ok(Open { file, begun_ms: name.begun_ms, bytes: whole })
    }

    fn begin(&self, now_ms: u64) -> io::Result<Open> {
        let number = self.names()?.last().map_or(1, |name| name.number + 1);
        let path = self.path(&Name::of(number, now_ms));
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
        sync_directory(&self.directory)?;
        Ok(Open { file, begun_ms: now_ms, bytes: 0 })
    }

    fn remove_oldest(&self) -> io::Result<u64> {
        let names = self.names()?;
        let many = if self.rotation.keep == 0 { 0 } else { names.len() };
        let mut removed = 0;
        for name in &names[..many.saturating_sub(self.rotation.keep)] {
            let path = self.path(name);
            removed += count(&path)?;
            fs::remove_file(path)?;
        }
        Ok(removed)
    }
}

impl Name {
    fn of(number: u64, begun_ms: u64) -> Self {
        let moment = Moment::at(begun_ms).text();
        let begun = moment.as_str().get(..SECOND_CHARS).unwrap_or_default().replace(':', "-");
        Self { number, text: format!("{number:012}-{begun}Z{SUFFIX}"), begun_ms }
    }

    fn parse(text: &str) -> Option<Self> {
        let (number, begun) = text.strip_suffix(SUFFIX)?.split_once('-')?;
        let (date, time) = begun.split_once('T')?;
        let begun = Moment::parse(&format!("{date}T{}", time.replace('-', ":")))?;
        let is_number = number.len() >= 12 && number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok().filter(|_| is_number)?;
        Some(Self { number, text: text.to_owned(), begun_ms: begun.unix_ms()? })
    }
}

/// How many lines a file has.
///
/// # Errors
/// It cannot be read.
pub fn count(path: &Path) -> io::Result<u64> {
    let (mut file, mut chunk, mut lines) = (File::open(path)?, vec![0; CHUNK_BYTES], 0);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(lines),
            n => lines += chunk[..n].iter().filter(|byte| **byte == b'\n').count() as u64,
        }
    }
}

/// Where the last whole line of a file ends.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let (mut end, mut chunk) = (file.metadata()?.len(), vec![0; CHUNK_BYTES]);
    while end > 0 {
        let start = end.saturating_sub(CHUNK_BYTES as u64);
        // At most a chunk.
        let piece = &mut chunk[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(piece)?;
        if let Some(at) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Makes a directory and those above it that are not there; they last when it returns.
fn make(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    make(parent)?;
    fs::DirBuilder::new().mode(0o700).create(path)?;
    sync_directory(parent)
}

/// Names that were made or removed last from then on.
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

const SUFFIX: &str = ".ndjson";
/// `2026-11-21T10:00:00`.
const SECOND_CHARS: usize = 19;
const CHUNK_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_763_719_200_000;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("lines-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&folder);
            Self(folder)
        }

        fn lines(&self, keep: usize) -> Lines {
            Lines::new(self.0.clone(), Rotation { bytes: 10, after_ms: 60_000, keep })
        }

        fn texts(&self) -> Vec<String> {
            let lines = self.lines(0);
            let names = lines.names().unwrap();
            names.iter().map(|name| fs::read_to_string(lines.path(name)).unwrap()).collect()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn files_end_by_size_and_time_and_the_oldest_go() {
        let folder = Folder::new("rotated");
        let mut lines = folder.lines(3);
        for (text, at_ms, removed) in [
            ("aaa\n", 0, 0),
            ("bbb\nc\n", 59_999, 0),
            ("d\n", 59_999, 0),
            ("e\n", 119_000, 0),
            ("f\n", 120_001, 0),
            ("larger than a file\n", 120_002, 3),
            ("g\n", 120_003, 2),
        ] {
            let found = lines.append(text.as_bytes(), NOW_MS + at_ms).unwrap();
            assert_eq!(found, removed, "{text}");
        }
        assert_eq!(folder.texts(), ["f\n", "larger than a file\n", "g\n"]);
        let names = lines.names().unwrap();
        assert_eq!(names[0].text, "000000000003-2025-11-21T10-02-00Z.ndjson");
        // Another process goes on in the last one, and knows how old it is.
        let mut lines = folder.lines(3);
        lines.append(b"h\n", NOW_MS + 120_004).unwrap();
        assert_eq!(folder.texts()[2], "g\nh\n");
        lines.append(b"i\n", NOW_MS + 240_004).unwrap();
        assert_eq!(folder.texts(), ["larger than a file\n", "g\nh\n", "i\n"]);
        lines.clear().unwrap();
        assert_eq!(folder.texts(), [""; 0]);
        lines.append(b"j\n", NOW_MS).unwrap();
        assert_eq!(folder.texts(), ["j\n"]);
    }

    #[test]
    fn what_is_no_whole_line_is_cut_off() {
        for torn in ["", "half", &"x".repeat(2 * CHUNK_BYTES)] {
            let folder = Folder::new("torn");
            folder.lines(0).append(b"one\n", NOW_MS).unwrap();
            let lines = folder.lines(0);
            let path = lines.path(&lines.names().unwrap()[0]);
            OpenOptions::new()
                .append(true)
                .open(&path)
                .unwrap()
                .write_all(torn.as_bytes())
                .unwrap();
            let mut lines = folder.lines(0);
            lines.mend().unwrap();
            assert_eq!(folder.texts(), ["one\n"], "{}", torn.len());
            lines.append(b"two\n", NOW_MS).unwrap();
            assert_eq!(folder.texts(), ["one\ntwo\n"], "{}", torn.len());
            assert_eq!(count(&path).unwrap(), 2);
        }
    }

    #[test]
    fn directories_are_made_wherever_they_are() {
        let folder = Folder::new("deep");
        let deep = folder.0.join("a/b");
        let mut lines = Lines::new(deep, Rotation { bytes: 9, after_ms: 9, keep: 0 });
        assert_eq!(lines.append(b"x\n", NOW_MS).unwrap(), 0);
        assert_eq!(lines.names().unwrap().len(), 1);
        // A path without a directory is beside us.
        let beside = format!("lines-beside-{}", std::process::id());
        make(Path::new(&beside)).unwrap();
        fs::remove_dir(&beside).unwrap();
    }

    #[test]
    fn other_files_are_nobodys() {
        for text in ["a.ndjson", "1-2025-11-21T10-02-00Z.ndjson", "000000000003-x.ndjson"] {
            assert_eq!(Name::parse(text), None, "{text}");
        }
    }
}
