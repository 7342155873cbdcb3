//! Putting a backup into an empty data directory: beside the log's place first, checked as a start
//! checks it, then under its name in one step.

use super::{Part, Summary, read};
use crate::config::Durability;
use crate::disk::{FileDisk, FileHandle};
use crate::identity::directory::DataDir;
use crate::identity::lock::{self, DirLock};
use crate::keep::open;
use crate::start::{LOG, NAMESPACE};
use anyhow::{Context, bail};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;
use store::disk::{Disk, File as _};

/// What was put in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// What the backup held.
    pub summary: Summary,
    /// Sessions that a start will find.
    pub sessions: usize,
    /// Retained messages that a start will find.
    pub retained: usize,
}

/// Restores into `data`, which is empty or not there. What fails leaves it so.
///
/// # Errors
/// A directory that is in use or not empty; a backup that cannot be read, with the offset; a log
/// that would not start.
pub fn restore(from: impl Read, data: &Path) -> anyhow::Result<Restored> {
    let was_there = is_empty(data)?;
    DataDir::kept(data.to_owned()).create()?;
    let held = DirLock::take(data)?;
    // Between the first look and the lock a server may have come and gone.
    is_empty(data)?;
    let beside = data.join(BESIDE);
    let restored = put(from, &beside).and_then(|restored| {
        fs::rename(&beside, data.join(LOG)).context("cannot put the log in its place")?;
        let directory = File::open(data).and_then(|directory| directory.sync_all());
        directory.with_context(|| format!("cannot make {} last", data.display()))?;
        Ok(restored)
    });
    if restored.is_err() {
        // The first error is the one to tell; a leftover is removed by the next restore.
        let _ = fs::remove_dir_all(&beside);
        drop(held);
        if was_there == Was::Absent {
            let _ = fs::remove_file(data.join(lock::NAME)).and_then(|()| fs::remove_dir(data));
        }
    }
    restored
}

/// What stood where the data directory is to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Was {
    Absent,
    Empty,
}

fn is_empty(data: &Path) -> anyhow::Result<Was> {
    let shown = data.display();
    let entries = match fs::read_dir(data) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Was::Absent),
        Err(error) => return Err(error).with_context(|| format!("cannot use {shown}")),
    };
    for entry in entries {
        let name = entry.with_context(|| format!("cannot list {shown}"))?.file_name();
        // What a restore that was cut short leaves counts as nothing.
        if name != lock::NAME && name != BESIDE {
            bail!(
                "{shown} is not empty: it holds {}; a backup is restored into an empty or absent \
                 directory",
                Path::new(&name).display()
            );
        }
    }
    Ok(Was::Empty)
}

/// Writes the log and opens it as a start would.
fn put(from: impl Read, directory: &Path) -> anyhow::Result<Restored> {
    let shown = directory.display();
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {shown}"));
        }
        Ok(()) | Err(_) => {}
    }
    let disk = FileDisk::open_or_create(directory);
    let disk = disk.with_context(|| format!("cannot use {shown}"))?;
    let mut writing: Option<(FileHandle, u64)> = None;
    let context = || format!("cannot write to {shown}");
    let summary = read(from, |part| {
        match part {
            Part::File(name) => {
                finish(&writing).with_context(context)?;
                // Not reserved ahead: a length is only believed as far as bytes come.
                writing = Some((disk.create(name, 0).with_context(context)?, 0));
            }
            Part::Data(data) => {
                let (file, at) = writing.as_mut().context("it begins with bytes of no file")?;
                file.write_at(*at, data).with_context(context)?;
                *at += data.len() as u64;
            }
        }
        Ok(())
    })?;
    finish(&writing).with_context(context)?;
    disk.sync_names().with_context(context)?;
    drop(disk);
    let opened = open(directory, Durability::Disk, NAMESPACE)
        .context("the backup is whole, but its log does not start")?;
    let (sessions, retained) = (opened.found.sessions.len(), opened.found.retained.len());
    Ok(Restored { summary, sessions, retained })
}

fn finish(writing: &Option<(FileHandle, u64)>) -> std::io::Result<()> {
    writing.as_ref().map_or(Ok(()), |(file, _)| file.sync())
}

/// The log until it is checked.
const BESIDE: &str = "log.restoring";
