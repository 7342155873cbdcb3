//! What is wrong with a log that does not run, and what can be done (`gridhub repair`).
//!
//! Reads every record of every segment, which a start does not. What cannot be read is told with
//! its place; the rest is written anew, and the file as it was stays beside it. Refuses to guess:
//! behind a bad place it believes only the head of a batch, which nobody outside can forge.

mod mend;
mod survey;

pub use mend::{Mended, apply};

use super::OpenError;
use super::damage::Damage;
use super::file::{self, BadHead, FILE_HEAD, Head, Trailer};
use super::footer::Footer;
use super::search;
use crate::disk::{Disk, File};
use crate::op::Sequence;
use std::sync::Arc;
use survey::Survey;

/// What a log's directory holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// How many segments there are.
    pub segments: usize,
    /// How many of their records can be read.
    pub records: u64,
    /// What is to be said of them, in the order of the log.
    pub findings: Vec<Finding>,
}

/// Something to be said of one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file's name in the log's directory.
    pub file: String,
    /// In bytes from its start.
    pub offset: u64,
    /// What is there.
    pub what: What,
}

/// What stands at a place, or should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A file whose work was not finished or is done by another; it is removed.
    Leftover,
    /// The segment before the last has no footer: each start reads it whole. Nothing to do.
    Unsealed,
    /// Written when the power went, never acknowledged; it is cut off.
    Torn,
    /// The head cannot be read; all it says is known from elsewhere.
    Head,
    /// The footer cannot be read, or contradicts the records; it is made again from them. Records
    /// that were released before may come back as held.
    Footer,
    /// Records that were durable cannot be read.
    Lost {
        /// At most so many records.
        records: u64,
        /// Where the next whole batch begins, or the end of the records.
        until: u64,
    },
    /// Nothing can be done, for the reason that is told.
    Beyond(String),
}

/// What follows from a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It can be started as it is; what is to be done the start does.
    Sound,
    /// [`apply`] makes it one that can be started.
    Damaged,
    /// A part of it is none of this version's, or of another log: nothing is done.
    Beyond,
}

impl Report {
    /// What follows.
    pub fn verdict(&self) -> Verdict {
        self.findings.iter().map(Finding::verdict).fold(Verdict::Sound, |all, one| match one {
            Verdict::Sound => all,
            Verdict::Damaged if all == Verdict::Beyond => all,
            one => one,
        })
    }

    /// At most so many records that were durable are lost.
    pub fn lost(&self) -> u64 {
        let lost = |f: &Finding| if let What::Lost { records, .. } = f.what { records } else { 0 };
        self.findings.iter().map(lost).sum()
    }
}

impl Finding {
    fn verdict(&self) -> Verdict {
        match self.what {
            What::Leftover | What::Unsealed | What::Torn => Verdict::Sound,
            What::Head | What::Footer | What::Lost { .. } => Verdict::Damaged,
            What::Beyond(_) => Verdict::Beyond,
        }
    }
}

/// Reads the whole log and changes nothing.
///
/// # Errors
/// A directory or file that cannot be read at all.
pub fn examine<D: Disk>(disk: &D) -> Result<Report, OpenError> {
    Ok(Examined::read(disk)?.report)
}

/// A report and what is needed to act on it.
struct Examined<F> {
    report: Report,
    leftovers: Vec<String>,
    /// Those that something has to be done with.
    segments: Vec<Segment<F>>,
}

/// A segment and what its file says of itself.
struct Segment<F> {
    identity: u64,
    base: Sequence,
    /// Base of the segment behind it.
    next: Option<u64>,
    name: String,
    file: Arc<F>,
    head: HeadState,
    close: Close,
    /// The last number that it stands for.
    last: Sequence,
    survey: Survey,
    mend: Mend,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeadState {
    Whole,
    Bad,
}

/// How a segment's file ends.
enum Close {
    Sealed(Trailer, Footer),
    /// The trailer can be read, the footer cannot.
    Footerless(Trailer),
    Open,
}

/// What has to be done with a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mend {
    Nothing,
    /// Its end is cut off here.
    Cut(u64),
    /// It is written anew.
    Remake,
}

