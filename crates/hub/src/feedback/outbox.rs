//! The feedback of a hub until somebody has read it (iot-hub B2, C6): ends and the time in, records
//! and batches out. Refuses to know who reads.

use std::collections::VecDeque;

use store::log::Need;
use store::op::Sequence;

use super::batch::{Batch, Kept, State};
use super::record::{Item, Record};
use super::settings::Settings;
use crate::LockToken;
use crate::command::LockLost;
use crate::identity::{DeviceId, Generation};

/// All feedback that waits. What is decided is decided no second time until its record is
/// [`heard`](Self::heard) or [`lost`](Self::lost); of a record, one of them has to come.
#[derive(Debug, Clone, Default)]
pub struct Outbox {
    /// In no batch yet, ascending by their places.
    open: Vec<Kept>,
    batches: VecDeque<Batch>,
    last_batch_ms: u64,
}

/// A batch for a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// JSON of [`CONTENT_TYPE`].
    pub body: Vec<u8>,
    /// How often it was given back before.
    pub deliveries: u32,
    /// When it became a message, wall milliseconds.
    pub enqueued_ms: u64,
    /// When its lock ends, wall milliseconds.
    pub until_ms: u64,
}

impl Outbox {
    /// When [`turn`](Self::turn) is due, wall milliseconds.
    pub fn deadline(&self, settings: &Settings) -> Option<u64> {
        let batch = match self.open.len() {
            0 => None,
            BATCH_ITEMS_MAX.. => Some(0),
            _ => Some(self.last_batch_ms.saturating_add(BATCH_PAUSE_MS)),
        };
        let batches = self.batches.iter().filter_map(|batch| batch.deadline(settings.ttl_ms));
        batches.chain(batch).min()
    }

    /// Time has passed or ends have come: forms batches of 64, and of fewer 15 s after the last;
    /// locks end; what has expired is over.
    pub fn turn(&mut self, settings: &Settings, now_ms: u64) -> Option<Record> {
        while self.open.len() >= BATCH_ITEMS_MAX
            || !self.open.is_empty() && now_ms >= self.last_batch_ms.saturating_add(BATCH_PAUSE_MS)
        {
            let kept = self.open.drain(..self.open.len().min(BATCH_ITEMS_MAX)).collect();
            self.batches.push_back(Batch { kept, formed_ms: now_ms, state: State::Ready });
            self.last_batch_ms = now_ms;
        }
        self.unlock(now_ms);
        let expired = |batch: &&mut Batch| {
            batch.state == State::Ready && batch.expires_ms(settings.ttl_ms) <= now_ms
        };
        let mut items = Vec::new();
        for batch in self.batches.iter_mut().filter(expired) {
            batch.state = State::Settling;
            items.extend(batch.items());
        }
        over(items)
    }

    /// A reader takes the next batch, and has it locked for a while; `None` = there is none.
    pub fn receive(
        &mut self,
        token: LockToken,
        settings: &Settings,
        now_ms: u64,
    ) -> Option<Delivery> {
        self.unlock(now_ms);
        let until_ms = now_ms.saturating_add(settings.lock_ms);
        let batch = self.batches.iter_mut().find(|batch| {
            batch.state == State::Ready && batch.expires_ms(settings.ttl_ms) > now_ms
        })?;
        batch.state = State::Locked { token, until_ms };
        let (body, deliveries) = (batch.body(), batch.deliveries());
        Some(Delivery { body, deliveries, enqueued_ms: batch.formed_ms, until_ms })
    }

    /// A reader has understood a batch.
    ///
    /// # Errors
    /// [`LockLost`], and nothing changes.
    pub fn complete(&mut self, token: LockToken, now_ms: u64) -> Result<Record, LockLost> {
        let batch = self.locked(token, now_ms)?;
        over(batch.items().collect()).ok_or(LockLost)
    }

    /// A reader gives a batch back; too often, and it is over.
    ///
    /// # Errors
    /// [`LockLost`], and nothing changes.
    pub fn abandon(
        &mut self,
        token: LockToken,
        settings: &Settings,
        now_ms: u64,
    ) -> Result<Record, LockLost> {
        let batch = self.locked(token, now_ms)?;
        let deliveries = batch.deliveries().saturating_add(1);
        if deliveries >= settings.deliveries_max {
            return over(batch.items().collect()).ok_or(LockLost);
        }
        Ok(Record::Abandoned { items: ascending(batch.items().collect()), deliveries })
    }

    /// A device is deleted: its feedback is over (B2). Goes to the log with what says so.
    pub fn forget(&mut self, device: &DeviceId, generation: Generation) -> Option<Record> {
        let batches = self.batches.iter().flat_map(|batch| &batch.kept);
        let its = batches
            .chain(&self.open)
            .filter(|kept| kept.item.device == *device && kept.item.generation == generation);
        over(its.map(|kept| kept.at).collect())
    }

