//! The thread that makes facts: one batch and one sync at a time, for all reactors.

use super::Sharing;
use super::bell::{Bell, Said};
use super::cleaning::Spares;
use crate::disk::FileDisk;
use crate::net::Parcel;
use engine::{Committer, Step};
use node::post::Post;
use node::record::{Record, settle};
use std::sync::Arc;
use std::thread::JoinHandle;
use store::log::CommitError;

/// What the thread needs.
pub(super) struct Writing {
    pub committer: Committer<FileDisk, Record>,
    pub bell: Arc<Bell>,
    pub spares: Spares,
    pub sharing: Sharing,
}

/// Whether the disk takes what is written, as the log was told last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Well,
    Full,
    Failed,
}

impl Writing {
    pub fn start(self) -> anyhow::Result<JoinHandle<()>> {
        Ok(std::thread::Builder::new().name("log-writer".into()).spawn(move || self.run())?)
    }

    fn run(mut self) {
        let mut health = Health::Well;
        loop {
            let said = self.bell.wait();
            while self.step(&mut health) {}
            if said == Said::Stop {
                return;
            }
        }
    }

    /// One commit; whether there may be more to do.
    fn step(&mut self, health: &mut Health) -> bool {
        if let Some(spare) = self.spares.take() {
            self.committer.log().give_spare(spare);
        }
        let Sharing { inboxes, retained, keys, interest, wall } = &self.sharing;
        let now_ms = wall();
        let step = self.committer.step(
            |fact, needs| settle(fact, needs, retained, interest, keys, now_ms),
            |reactor, facts| inboxes[reactor].send(Parcel::Post(Post::Facts(facts))),
        );
        match step {
            Step::Idle => return false,
            Step::Committed(_) => note(health, Health::Well, None),
            Step::Refused(_, error @ CommitError::Full(_)) => {
                note(health, Health::Full, Some(&error));
            }
            Step::Refused(_, error @ CommitError::Failed(_)) => {
                note(health, Health::Failed, Some(&error));
            }
        }
        if self.committer.log().wants_spare() {
            self.spares.ask();
        }
        true
    }
}

/// Says once that something has changed.
fn note(before: &mut Health, now: Health, error: Option<&CommitError>) {
    if std::mem::replace(before, now) == now {
        return;
    }
    match error {
        None => tracing::info!("the disk takes records again"),
        Some(error) => {
            tracing::error!(%error, "what has to be kept is refused; QoS 0 and reads go on");
        }
    }
}