/// A segment's file with its head as found.
struct Found<F> {
    base: u64,
    name: String,
    file: Arc<F>,
    head: Result<Head, BadHead>,
}

impl<F: File> Examined<F> {
    fn read<D: Disk<File = F>>(disk: &D) -> Result<Self, OpenError> {
        let mut this = Self { report: Report::default(), leftovers: vec![], segments: vec![] };
        let mut found = this.files(disk)?;
        this.drop_unborn(&mut found)?;
        let identity = identity_of(&found)?;
        let mut last = Sequence(0);
        for (at, one) in found.iter().enumerate() {
            let Some(identity) = this.check_head(one, identity) else { continue };
            if one.base <= last.0 {
                // Joined to the one before it when that was rewritten.
                this.leave_over(&one.name);
                continue;
            }
            let next = found.get(at + 1).map(|next| next.base);
            let segment = Segment::read(one, identity, next, &mut this.report)?;
            last = segment.last.max(last);
            this.report.segments += 1;
            this.report.records += segment.survey.records;
            if segment.mend != Mend::Nothing {
                this.segments.push(segment);
            }
        }
        Ok(this)
    }

    fn files<D: Disk<File = F>>(&mut self, disk: &D) -> Result<Vec<Found<F>>, OpenError> {
        let mut found = Vec::new();
        let mut names = disk.list()?;
        names.sort_unstable();
        for name in names {
            if let Some(base) = file::parse_name(&name) {
                let file = Arc::new(disk.open(&name)?);
                let mut bytes = [0; FILE_HEAD];
                let got = file.read_at(0, &mut bytes).map_err(|e| Damage::io(&name, 0, &e))?;
                found.push(Found { base: base.0, name, file, head: Head::parse(&bytes[..got]) });
            } else if name.ends_with(".new") {
                self.leave_over(&name);
            }
        }
        Ok(found)
    }

    fn leave_over(&mut self, name: &str) {
        self.leftovers.push(name.to_owned());
        self.say(name, 0, What::Leftover);
    }

    fn say(&mut self, file: &str, offset: u64, what: What) {
        self.report.findings.push(Finding { file: file.to_owned(), offset, what });
    }

    /// A last segment that was made but never committed to is none.
    fn drop_unborn(&mut self, found: &mut Vec<Found<F>>) -> Result<(), OpenError> {
        let Some(last) = found.last() else { return Ok(()) };
        let known = matches!(last.head, Ok(_) | Err(BadHead::Version(_)));
        let end = last.file.len()?;
        if !known && search::first_written(&*last.file, FILE_HEAD as u64, end)?.is_none() {
            let name = last.name.clone();
            found.pop();
            self.leave_over(&name);
        }
        Ok(())
    }

    /// The identity, if the segment is one of the log and can be read with it.
    fn check_head(&mut self, one: &Found<F>, identity: Option<u64>) -> Option<u64> {
        let (offset, why) = match (one.head, identity) {
            (Err(BadHead::Version(version)), _) => {
                let why = format!("it is of version {version} of the format; use a newer gridhub");
                (8, why)
            }
            (Ok(head), Some(identity)) if head.identity != identity => {
                (16, "it belongs to another log; move it elsewhere".to_owned())
            }
            (Ok(head), _) if head.base.0 != one.base => {
                (24, format!("it begins with record {} and was renamed", head.base.0))
            }
            (_, None) => {
                let why = "no head of a segment can be read, so nothing tells which bytes are ours";
                (0, why.to_owned())
            }
            (_, identity) => return identity,
        };
        self.say(&one.name, offset, What::Beyond(why));
        None
    }
}

