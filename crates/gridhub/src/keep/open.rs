//! Opening the log of a data directory: what it has is read, what it no longer needs is told.

use crate::config::Durability;
use crate::disk::{FileDisk, SyncTimes, Syncing};
use crate::keep::folding::Folding;
use anyhow::Context;
use node::channel::{Channel, Forgotten, begin};
use node::journal::Found;
use node::resume;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use store::log::{Log, Options};
use store::op::{NamespaceId, Sequence};

/// A log that nobody writes yet.
pub struct Opened {
    /// The log.
    pub log: Log<FileDisk>,
    /// Its directory, for segments made ahead.
    pub disk: Arc<FileDisk>,
    /// Where it lies, and what an acknowledgement waits for.
    pub place: (PathBuf, Durability),
    /// How long its syncs took.
    pub syncs: Arc<SyncTimes>,
    /// How it is laid out.
    pub options: Options,
    /// What it has.
    pub found: Found,
    /// Its last record.
    pub end: Sequence,
}

impl Opened {
    /// The telemetry channel goes on, or begins; none does without a hub.
    ///
    /// # Errors
    /// Another number of partitions, or a log that cannot be read or written.
    pub fn begin_channel(
        &mut self,
        channel: Option<&Channel>,
        namespace: NamespaceId,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        let forgotten = begin(channel, &mut self.log, &mut self.found.channel, namespace)
            .context("cannot go on with the telemetry channel")?;
        for Forgotten { name, messages } in forgotten {
            let endpoint = name.as_str();
            tracing::warn!(endpoint, messages, "an endpoint is gone, and what waited for it");
        }
        self.end = Sequence(self.log.next_sequence().0 - 1);
        tracing::info!(took = ?begun.elapsed(), "the telemetry channel goes on");
        Ok(())
    }
}

/// Opens the log in `directory`, or makes one.
///
/// # Errors
/// A directory that cannot be used; damage, with file and offset; records of another version.
pub fn open(
    directory: &Path,
    durability: Durability,
    namespace: NamespaceId,
) -> anyhow::Result<Opened> {
    let shown = directory.display();
    let syncing = match durability {
        Durability::Os => Syncing::Never,
        Durability::Disk | Durability::Memory => Syncing::Always,
    };
    let disk = || -> anyhow::Result<FileDisk> {
        let disk = FileDisk::open_or_create(directory);
        Ok(disk.with_context(|| format!("cannot use {shown}"))?.with(syncing))
    };
    let options = Options { segment_bytes: SEGMENT_BYTES, identity: identity()? };
    let mut folding = Folding::start()?;
    let (mut bad, mut records, begun) = (None, 0_u64, Instant::now());
    let own = disk()?;
    let syncs = own.sync_times();
    let recovered = Log::open(own, options.clone(), |record| {
        records += 1;
        if let Err(error) = folding.take(record, namespace) {
            bad.get_or_insert(error);
        }
    });
    let read = begun.elapsed();
    let folded = folding.finish();
    let recovered = recovered.with_context(|| {
        format!("cannot read the log in {shown}; `gridhub repair` shows what can be done")
    })?;
    let replay = bad.map_or(folded, Err).map_err(|bad| {
        anyhow::anyhow!("cannot read the log in {shown}: {bad}; was it written by a later version?")
    })?;
    if let Some(cut) = recovered.cut {
        let (file, offset) = (cut.file, cut.offset);
        tracing::warn!(file, offset, "an unfinished end of the log was cut off");
    }
    let (mut log, mut found) = (recovered.log, replay.finish());
    let understood = begun.elapsed();
    log.reserve(found.sessions.len());
    let end = resume(&mut log, &mut found, namespace).context("cannot write the log")?;
    // A start that takes long is asked where.
    let (sessions, devices, resumed) = (found.sessions.len(), found.devices.len(), begun.elapsed());
    tracing::info!(records, sessions, devices, ?read, ?understood, ?resumed, "the log is read");
    let place = (directory.to_owned(), durability);
    Ok(Opened { log, disk: Arc::new(disk()?), place, syncs, options, found, end })
}

/// Nobody outside may know it: no client can write what looks like a batch.
fn identity() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).context("the system gives no random bytes")?;
    Ok(u64::from_le_bytes(bytes))
}

/// A full one takes a second or two of the fastest publishers.
const SEGMENT_BYTES: u32 = 32 << 20;
