//! Readers of the telemetry channel: pages of a partition and the wait for what comes next. Owns
//! the threads that wait for the disk and the bell of each partition. Refuses to know HTTP, and
//! what a message says.

mod outlet;

use crate::disk::FileHandle;
use node::channel::{Channel, Page};
use std::sync::Arc;
use store::log::{Credit, Reader};
use store::op::Sequence;
use tokio::sync::{Semaphore, watch};

/// The channel, for readers. Cheap to share; every method may be called from any tokio thread.
pub struct Feed {
    channel: Arc<Channel>,
    /// Where nothing is kept the channel itself has the messages.
    log: Option<Reader<FileHandle>>,
    /// The last offset of each partition.
    ends: Vec<watch::Sender<u64>>,
    /// Rings when anything has come.
    any: watch::Sender<()>,
    reads: Semaphore,
}

/// Where a reader begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// The first message that is there.
    Earliest,
    /// What comes from now on.
    Latest,
    /// This offset, or the first one behind it.
    Offset(u64),
    /// The first message that was taken then or later, wall milliseconds.
    Time(u64),
}

impl Feed {
    /// Hears of the channel from now on.
    pub fn new(channel: Arc<Channel>, log: Option<Reader<FileHandle>>) -> Arc<Self> {
        let all = 0..channel.settings().partitions.count();
        let ends: Vec<_> = all.map(|p| watch::Sender::new(channel.end(p).0)).collect();
        let (bells, any) = (ends.clone(), watch::Sender::new(()));
        let any_bell = any.clone();
        channel.listen(move |partition, at| {
            if let Some(bell) = bells.get(partition) {
                bell.send_if_modified(|end| {
                    let is_new = *end < at.0;
                    *end = at.0.max(*end);
                    is_new
                });
                any_bell.send_replace(());
            }
        });
        Arc::new(Self { channel, log, ends, any, reads: Semaphore::new(READS_MAX) })
    }

    /// How many partitions there are.
    pub fn partitions(&self) -> usize {
        self.ends.len()
    }

    /// The offset that the next message of a partition can have.
    pub fn next(&self, partition: usize) -> u64 {
        self.channel.next(partition).0
    }

    /// The offset where a reader begins.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub async fn begin(self: &Arc<Self>, partition: usize, from: From) -> Result<u64, String> {
        let found = match from {
            From::Offset(offset) => return Ok(offset),
            From::Latest => return Ok(self.next(partition)),
            From::Earliest => {
                self.blocking(move |feed| feed.channel.first(feed.log.as_ref(), partition)).await
            }
            From::Time(ms) => {
                self.blocking(move |feed| feed.channel.since(feed.log.as_ref(), partition, ms))
                    .await
            }
        };
        found.map(|Sequence(offset)| offset)
    }

    /// Messages of a partition from an offset on.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub async fn page(
        self: &Arc<Self>,
        partition: usize,
        from: u64,
        credit: Credit,
    ) -> Result<Page, String> {
        if from >= self.next(partition) {
            return Ok(Page { records: Vec::new(), next: Sequence(from) });
        }
        let from = Sequence(from);
        self.blocking(move |feed| feed.channel.read(feed.log.as_ref(), partition, from, credit))
            .await
    }

    /// Waits until there is a message at an offset or behind it.
    pub async fn news(&self, partition: usize, from: u64) {
        let Some(end) = self.ends.get(partition) else { return };
        // The sender is ours.
        let _ = end.subscribe().wait_for(|end| *end >= from).await;
    }

    /// Rings when a message has come to any partition.
    pub fn bell(&self) -> watch::Receiver<()> {
        self.any.subscribe()
    }

    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Self) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let ended = || "the server shuts down".to_owned();
        let _permit = self.reads.acquire().await.map_err(|_| ended())?;
        let feed = Arc::clone(self);
        tokio::task::spawn_blocking(move || read(&feed)).await.unwrap_or_else(|_| Err(ended()))
    }
}

/// So many reads wait for the disk at once.
const READS_MAX: usize = 8;