    /// Ends that wait, in batches or not.
    pub fn len(&self) -> usize {
        self.open.len() + self.batches.iter().map(|batch| batch.kept.len()).sum::<usize>()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends of devices that are gone are over at a start: gives their records, which nobody needs.
    pub(super) fn bereave(&mut self, lives: impl Fn(&Item) -> bool) -> Vec<Need> {
        let gone: Vec<Kept> = self.open.extract_if(.., |kept| !lives(&kept.item)).collect();
        let mut needs: Vec<Need> = gone.iter().map(|kept| Need::Release(kept.at)).collect();
        let abandons = gone.iter().filter_map(|kept| kept.abandoned_at).collect();
        self.release_unnamed(abandons, &mut needs);
        needs
    }

    /// A record of feedback is a fact, in the order of the log; a start lets all that are found be
    /// heard. Appends what the log need not keep from now on. `at`: where it lies.
    pub fn heard(&mut self, record: &Record, at: Sequence, needs: &mut Vec<Need>) {
        match record {
            Record::Reported(item) => {
                let kept = Kept { item: item.clone(), at, abandoned_at: None, deliveries: 0 };
                // Homes tell of theirs when they are at it: a later place may come first.
                let place = self.open.partition_point(|other| other.at < at);
                self.open.insert(place, kept);
            }
            Record::Abandoned { items, deliveries } => {
                let mut overtaken = Vec::new();
                let mut known = false;
                for kept in self.all().filter(|kept| items.binary_search(&kept.at).is_ok()) {
                    known = true;
                    kept.deliveries = *deliveries;
                    overtaken.extend(kept.abandoned_at.replace(at));
                }
                if !known {
                    needs.push(Need::Release(at));
                }
                self.release_unnamed(overtaken, needs);
                self.unsettle(items);
            }
            Record::Over { items } => {
                let gone = self.take(items);
                let mut overtaken = Vec::new();
                for kept in &gone {
                    needs.push(Need::Release(kept.at));
                    overtaken.extend(kept.abandoned_at);
                }
                self.release_unnamed(overtaken, needs);
                needs.push(match gone.iter().map(|kept| kept.at).min() {
                    Some(oldest) => Need::Bury { oldest, at },
                    None => Need::Release(at),
                });
            }
        }
    }

    /// A record could not be made a fact: all is as if it had not been decided.
    pub fn lost(&mut self, record: &Record) {
        match record {
            Record::Reported(_) => {}
            Record::Abandoned { items, .. } | Record::Over { items } => self.unsettle(items),
        }
    }

    fn locked(&mut self, wanted: LockToken, now_ms: u64) -> Result<&Batch, LockLost> {
        self.unlock(now_ms);
        let batch = self.batches.iter_mut().find(|batch| batch.is_locked_with(wanted));
        let batch = batch.ok_or(LockLost)?;
        batch.state = State::Settling;
        Ok(batch)
    }

    fn unlock(&mut self, now_ms: u64) {
        self.batches.iter_mut().for_each(|batch| batch.unlock(now_ms));
    }

    fn unsettle(&mut self, items: &[Sequence]) {
        for batch in &mut self.batches {
            let is_meant = batch.items().any(|item| items.binary_search(&item).is_ok());
            if is_meant && batch.state == State::Settling {
                batch.state = State::Ready;
            }
        }
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Kept> {
        self.batches.iter_mut().flat_map(|batch| &mut batch.kept).chain(&mut self.open)
    }

    fn take(&mut self, items: &[Sequence]) -> Vec<Kept> {
        let is_in = |kept: &mut Kept| items.binary_search(&kept.at).is_ok();
        let mut gone: Vec<Kept> = self.open.extract_if(.., is_in).collect();
        for batch in &mut self.batches {
            gone.extend(batch.kept.extract_if(.., is_in));
        }
        self.batches.retain(|batch| !batch.kept.is_empty());
        gone
    }

    /// Releases abandons that name nothing any more.
    fn release_unnamed(&mut self, mut overtaken: Vec<Sequence>, needs: &mut Vec<Need>) {
        overtaken.sort_unstable();
        overtaken.dedup();
        for at in overtaken {
            if !self.all().any(|kept| kept.abandoned_at == Some(at)) {
                needs.push(Need::Release(at));
            }
        }
    }
}

fn over(items: Vec<Sequence>) -> Option<Record> {
    (!items.is_empty()).then(|| Record::Over { items: ascending(items) })
}

/// As records name them.
fn ascending(mut items: Vec<Sequence>) -> Box<[Sequence]> {
    items.sort_unstable();
    items.into()
}

/// `Content-Type` of a batch (B2).
pub const CONTENT_TYPE: &str = "application/vnd.microsoft.iothub.feedback.json";
const BATCH_ITEMS_MAX: usize = 64;
pub(super) const BATCH_PAUSE_MS: u64 = 15_000;

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