/// The log's identity by the first head that can be read, else by what the damaged files say of
/// themselves where a batch bears it out.
fn identity_of<F: File>(found: &[Found<F>]) -> Result<Option<u64>, OpenError> {
    let whole = found.iter().filter_map(|one| one.head.ok()).next();
    if let Some(head) = whole {
        return Ok(Some(head.identity));
    }
    for one in found {
        if let Some(identity) = survey::vouched_identity(&*one.file)? {
            return Ok(Some(identity));
        }
    }
    Ok(None)
}

impl<F: File> Segment<F> {
    fn read(
        one: &Found<F>,
        identity: u64,
        next: Option<u64>,
        report: &mut Report,
    ) -> Result<Self, OpenError> {
        let (base, name, file) = (Sequence(one.base), one.name.clone(), Arc::clone(&one.file));
        let close = Close::read(&*file, &name, base, identity)?;
        let head = if one.head.is_ok() { HeadState::Whole } else { HeadState::Bad };
        let (survey, mend, last) = (Survey::none(base), Mend::Nothing, Sequence(0));
        let mut this = Self { identity, base, next, name, file, head, close, last, survey, mend };
        this.survey = this.survey(|_, _| Ok(()))?;
        this.judge(report)?;
        Ok(this)
    }

    /// Says what is wrong and decides what to do.
    fn judge(&mut self, report: &mut Report) -> Result<(), OpenError> {
        let mut say = |offset, what| {
            report.findings.push(Finding { file: self.name.clone(), offset, what });
        };
        if self.head == HeadState::Bad {
            say(0, What::Head);
            self.mend = Mend::Remake;
        }
        let survey = &self.survey;
        for hole in &survey.holes {
            say(hole.at, What::Lost { records: hole.lost, until: hole.until });
            self.mend = Mend::Remake;
        }
        let known = survey.last.max(survey.durable);
        match (&self.close, self.next) {
            (Close::Sealed(trailer, footer), _) => {
                self.last = trailer.last;
                let whole = survey.holes.is_empty();
                if whole && (footer.records, footer.held.len()) != (survey.records, survey.held) {
                    say(u64::from(trailer.footer_at), What::Footer);
                    self.mend = Mend::Remake;
                }
            }
            (Close::Footerless(trailer), _) => {
                self.last = trailer.last;
                say(u64::from(trailer.footer_at), What::Footer);
                self.mend = Mend::Remake;
            }
            (Close::Open, None) => {
                self.last = known;
                let end = self.file.len()?;
                let written = search::first_written(&*self.file, survey.end, end)?;
                if written.is_some() {
                    say(survey.end, What::Torn);
                    if self.mend == Mend::Nothing {
                        self.mend = Mend::Cut(survey.end);
                    }
                }
            }
            (Close::Open, Some(next)) => {
                // Everything below the next segment was durable before that was begun.
                self.last = Sequence(next - 1);
                if survey.last.0 + 1 >= next {
                    say(survey.end, What::Unsealed);
                } else if survey.ends_with_footer(&*self.file)? {
                    say(survey.end, What::Footer);
                    self.mend = Mend::Remake;
                } else {
                    let records = next - 1 - survey.last.0;
                    say(survey.end, What::Lost { records, until: self.file.len()? });
                    self.mend = Mend::Remake;
                }
            }
        }
        Ok(())
    }
}

impl Close {
    fn read<F: File>(
        file: &F,
        name: &str,
        base: Sequence,
        identity: u64,
    ) -> Result<Self, OpenError> {
        let trailer = Trailer::read(file, identity)?;
        let sane = trailer.filter(|t| u64::from(t.footer_at) >= FILE_HEAD as u64);
        let Some(trailer) = sane else { return Ok(Self::Open) };
        Ok(match Footer::read(file, name, base, &trailer) {
            Ok(footer) => Self::Sealed(trailer, footer),
            Err(_) => Self::Footerless(trailer),
        })
    }
}
