//! The thread that makes facts: one batch and one sync at a time, for all reactors.

use super::Sharing;
use super::bell::{Bell, Said};
use super::cleaning::Spares;
use super::state::{Health, Tally};
use crate::disk::FileDisk;
use crate::net::Parcel;
use engine::{Committer, Step};
use node::post::Post;
use node::record::{Record, settle};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use store::log::CommitError;

/// What the thread needs.
pub(super) struct Writing {
    pub committer: Committer<FileDisk, Record>,
    pub bell: Arc<Bell>,
    pub spares: Spares,
    pub sharing: Sharing,
    pub tally: Arc<Tally>,
    /// How many records the last commit had.
    pub last: usize,
}

impl Writing {
    pub fn start(self) -> anyhow::Result<JoinHandle<()>> {
        Ok(std::thread::Builder::new().name("log-writer".into()).spawn(move || self.run())?)
    }

    fn run(mut self) {
        loop {
            let said = self.bell.wait();
            loop {
                self.gather();
                if !self.step() {
                    break;
                }
            }
            if said == Said::Stop {
                return;
            }
        }
    }

    /// Many publishers who were just answered are about to send again. Half as many syncs cost a
    /// third less time of the processor for each message, and nobody waits longer than before.
    fn gather(&self) {
        if self.last >= MANY && (1..self.last).contains(&self.committer.waiting()) {
            self.bell.pause(GATHERING);
        }
    }

    /// One commit; whether there may be more to do.
    fn step(&mut self) -> bool {
        if let Some(spare) = self.spares.take() {
            self.committer.log().give_spare(spare);
        }
        let Sharing { inboxes, retained, keys, interest, hub, wall } = &self.sharing;
        let now_ms = wall();
        let before = self.committer.log().next_sequence().0;
        let step = self.committer.step(
            |fact, needs| settle(fact, needs, retained, interest, keys, now_ms),
            |reactor, facts| inboxes[reactor].send(Parcel::Post(Post::Facts(facts))),
        );
        if hub.as_ref().is_some_and(|hub| hub.channel.is_over()) {
            // Reactor 0 keeps it, and may be asleep.
            inboxes[0].send(Parcel::Wake);
        }
        match step {
            Step::Idle => return false,
            Step::Committed(count) => {
                self.last = count;
                // What only passes is no record, and says nothing of the disk.
                let records = self.committer.log().next_sequence().0 - before;
                if records > 0 {
                    self.tally.committed(records);
                    self.note(Health::Well, None);
                }
            }
            Step::Refused(count, error) => {
                self.tally.refused(count);
                let health = match &error {
                    CommitError::Full(_) => Health::Full,
                    CommitError::Failed(_) => Health::Failed,
                };
                self.note(health, Some(&error));
            }
        }
        if self.committer.log().wants_spare() {
            self.spares.ask();
        }
        true
    }

    /// Says once that something has changed.
    fn note(&self, health: Health, error: Option<&CommitError>) {
        if self.tally.turns(health, (self.sharing.wall)()).is_none() {
            return;
        }
        match error {
            None => tracing::info!("the disk takes records again"),
            Some(error) => {
                tracing::error!(%error, "what has to be kept is refused; QoS 0 and reads go on");
            }
        }
    }
}

/// Fewer are not waited for: their publishers have little in flight, or not the same.
const MANY: usize = 16;
const GATHERING: Duration = Duration::from_micros(50);
