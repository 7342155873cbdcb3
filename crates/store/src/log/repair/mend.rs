//! Doing what can be done: damaged segments are written anew beside what they were, and take their
//! place by one rename. Refuses to touch a log of which a part is beyond repair.

use super::super::file;
use super::super::record::{Hold, Record, StreamId};
use super::super::rewrite::{New, list_at};
use super::{Close, Examined, HeadState, Mend, OpenError, Report, Segment, Verdict};
use crate::disk::{Disk, File};
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use std::io;

/// What [`apply`] found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    /// What it found; if a part is beyond repair nothing was done.
    pub report: Report,
    /// Files with damaged segments as they were. The log does not read them.
    pub kept: Vec<String>,
}

/// Does what can be done, so that the log can be started. Whatever is interrupted can be done
/// again.
///
/// # Errors
/// A directory that cannot be read or written. What was done until then stays done.
pub fn apply<D: Disk>(disk: &D) -> Result<Mended, OpenError> {
    let Examined { report, leftovers, segments } = Examined::read(disk)?;
    let mut mended = Mended { report, kept: Vec::new() };
    if mended.report.verdict() == Verdict::Beyond {
        return Ok(mended);
    }
    // First: what is written below takes names that an unfinished repair may have left.
    for name in leftovers {
        disk.remove(&name)?;
    }
    for segment in &segments {
        match segment.mend {
            Mend::Nothing => {}
            Mend::Cut(at) => cut(&*segment.file, at)?,
            Mend::Remake => {
                mended.kept.push(keep(disk, segment)?);
                remake(disk, segment)?;
            }
        }
    }
    disk.sync_names()?;
    Ok(mended)
}

fn cut(file: &impl File, at: u64) -> io::Result<()> {
    let len = file.len()?;
    file.set_len(at)?;
    file.set_len(len)?;
    file.sync()
}

/// Copies the segment as it is under a name that the log does not read.
fn keep<D: Disk>(disk: &D, segment: &Segment<D::File>) -> io::Result<String> {
    let taken: HashSet<String, RandomState> = disk.list()?.into_iter().collect();
    let plain = segment.name.replace(".log", ".damaged");
    let numbered = (2_u32..).map(|n| format!("{plain}.{n}"));
    let mut names = std::iter::once(plain.clone()).chain(numbered);
    let name = names.find(|name| !taken.contains(name)).unwrap_or(plain.clone());
    // A copy that is not whole must not look like one.
    let unfinished = file::unfinished_name(segment.base);
    let copy = disk.create(&unfinished, 0)?;
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    loop {
        let got = segment.file.read_at(at, &mut piece)?;
        if got == 0 {
            break;
        }
        copy.write_at(at, &piece[..got])?;
        at += got as u64;
    }
    copy.sync()?;
    disk.rename(&unfinished, &name)?;
    disk.sync_names()?;
    Ok(name)
}

/// Writes a sealed segment of the records that can be read.
fn remake<D: Disk>(disk: &D, segment: &Segment<D::File>) -> Result<(), OpenError> {
    let wanted = segment.wanted()?;
    let unfinished = file::unfinished_name(segment.base);
    let mut new = New::begin(disk.create(&unfinished, 0)?, segment.identity, segment.base.0)?;
    segment.survey(|sequence, bytes| {
        // The numbers of a segment are less than 2^32 apart.
        let local = (sequence.0 - segment.base.0) as u32;
        let (streams, held) = wanted.of(bytes, local);
        new.put(sequence, bytes, &streams, held, segment.identity)
    })?;
    new.finish(segment.identity, segment.last)?;
    disk.rename(&unfinished, &segment.name)?;
    disk.sync_names()?;
    Ok(())
}

/// Which streams need a record, and whether it is held.
enum Wanted {
    /// As the footer says.
    Footer { streams: HashMap<u32, Vec<StreamId>, RandomState>, held: HashSet<u32, RandomState> },
    /// As the record was appended.
    Appended,
}

impl<F: File> Segment<F> {
    fn wanted(&self) -> io::Result<Wanted> {
        let Close::Sealed(_, footer) = &self.close else { return Ok(Wanted::Appended) };
        if self.survey.holes.is_empty() && self.head == HeadState::Whole {
            // Its records contradict it.
            return Ok(Wanted::Appended);
        }
        let mut streams: HashMap<u32, Vec<StreamId>, RandomState> = HashMap::default();
        for (id, part) in &footer.parts {
            // A list that cannot be read is caught by the footer's checksum.
            for local in list_at(&*self.file, part)?.unwrap_or_default() {
                streams.entry(local).or_default().push(*id);
            }
        }
        Ok(Wanted::Footer { streams, held: footer.held.iter().copied().collect() })
    }
}

impl Wanted {
    fn of(&self, record: &[u8], local: u32) -> (Vec<StreamId>, bool) {
        match self {
            Self::Footer { streams, held } => {
                (streams.get(&local).cloned().unwrap_or_default(), held.contains(&local))
            }
            Self::Appended => {
                let (record, _) = Record::parse(record).expect("the survey just read it");
                (record.streams().collect(), record.hold == Hold::UntilReleased)
            }
        }
    }
}

const PIECE: usize = 1024 * 1024;
