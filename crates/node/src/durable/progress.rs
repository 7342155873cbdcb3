//! How far deliveries have come, told to the log at most a second late (core.md 2).

use super::entries::{Kind, Then};
use super::{Durable, Exchanges, Standing, Step};
use crate::homes::Homes;
use crate::journal::{Entry, Progress, Reached, Released, UnderWay, Via};
use crate::session::Session;
use crate::shard::Shard;
use crate::share::Memberships;
use crate::timers::Timer;
use broker::subscription::SessionRef;
use mqtt::session::Exchange;
use store::log::Need;
use store::op::Sequence;

/// Sessions whose delivery has changed since the log was told.
#[derive(Default)]
pub(crate) struct Changed {
    sessions: Vec<SessionRef>,
}

impl Homes {
    /// The delivery to a session has changed.
    #[inline]
    pub fn changed(&mut self, slot: u32) {
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let Some(durable) = session.durable.as_deref_mut().filter(|d| !d.is_changed) else {
            return;
        };
        durable.is_changed = true;
        if self.progress.sessions.is_empty() {
            self.arm_progress();
        }
        let session = self.session_ref(slot);
        self.progress.sessions.push(session);
    }
}

impl Homes {
    /// The log hears of something soon.
    pub fn arm_progress(&mut self) {
        let at_ms = self.now.mono_ms + LATE_MS;
        self.arm(Timer::Progress, at_ms);
    }
}

impl Shard {
    /// Tells the log how far each session is by now.
    pub(crate) fn keep_progress(&mut self) {
        self.end_refused();
        // First: what a session forgets here, its group has told.
        self.keep_groups();
        let now_ms = self.homes.now.mono_ms;
        for session in std::mem::take(&mut self.homes.progress.sessions) {
            let Homes { sessions, shares, .. } = &mut self.homes;
            let Some(s) = sessions.get_mut(session.slot, session.generation) else { continue };
            let Some(durable) = s.durable.as_deref_mut() else { continue };
            durable.is_changed = false;
            let Some(progress) = s.progress(shares, now_ms) else { continue };
            let needed = needed_behind(&progress);
            self.keep(session.slot, &Entry::Progress(progress), Kind::Progress, Then::Nothing);
            self.advance(session.slot, needed);
        }
    }

    /// What a session does not read again need not be kept for it. The log hears that behind the
    /// next commit, of which the progress is a part.
    fn advance(&mut self, slot: u32, to: Sequence) {
        let Self { homes, perform, .. } = self;
        let Some(session) = homes.sessions.at_mut(slot) else { return };
        let Some(durable) = session.durable.as_deref_mut() else { return };
        for Standing { stream, stands, .. } in &mut durable.streams {
            if *stands < to {
                perform.need(Need::Advance { stream: *stream, from: *stands, to });
                *stands = to;
            }
        }
    }
}

impl Session {
    /// Its delivery as it is now.
    fn progress(&mut self, shares: &Memberships, now_ms: u64) -> Option<Progress> {
        let durable = self.durable.as_deref_mut()?;
        let first = self.queue.as_ref().and_then(|q| q.first_logged());
        let cursor = durable.cursor_before(first);
        let done = durable.backlog.done(cursor);
        let finished = durable.finished(now_ms);
        let durable = &*durable;
        let under_way = self.outbound.unacknowledged().filter_map(|u| {
            let (packet_id, exchange) = (u.packet_id, u.exchange);
            let kept = u.kept.map(|d| Sequence(d.publication.sequence()));
            let Exchanges { unloaded, by_group, .. } = durable.exchanges();
            // A released one of a group has no message here, and is still not to be given again.
            let given = by_group.iter().find(|given| given.packet_id == packet_id);
            let before = || unloaded.iter().find(|(id, _)| *id == packet_id);
            let sequence = kept.or_else(|| given.map(|given| given.sequence));
            let sequence = sequence.or_else(|| before().map(|(_, sequence)| *sequence));
            let sequence = sequence.unwrap_or(Sequence(0));
            // What was never in the log cannot be taken up again.
            let is_kept = sequence.0 > 0 || exchange == Exchange::Released;
            let via = match (given, u.kept.and_then(|d| d.member)) {
                (Some(given), _) => Via::Group(given.stream),
                (None, Some(member)) => shares.via(member),
                (None, None) => Via::Own,
            };
            is_kept.then_some(UnderWay { packet_id, sequence, exchange, via })
        });
        let progress = Progress {
            session: durable.id,
            done,
            dropped: durable.backlog.dropped(),
            under_way: under_way.collect(),
            received: durable.exchanges().received.clone(),
            finished,
        };
        Some(behind(progress, &durable.exchanges().steps))
    }
}

impl Durable {
    /// Everything up to here is done, or under way: what waits in memory begins with `first`.
    fn cursor_before(&self, first: Option<Sequence>) -> Sequence {
        first.map_or(self.backlog.taken(), |first| Sequence(first.0 - 1))
    }
}

/// A progress behind steps that are in the log before it and not known to be.
fn behind(progress: Progress, steps: &[Step]) -> Progress {
    if steps.is_empty() {
        return progress;
    }
    let session = progress.session;
    let mut reached = Reached::from(progress);
    for step in steps {
        match *step {
            Step::Received(packet_id) => reached.receive(packet_id),
            Step::Released(packet_id, direction) => {
                reached.apply(&Entry::Released(Released { session, packet_id, direction }));
            }
        }
    }
    reached.snapshot()
}

/// Behind which record something may have to be read again: what is not done, and what was sent
/// and is not the client's yet.
fn needed_behind(progress: &Progress) -> Sequence {
    // A group keeps its own.
    let own = progress.under_way.iter().filter(|u| u.via == Via::Own);
    let open = own.filter(|u| u.exchange != Exchange::Released);
    let oldest = open.map(|u| u.sequence.0 - 1).min().unwrap_or(u64::MAX);
    Sequence(progress.done.cursor().0.min(oldest))
}

/// How late the log hears of acknowledgements.
pub(super) const LATE_MS: u64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Direction, Done, SessionId};
    use mqtt::packet_id::PacketId;

    /// A progress overtakes what is in the log before it, known to be there or not.
    #[test]
    fn steps_on_their_way_are_in_the_progress_behind_them() {
        let id = |n| PacketId::new(n).unwrap();
        let under_way = |n, sequence, exchange| UnderWay {
            packet_id: id(n),
            sequence: Sequence(sequence),
            exchange,
            via: Via::Own,
        };
        let progress = |under_way: &[UnderWay], received: &[u16]| Progress {
            session: SessionId(1),
            done: Done::up_to(Sequence(9)),
            dropped: 3,
            under_way: under_way.to_vec(),
            received: received.iter().map(|n| id(*n)).collect(),
            finished: Vec::new(),
        };
        let open = [7, 8].map(|n| under_way(n as u16, n, Exchange::Published2));
        let mut released = open;
        released[1].exchange = Exchange::Released;
        let steps = [
            Step::Received(id(3)),
            Step::Released(id(1), Direction::Inbound),
            Step::Released(id(8), Direction::Outbound),
            Step::Received(id(4)),
            Step::Received(id(1)),
        ];
        for (steps, wanted) in [
            (&steps[..0], progress(&open, &[1, 2])),
            (&steps[..1], progress(&open, &[1, 2, 3])),
            (&steps[..2], progress(&open, &[2, 3])),
            (&steps[..], progress(&released, &[2, 3, 4, 1])),
        ] {
            assert_eq!(behind(progress(&open, &[1, 2]), steps), wanted, "{steps:?}");
        }
    }
}
