//! The loop of one endpoint: what waits for it is read, given to it until it is taken or given up,
//! and then let go of. One batch at a time, so that messages keep their order. Refuses to know what
//! the endpoint is.

use super::batch::Batch;
use super::dead::Cause;
use super::sink::{Refusal, Sink, Verdict};
use super::start::{Endpoint, OutletSettings};
use crate::clock::Clock;
use crate::feed::Feed;
use crate::fresh::seed;
use node::channel::{Portion, Taken};
use std::sync::Arc;
use std::time::Duration;
use store::log::Credit;
use store::op::Sequence;
use tokio::sync::{Notify, oneshot};
use tokio::time::sleep;

/// One endpoint at work.
pub(super) struct Pump {
    /// Its place among them.
    pub place: usize,
    pub endpoint: Arc<Endpoint>,
    pub settings: OutletSettings,
    pub sink: Sink,
    pub feed: Arc<Feed>,
    pub clock: Clock,
    /// The name of the hub.
    pub hub: Arc<str>,
    /// Tells reactor 0.
    pub tell: Arc<dyn Fn(Taken) + Send + Sync>,
}

impl Pump {
    /// Goes on for as long as the server does.
    pub async fn run(mut self) {
        let bell = Arc::new(Notify::new());
        let rung = Arc::clone(&bell);
        let Some(outlet) = self.feed.outlets().get(self.place) else { return };
        outlet.listen(move || rung.notify_one());
        let mut after = outlet.after();
        self.sink.begin().await;
        loop {
            let Portion { lapsed, after: gone, records } = self.gather(after, &bell).await;
            let to = records.last().map_or(gone, |(at, _)| *at);
            let messages = lapsed + records.len() as u64;
            let batch = Batch::new(Arc::clone(&self.hub), records);
            let lost = messages - batch.len() as u64;
            if lost > 0 {
                self.drop(lost, "they were too old, or too much, before they could be given to it");
            }
            if batch.len() > 0 {
                self.deliver(&batch, to).await;
            }
            self.let_go(to, messages).await;
            after = to;
        }
    }

    /// The next messages: waits for the first, and a little for more.
    async fn gather(&self, after: Sequence, bell: &Notify) -> Portion {
        let credit = Credit {
            records: self.settings.batch_messages_max,
            bytes: self.settings.batch_bytes_max,
        };
        let mut has_waited = self.settings.batch_wait.is_zero();
        loop {
            let portion = match self.feed.portion(self.place, after, credit).await {
                Ok(portion) => portion,
                Err(why) => {
                    self.endpoint.state.fails(&why, self.clock.wall_ms());
                    tracing::error!(endpoint = self.name(), why, "its messages cannot be read");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let bytes: usize = portion.records.iter().map(|(_, payload)| payload.len()).sum();
            let is_full = portion.records.len() >= credit.records || bytes >= credit.bytes;
            match portion.records.is_empty() {
                true if portion.lapsed > 0 => return portion,
                true => bell.notified().await,
                false if is_full || has_waited => return portion,
                false => {
                    sleep(self.settings.batch_wait).await;
                    has_waited = true;
                }
            }
        }
    }

    /// Gives a batch to the endpoint until it is taken, dead, or gone meanwhile.
    async fn deliver(&mut self, batch: &Batch, last: Sequence) {
        let (messages, mut attempt) = (batch.len() as u64, 0);
        self.endpoint.state.oldest(batch.oldest_ms());
        loop {
            attempt += 1;
            let Err(refusal) = self.sink.take(batch, self.clock.wall_ms()).await else {
                self.endpoint.state.took(messages, self.clock.wall_ms());
                break;
            };
            let Refusal { why, verdict } = refusal;
            if self.endpoint.state.fails(&why, self.clock.wall_ms()) {
                tracing::warn!(endpoint = self.name(), why, "it has not taken a batch");
            }
            let asked = match verdict {
                Verdict::Later(asked) => asked,
                Verdict::Never => None,
            };
            let is_over = verdict == Verdict::Never || self.settings.patience.is_over(attempt);
            if is_over && self.bury(batch, attempt, why).await {
                break;
            }
            let [chance, _] = seed().unwrap_or_default();
            if !self.waits(self.settings.patience.wait(attempt, asked, chance), last).await {
                self.drop(messages, "they have become too old, or too much, while it took nothing");
                break;
            }
        }
        self.endpoint.state.oldest(0);
    }

    /// Puts a batch to the dead letters. Whether they last.
    async fn bury(&self, batch: &Batch, attempts: u32, why: String) -> bool {
        let (endpoint, batch, at_ms) =
            (Arc::clone(&self.endpoint), batch.clone(), self.clock.wall_ms());
        let messages = batch.len() as u64;
        let put = move || {
            let put = endpoint.letters.put(&batch, Cause { at_ms, attempts, why: &why });
            (put, why)
        };
        let Ok((put, why)) = tokio::task::spawn_blocking(put).await else { return false };
        match put {
            Ok(()) => {
                self.endpoint.state.died(messages, at_ms);
                let endpoint = self.name();
                tracing::warn!(endpoint, messages, attempts, why, "a batch is dead letters now");
                true
            }
            Err(error) => {
                let endpoint = self.name();
                tracing::error!(endpoint, %error, "dead letters cannot be kept; it is tried on");
                false
            }
        }
    }

    /// Waits; `false` = the batch is gone meanwhile.
    async fn waits(&self, mut left: Duration, last: Sequence) -> bool {
        while !left.is_zero() {
            let slice = left.min(LOOKED_EVERY);
            sleep(slice).await;
            left -= slice;
            if self.feed.has_lapsed(self.place, last) {
                return false;
            }
        }
        true
    }

    /// The log may let go of everything up to a message: that lasts when it returns.
    async fn let_go(&self, to: Sequence, messages: u64) {
        loop {
            let (reply, answer) = oneshot::channel();
            let reply = Box::new(move |kept| {
                // Who asks is there, or nothing follows.
                let _ = reply.send(kept);
            });
            (self.tell)(Taken { outlet: self.place, to, messages, reply });
            match answer.await {
                Ok(Ok(())) => return,
                Ok(Err(why)) => {
                    tracing::warn!(endpoint = self.name(), why, "its position is not kept yet");
                    sleep(PAUSE).await;
                }
                // The server ends: nothing follows.
                Err(_) => return std::future::pending().await,
            }
        }
    }

    fn drop(&self, messages: u64, why: &str) {
        self.endpoint.state.dropped(messages, self.clock.wall_ms());
        tracing::warn!(endpoint = self.name(), messages, "messages for it are dropped: {why}");
    }

    fn name(&self) -> &str {
        &self.settings.name
    }
}

/// Between two looks at whether a batch is still there.
const LOOKED_EVERY: Duration = Duration::from_secs(5);
/// Before the disk is asked again.
const PAUSE: Duration = Duration::from_secs(1);
