//! Hearing of the log: what has become a fact goes on here, on the reactor that submitted it and
//! on those with receivers, in the order of the log.
//!
//! Owns that order among the reactors: what another reactor told after it had heard of a commit
//! is not heard before that commit.

use crate::counters::Loss;
use crate::durable::Step;
use crate::ingress::Who;
use crate::journal::Publisher;
use crate::link::LinkId;
use crate::post::PublishBatch;
use crate::record::{Record, Told, What};
use crate::session::Origin;
use crate::shard::Shard;
use crate::source::Source;
use crate::waiting::{Completion, Logged, Waiting};
use broker::subscription::SessionRef;
use engine::{Fact, Facts, Formed, Outcome};
use hub::errors::{ErrorCode, Refusal};
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::Version;
use std::collections::VecDeque;
use store::op::Sequence;

/// How far a reactor has heard of the log.
pub(crate) struct Heard {
    /// The last record of the last commit.
    pub up_to: u64,
    /// The same of the last commit that reactor n heard of too.
    pub with: Vec<u64>,
    /// What reactors told that had heard more.
    early: VecDeque<PublishBatch>,
}

impl Heard {
    pub fn new(reactors: usize, up_to: u64) -> Self {
        Self { up_to, with: vec![0; reactors], early: VecDeque::new() }
    }

    /// A batch that may be heard now; one that came too early waits.
    pub fn in_time(&mut self, batch: PublishBatch) -> Option<PublishBatch> {
        if batch.after > self.up_to {
            self.early.push_back(batch);
            return None;
        }
        Some(batch)
    }

    fn next_early(&mut self) -> Option<PublishBatch> {
        let at = self.early.iter().position(|batch| batch.after <= self.up_to)?;
        self.early.remove(at)
    }

    fn enter(&mut self, facts: &Facts<Record>) {
        if facts.outcome != Outcome::Durable {
            return;
        }
        let last = facts.list.iter().rev().find(|fact| fact.form == Formed::Logged);
        let Some(last) = last else { return };
        self.up_to = last.sequence.0;
        let mut concerned = facts.concerned();
        while concerned != 0 {
            if let Some(with) = self.with.get_mut(concerned.trailing_zeros() as usize) {
                *with = last.sequence.0;
            }
            concerned &= concerned - 1;
        }
    }
}

impl Shard {
    /// A commit has come back.
    pub(crate) fn hear_facts(&mut self, facts: &Facts<Record>) {
        // Before anything that they may get.
        self.router.take_joins();
        for fact in facts.of(self.homes.me) {
            if usize::from(fact.origin) == self.homes.me {
                self.settle_free();
                self.own_fact(fact, facts.outcome);
            } else if let What::Publish(told) = &fact.record.0 {
                self.hear_told(told);
            }
        }
        self.settle_free();
        self.heard.enter(facts);
        self.homes.heard = Sequence(self.heard.up_to);
        while let Some(batch) = self.heard.next_early() {
            self.publishes(batch);
        }
    }

    fn own_fact(&mut self, fact: &Fact<Record>, outcome: Outcome) {
        let Some((waiting, left)) = self.perform.next_of(fact.ticket) else { return };
        let (origin, completion) = (waiting.origin, waiting.completion);
        if let Completion::Acknowledge { packet_id, qos: QoS::ExactlyOnce, .. } = completion {
            let session = SessionRef { slot: origin.slot, generation: origin.generation };
            self.took_step(session, Step::Received(packet_id), outcome);
        }
        match outcome {
            Outcome::Durable => {
                let mut heard = true;
                if let (Some(logged), What::Publish(told)) = (waiting.publish, &fact.record.0) {
                    heard = self.tell_own(&logged, told) || fact.others != 0;
                    self.remember(origin, &completion, told);
                }
                self.follow(completion, heard, fact.sequence.0);
            }
            // It never needed the disk.
            _ if fact.form == Formed::Passing => {
                let (publish, ticket) = (waiting.publish, None);
                let step = Waiting { ticket, publish, ..Waiting::answer(origin, completion) };
                self.complete_in_memory(step, 0);
            }
            Outcome::Full => self.refused(origin, completion, (outcome, DISK_FULL)),
            Outcome::Failed => self.refused(origin, completion, (outcome, DISK_FAILED)),
        }
        self.has_left(origin, left);
    }

    /// A publish of another reactor.
    fn hear_told(&mut self, told: &Told) {
        let message = &told.publication.message;
        let here = match told.order {
            0 => self.router.here(message.topic()),
            order => self.router.here_after(message.topic(), order),
        };
        if let Some(tally) = &told.tally {
            tally.routed(self.acknowledging(&here.targets, &here.groups, message.qos()));
        }
        self.watch(&told.publication);
        let mut source = Source::kept(&told.publication);
        self.tell_here(told.origin, &here.targets, &here.groups, &mut source);
    }

    /// A publish of this reactor: its receivers here. Whether anybody may have heard it.
    fn tell_own(&mut self, logged: &Logged, told: &Told) -> bool {
        let message = &told.publication.message;
        let mut route = self.route(Who::Principal(&logged.principal), message.topic());
        if told.order > 0 {
            // Who subscribed since it was stored has got it from there.
            route.targets = self.router.here_after(message.topic(), told.order).targets;
        }
        if let Some(tally) = &told.tally {
            tally.routed(self.acknowledging(&route.targets, &route.groups, message.qos()));
        }
        self.watch(&told.publication);
        let mut source = Source::kept(&told.publication);
        self.tell_here(told.origin, &route.targets, &route.groups, &mut source);
        !route.targets.is_empty() || route.groups.is_some() || message.retain()
    }

