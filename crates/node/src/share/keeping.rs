//! Kept groups at work: what is pushed to them, what is read for them, what the log is told.

use super::handout::HandingOut;
use super::kept::Pushed;
use crate::counters::Loss;
use crate::durable::{LIVE_BYTES, LIVE_MESSAGES, Read, ReadFound, ReadJob};
use crate::effect::{Effect, Notice};
use crate::journal::Entry;
use crate::shard::Shard;
use crate::waiting::Completion;
use broker::limits::QueueFull;
use broker::publication::Publication;
use broker::share::GroupRef;
use mqtt::qos::QoS;
use std::sync::Arc;
use store::log::{Credit, Need, StreamId};
use store::op::Sequence;

impl HandingOut<'_> {
    /// What of a new message the group hands out now: all of it where the log keeps nothing.
    pub(super) fn take_kept(
        &mut self,
        group: GroupRef,
        publication: &Arc<Publication>,
    ) -> Option<Arc<Publication>> {
        self.hear_of_kept();
        let is_kept = publication.sequence() > 0 && publication.message.qos() > QoS::AtMostOnce;
        if !is_kept || self.homes.kept_groups.is_empty() {
            return Some(Arc::clone(publication));
        }
        let waiting = self.router.share.waiting_in(group);
        let account = Arc::clone(self.homes.meter.account());
        let Some(kept) = self.homes.kept_groups.get(group) else {
            return Some(Arc::clone(publication));
        };
        match kept.push(publication, waiting, &account) {
            Pushed::Take(own) => {
                self.homes.arm_progress();
                Some(own)
            }
            Pushed::Done => None,
            Pushed::Left => {
                self.homes.kept_groups.want(group);
                self.left(group, waiting, publication.bytes());
                None
            }
        }
    }

    /// Memberships that the log keeps and that have begun.
    pub(super) fn hear_of_kept(&mut self) {
        for join in self.router.share.take_kept() {
            let (heard, queued) = (self.homes.heard, self.homes.meter.queued.clone());
            let need = self.homes.kept_groups.join(&join, heard, &queued);
            self.homes.needs.extend(need);
        }
    }

    /// At the bound of a queue the group's policy decides. The oldest messages are those that
    /// were read by now and wait for a member.
    pub(super) fn left(&mut self, group: GroupRef, mut waiting: (usize, usize), bytes: usize) {
        let limits = Arc::clone(&self.homes.limits);
        let mut dropped = 0;
        loop {
            let namespace_full = self.homes.meter.is_namespace_full(0);
            let Some(kept) = self.homes.kept_groups.get(group) else { break };
            let log = kept.backlog.waiting();
            let full = waiting.0 + log.messages as usize > limits.session_queue_messages_max
                || waiting.1 + log.bytes as usize > limits.session_queue_bytes_max
                || namespace_full;
            if !full {
                break;
            }
            kept.is_changed = true;
            match limits.queue_full {
                QueueFull::DropNewest | QueueFull::Refuse => kept.skip_newest(bytes),
                QueueFull::DropOldest | QueueFull::EndSession => {
                    if self.router.share.shed(group) {
                        waiting = self.router.share.waiting_in(group);
                        self.homes.kept_groups.unpark(group);
                        dropped += 1;
                        continue;
                    }
                    if !kept.backlog.drop_oldest() {
                        break;
                    }
                }
            }
            kept.weigh();
            dropped += 1;
        }
        self.homes.counters.lose_many(Loss::QueueFull, dropped);
        self.homes.group_bytes.set(self.router.share.waiting_bytes());
    }
}

impl Shard {
    /// Reads for groups whose messages in memory are nearly gone.
    pub(crate) fn read_groups(&mut self) {
        if self.keeps() {
            self.handing_out().hear_of_kept();
        }
        while let Some(group) = self.homes.kept_groups.next_wanted() {
            self.read_group(group);
        }
        for need in std::mem::take(&mut self.homes.needs) {
            self.perform.need(need);
        }
    }

    /// The log hears at once what a session keeps of a group that it leaves: before the group,
    /// which may be on another reactor, hears that, ends, and lets go of its stream.
    pub(super) fn tell_held(&mut self) {
        if self.homes.needs.is_empty() {
            return;
        }
        for need in std::mem::take(&mut self.homes.needs) {
            self.perform.need(need);
        }
        self.perform.flush_needs();
    }

    fn read_group(&mut self, group: GroupRef) {
        let (messages, bytes) = self.router.share.waiting_in(group);
        if messages > LIVE_MESSAGES / 2 || bytes > LIVE_BYTES / 2 {
            return self.homes.kept_groups.park(group);
        }
        if self.list_for_group(group) {
            return;
        }
        let account = Arc::clone(self.homes.meter.account());
        let Some(kept) = self.homes.kept_groups.get(group) else { return };
        let Some(cursor) = kept.begin_read() else { return };
        let credit = Credit { records: LIVE_MESSAGES, bytes: LIVE_BYTES };
        let job = ReadJob::for_group(group, cursor, credit, account);
        self.homes.effects.push(Effect::Read(Box::new(job)));
    }

    /// Messages that were left come back to their group.
    pub(crate) fn group_read(&mut self, group: GroupRef, answer: Read) {
        let Read { cursor, found, end } = answer;
        let account = Arc::clone(self.homes.meter.account());
        let end = match end {
            Ok(end) => end,
            Err(why) => {
                // It is tried again with the next message, or when the next one is taken.
                if let Some(kept) = self.homes.kept_groups.get(group) {
                    kept.backlog.forget_read();
                    kept.backlog.put_off();
                }
                let client = "a shared group".to_owned();
                return self.homes.notice(Notice::Unreadable { client, why });
            }
        };
        let messages = match found {
            ReadFound::Messages(messages) => messages,
            ReadFound::Numbers(aim, listed) => {
                return self.group_listed(group, cursor, (aim, listed), end);
            }
        };
        for publication in messages {
            let Some(kept) = self.homes.kept_groups.get(group) else { return };
            if let Some(own) = kept.read(&publication, &account) {
                self.handing_out().offer_own(group, own);
            }
        }
        if let Some(kept) = self.homes.kept_groups.get(group) {
            kept.end_read(end, cursor);
            self.homes.kept_groups.want(group);
        }
        self.homes.arm_progress();
    }

    /// Tells the log what groups have done.
    pub(crate) fn keep_groups(&mut self) {
        self.carry_groups();
        let Self { homes, perform, .. } = self;
        let mut is_open = false;
        for (group, kept) in homes.kept_groups.all() {
            kept.look();
            is_open |= kept.is_open();
            if !kept.is_changed {
                continue;
            }
            let (progress, need) = kept.progress();
            let stream = progress.stream;
            let entry = Entry::GroupProgress(progress);
            perform.write(&entry, Completion::Group(group, stream));
            need.into_iter().for_each(|need| perform.need(need));
        }
        if is_open {
            homes.arm_progress();
        }
    }

    /// The log knows what a group has done; `None`: it does not.
    pub(crate) fn group_kept(&mut self, group: GroupRef, stream: StreamId, at: Option<Sequence>) {
        let Self { homes, perform, .. } = self;
        let group = homes.kept_groups.get(group).filter(|g| g.stream == stream);
        match (group, at) {
            (Some(group), Some(at)) => {
                let before = group.record.replace(at);
                before.into_iter().for_each(|before| perform.need(Need::Release(before)));
            }
            (Some(group), None) => group.is_changed = true,
            // It has ended meanwhile.
            (None, at) => at.into_iter().for_each(|at| perform.need(Need::Release(at))),
        }
    }
}
