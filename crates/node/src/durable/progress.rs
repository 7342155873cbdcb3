//! How far deliveries have come, told to the log at most a second late (core.md 2).

use super::carried::Stands;
use super::carrying::{Open, Told};
use super::entries::{Kind, Then};
use super::holding::Gap;
use super::{Durable, Step};
use crate::homes::Homes;
use crate::journal::{Entry, Progress, Reached, Released, UnderWay, Via};
use crate::session::Session;
use crate::shard::Shard;
use crate::share::Memberships;
use crate::timers::Timer;
use broker::subscription::SessionRef;
use foldhash::fast::RandomState;
use hashbrown::HashSet;
use mqtt::session::Exchange;
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
            let Some(Now { progress, needed, gap, told }) = s.progress(shares, now_ms) else {
                continue;
            };
            let then = told.map_or(Then::Nothing, |told| Then::Told(Box::new(told)));
            self.keep(session.slot, &Entry::Progress(progress), Kind::Progress, then);
            self.advance(session.slot, needed, gap);
            self.homes.see_late(session.slot);
        }
        self.carry_late();
    }

    /// What a session does not read again need not be kept for it. The log hears that behind the
    /// next commit, of which the progress is a part.
    fn advance(&mut self, slot: u32, to: Sequence, gap: Option<Gap>) {
        let Self { homes, perform, .. } = self;
        let Some(session) = homes.sessions.at_mut(slot) else { return };
        let Some(durable) = session.durable.as_deref_mut() else { return };
        let before = durable.exchanges().gap;
        for standing in &mut durable.streams {
            standing.advance(to, (before, gap)).for_each(|need| perform.need(need));
        }
        if gap != before {
            durable.exchanges_mut().gap = gap;
        }
    }
}

/// The delivery to a session as it is.
struct Now {
    progress: Progress,
    /// Behind which record something may have to be read again: what is not done, and what was
    /// sent, is not the client's yet, and lies nowhere else.
    needed: Sequence,
    /// What of that it has dropped.
    gap: Option<Gap>,
    /// What it says of what is carried forward.
    told: Option<Told>,
}

impl Session {
    /// Its delivery as it is now.
    fn progress(&mut self, shares: &Memberships, now_ms: u64) -> Option<Now> {
        let durable = self.durable.as_deref_mut()?;
        let first = self.queue.as_ref().and_then(|q| q.first_logged());
        let cursor = durable.cursor_before(first);
        let done = durable.backlog.done(cursor);
        let mut finished = durable.finished(now_ms);
        let durable = self.durable.as_deref()?;
        let (mut under_way, mut needed) = (Vec::new(), done.cursor());
        let mut named = Vec::new();
        let mut open: HashSet<_, RandomState> = HashSet::default();
        for o in self.open(shares) {
            let Open { packet_id, sequence: from, exchange, via, .. } = o;
            let carried = durable.exchanges().carried.of(packet_id, from);
            let sequence = carried.and_then(Stands::at).unwrap_or(from);
            // What was never in the log cannot be taken up again.
            if sequence.0 > 0 || exchange == Exchange::Released {
                under_way.push(UnderWay { packet_id, sequence, exchange, via });
            }
            if exchange == Exchange::Released || from.0 == 0 {
                continue;
            }
            // A group keeps its own.
            if via == Via::Own && !matches!(carried, Some(Stands::Told(_))) {
                needed = needed.min(Sequence(from.0 - 1));
            }
            if carried.is_some() {
                open.insert((packet_id, from));
            }
            if let Some(Stands::Kept(at)) = carried {
                named.push((packet_id, at));
                finished.extend(via.stream().map(|stream| (stream, from)));
            }
        }
        let gap = Gap::of(&done, needed, durable.exchanges().gap);
        let progress = Progress {
            session: durable.id,
            done,
            dropped: durable.backlog.dropped(),
            under_way,
            received: durable.exchanges().received.clone(),
            finished,
        };
        let progress = behind(progress, &durable.exchanges().steps);
        let told = self.durable.as_deref_mut().and_then(|durable| {
            let carried = &mut durable.exchanges.as_deref_mut()?.carried;
            let over = carried.take_over(|c| open.contains(&(c.packet_id, c.from)));
            (!named.is_empty() || !over.is_empty()).then_some(Told { named, over })
        });
        Some(Now { progress, needed, gap, told })
    }
}

impl Durable {
    /// Everything up to here is done, or under way: what waits in memory begins with `first`.
    pub(super) fn cursor_before(&self, first: Option<Sequence>) -> Sequence {
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