    /// What was promised for a step cannot be: the disk has not taken it.
    fn refused(
        &mut self,
        origin: Origin,
        completion: Completion,
        (outcome, why): (Outcome, &'static str),
    ) {
        match completion {
            Completion::None => self.homes.counters.lose(Loss::Storage),
            // What it is a part of is refused with it.
            Completion::Beside => {}
            Completion::Command(written) => self.command_unwritten(*written, why),
            Completion::Device(written) => self.device_unwritten(*written, why),
            Completion::Report(_) => self.not_reported(),
            Completion::Job(written) => self.job_unwritten(*written, why),
            Completion::Feedback(settling) => self.feedback_unsettled(*settling, why),
            Completion::Telemetry { link, packet_id } => {
                self.homes.counters.publishes_refused.add(1);
                self.telemetry_unstored(link, packet_id, why);
            }
            Completion::Asker(reply) => {
                self.homes.counters.publishes_refused.add(1);
                reply(Err(Refusal::new(ErrorCode::ServiceUnavailable, why)));
            }
            Completion::Channel(kept) => self.channel_not_kept(*kept, why),
            // It is told again.
            Completion::Clock => {}
            Completion::Group(group, stream) => self.group_kept(group, stream, None),
            Completion::Carried(group, stream, from) => {
                self.group_carried((group, stream, from), None);
            }
            Completion::Acknowledge { link, packet_id, qos } => {
                self.homes.counters.publishes_refused.add(1);
                if qos == QoS::ExactlyOnce {
                    // The client may use the identifier anew (MQTT 5, 4.3.3-9), and what it sends
                    // again on another connection is no repeat.
                    self.free(origin, packet_id);
                }
                self.unstored(link, packet_id, qos, why);
            }
            Completion::Answer { link, packet_id, qos, reason, why } => {
                self.answer_waited(link, packet_id, qos, reason, why.as_deref());
            }
            Completion::Packet { link, bytes } => self.send_waited(link, &bytes),
            Completion::Tally(tally) => {
                self.homes.counters.publishes_refused.add(1);
                tally.answer(crate::door::Published::Unstored { why });
            }
            Completion::Kept(kept) => self.not_kept(kept, (outcome, why)),
        }
    }

    fn free(&mut self, origin: Origin, packet_id: PacketId) {
        if let Some(session) = self.homes.sessions.get_mut(origin.slot, origin.generation) {
            session.received.release(packet_id);
        }
    }

    /// An answer that kept its place behind steps that have gone one way or the other. It may be
    /// for the repeat of one of them, which was not stored.
    pub(crate) fn answer_waited(
        &mut self,
        link: LinkId,
        packet_id: PacketId,
        qos: QoS,
        reason: Reason,
        why: Option<&str>,
    ) {
        let is_repeat = qos == QoS::ExactlyOnce && !reason.is_error();
        if is_repeat
            && self.homes.links.get(link.slot, link.generation).is_some()
            && let Some((.., session)) = self.homes.attached(link.slot)
            && !session.received.contains(packet_id)
        {
            return self.unstored(link, packet_id, qos, NOT_STORED);
        }
        self.acknowledge(link, packet_id, qos, reason, why);
    }

    /// A packet that kept its place.
    pub(crate) fn send_waited(&mut self, link: LinkId, packet: &[u8]) {
        let l = self.homes.links.get(link.slot, link.generation);
        if l.is_some_and(|l| l.session().is_some())
            && let Some(out) = self.homes.output(link.slot)
        {
            out.extend_from_slice(packet);
        }
    }

    /// A publish that is not stored: 0x97, or no acknowledgement and no connection (core.md 5).
    fn unstored(&mut self, link: LinkId, packet_id: PacketId, qos: QoS, why: &'static str) {
        if self.homes.links.get(link.slot, link.generation).is_none() {
            return;
        }
        let client = self.homes.client_of(link.slot);
        self.homes.refused(&client, Reason::QUOTA_EXCEEDED, "disk", why.to_owned());
        let Some((l, ..)) = self.homes.attached(link.slot) else { return };
        if l.version == Version::V311 {
            return self.disconnect(link.slot, Reason::QUOTA_EXCEEDED, why);
        }
        self.acknowledge(link, packet_id, qos, Reason::QUOTA_EXCEEDED, Some(why));
    }

    /// How the log remembers who publishes.
    pub(crate) fn publisher(&self, who: Who<'_>, completion: &Completion) -> Publisher<'static> {
        let Who::Session(slot) = who else { return Publisher::Passing };
        match (self.durable(slot), completion) {
            (None, _) => Publisher::Passing,
            (Some(d), Completion::Acknowledge { packet_id, qos: QoS::ExactlyOnce, .. }) => {
                Publisher::Exchange(d.id, *packet_id)
            }
            (Some(d), _) => Publisher::Session(d.id),
        }
    }

    /// The identifier of a QoS 2 publish is a fact with it. Its record is kept until a progress
    /// knows the identifier too, or for as long as it is the retained one.
    fn remember(&mut self, who: Origin, completion: &Completion, told: &Told) {
        let Completion::Acknowledge { packet_id, qos: QoS::ExactlyOnce, .. } = completion else {
            return;
        };
        let publication = &told.publication;
        let at = (!publication.message.retain()).then(|| Sequence(publication.sequence()));
        self.received_kept(who, *packet_id, at);
    }
}

const NOT_STORED: &str = "the disk has not taken this message; send it again as a new one";
const DISK_FULL: &str = "the disk is full; nothing that has to be kept is taken until it has room";
const DISK_FAILED: &str =
    "the disk has failed; nothing that has to be kept is taken until the server is started again";
