//! Reactor 0 keeps the outbox: batches form and expire, and the log knows what was read.

use super::reporting::News;
use crate::door::Reply;
use crate::journal::Entry;
use crate::record::What;
use crate::shard::Shard;
use crate::timers::Timer;
use crate::waiting::Completion;
use hub::errors::{ErrorCode, Refusal};
use hub::feedback::{Outbox, Record};
use std::borrow::Cow;
use store::op::Sequence;

/// A record of the outbox on its way to the log.
pub(crate) struct Settling {
    pub record: Record,
    /// Who has asked for it; nobody, where time or a deletion has.
    pub reply: Option<Reply<Result<(), Refusal>>>,
}

impl Shard {
    /// Takes in the feedback that the log has: on reactor 0, before the first turn.
    pub fn restore_feedback(&mut self, found: Outbox) {
        let Some(hub) = &self.devices.hub else { return };
        hub.feedback_room.found(found.len());
        self.feedback.outbox = found;
        self.await_feedback();
    }

    /// What homes of devices have told.
    pub(crate) fn outbox_hears(&mut self, news: impl IntoIterator<Item = News>) {
        for news in news {
            match news {
                News::Ended(item, at) => self.feedback_kept(&Record::Reported(item), at),
                News::Gone(device, generation) => {
                    if let Some(record) = self.feedback.outbox.forget(&device, generation) {
                        self.write_feedback(Settling { record, reply: None });
                    }
                }
            }
        }
        self.feedback_due();
    }

    /// Time has passed, or ends have come.
    pub(crate) fn feedback_due(&mut self) {
        let Some(hub) = self.devices.hub.clone() else { return };
        let now_ms = self.homes.now.wall_ms;
        if let Some(record) = self.feedback.outbox.turn(&hub.feedback, now_ms) {
            self.write_feedback(Settling { record, reply: None });
        }
        self.await_feedback();
    }

    pub(super) fn await_feedback(&mut self) {
        let Some(hub) = &self.devices.hub else { return };
        if let Some(at_ms) = self.feedback.outbox.deadline(&hub.feedback) {
            self.homes.arm(Timer::Feedback, at_ms);
        }
    }

    pub(super) fn write_feedback(&mut self, settling: Settling) {
        if !self.perform.keeps() {
            return self.feedback_settled(settling, Sequence(0));
        }
        let mut payload = Vec::new();
        let entry = Entry::Feedback(Cow::Borrowed(&settling.record));
        entry.encode(&mut payload);
        let kind = entry.kind();
        let done = Completion::Feedback(Box::new(settling));
        self.perform.write_payload((kind, &payload), What::Own, done);
    }

    /// A record of the outbox is a fact.
    pub(crate) fn feedback_settled(&mut self, settling: Settling, at: Sequence) {
        let Settling { record, reply } = settling;
        self.feedback_kept(&record, at);
        if let Some(reply) = reply {
            reply(Ok(()));
        }
        self.await_feedback();
    }

    /// It could not be made a fact.
    pub(crate) fn feedback_unsettled(&mut self, settling: Settling, why: &'static str) {
        let Settling { record, reply } = settling;
        self.feedback.outbox.lost(&record);
        if let Some(reply) = reply {
            reply(Err(Refusal::new(ErrorCode::ServiceUnavailable, why)));
        }
        // What has expired is tried again in a while, not in the same turn.
        self.homes.arm(Timer::Feedback, self.homes.now.wall_ms + RETRY_MS);
    }

    fn feedback_kept(&mut self, record: &Record, at: Sequence) {
        // Where nothing is kept, items need numbers all the same.
        self.feedback.last += 1;
        let place = if at.0 > 0 { at } else { Sequence(self.feedback.last) };
        let (mut needs, outbox) = (Vec::new(), &mut self.feedback.outbox);
        let before = outbox.len();
        outbox.heard(record, place, &mut needs);
        let gone = before.saturating_sub(outbox.len());
        if let Some(hub) = &self.devices.hub {
            hub.feedback_room.give_back(gone);
        }
        if at.0 > 0 {
            needs.into_iter().for_each(|need| self.perform.need(need));
        }
    }
}

const RETRY_MS: u64 = 1_000;
