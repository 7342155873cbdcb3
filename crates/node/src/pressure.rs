//! What becomes of publishes, pauses and posts when there is no room (core.md 5).
//!
//! Owns the rules of memory pressure, who is not read meanwhile, and what the log hears of it.
//! Refuses to know how bytes are counted.

use crate::counters::Loss;
use crate::effect::{Effect, Notice};
use crate::ingress::Verdict;
use crate::link::Pause;
use crate::session::{Origin, Session};
use crate::shard::Shard;
use crate::source::Source;
use broker::budget::Level;
use broker::router::Route;
use mqtt::qos::QoS;
use mqtt::reason::Reason;

impl Shard {
    /// Whether a publish cannot be taken while memory is short: QoS 0 never; what would have to be
    /// kept, for anybody, once everything is taken.
    #[cold]
    pub(crate) fn lacks_memory(&self, s: &Source<'_>, route: &Route) -> bool {
        s.qos == QoS::AtMostOnce
            || (self.homes.meter.level() == Level::Full && self.would_keep(s, route))
    }

    /// What a publisher hears of that: nothing at QoS 0, which is dropped and counted.
    #[cold]
    pub(crate) fn for_want_of_memory(&self, qos: QoS) -> Verdict {
        if qos == QoS::AtMostOnce {
            self.homes.counters.lose(Loss::Memory);
            return Verdict::Told { heard: false };
        }
        Verdict::Refused(Reason::QUOTA_EXCEEDED, MEMORY_FULL)
    }

    /// Whether telling it would keep it: stored, queued, logged, or on its way to other reactors.
    fn would_keep(&self, s: &Source<'_>, route: &Route) -> bool {
        let queues = |slot: u32| self.homes.sessions.at(slot).is_some_and(Session::queues);
        (s.retain && !s.payload.is_empty())
            || route.is_durable()
            || route.remote != 0
            || route.groups.is_some()
            || route.targets.len() > crate::ingress::INLINE_RECEIVERS_MAX
            || route.targets.iter().any(|t| queues(t.session.slot))
    }

    /// Looks at the budget and acts on the level.
    pub(crate) fn feel(&mut self) {
        let level = self.homes.meter.level();
        let max = self.homes.limits.output_bytes_max;
        let pressed = if level == Level::Normal { max } else { max.min(PRESSED_OUTPUT_BYTES) };
        self.homes.output_bytes_max = pressed;
        if level != Level::Normal {
            self.homes.pool.release();
        }
        let Some(change) = self.homes.meter.take_change() else { return };
        let (level, bytes, bytes_max) = (change.level, change.bytes, self.homes.meter.bytes_max());
        if let Some(before) = change.before {
            if before == Level::Normal {
                self.homes.counters.pressures.add(1);
            }
            self.homes.notice(Notice::Pressure { before, level, bytes, bytes_max });
        }
    }

    /// Tells the account what is held at the end of a turn.
    pub(crate) fn tell_account(&mut self) {
        let held = self.homes.pool.lent_bytes()
            + self.perform.own_bytes()
            + self.fanout.bytes()
            + self.router.share.waiting() * size_of::<usize>()
            + self.handovers.len() * size_of::<crate::handover::Handover>();
        let connections = self.homes.links.len();
        let spare = self.homes.pool.spare_bytes();
        self.homes.meter.end(held, spare, connections);
        if self.homes.meter.level() != Level::Normal {
            // The end of the pressure must not wait for the next turn.
            self.homes.meter.weigh(self.retained.index_bytes());
        }
        self.feel();
    }

    /// Which reactors' posts are full now (bit n = reactor n).
    pub(crate) fn see_posts(&mut self, full_posts: u64) {
        let (begun, ended) = (full_posts & !self.full_posts, self.full_posts & !full_posts);
        self.full_posts = full_posts;
        if begun | ended == 0 {
            return;
        }
        self.homes.counters.posts_filled.add(u64::from(begun.count_ones()));
        let now_ms = self.homes.now.mono_ms;
        for reactor in 0..self.posts.len() {
            let bit = 1 << reactor;
            if begun & bit != 0
                && let Some(left_out) = self.post_line.say(now_ms, LINE_EVERY_MS)
            {
                self.told_posts |= bit;
                self.homes.notice(Notice::PostFull { reactor, left_out });
            }
            if ended & self.told_posts & bit != 0 {
                self.told_posts &= !bit;
                self.homes.notice(Notice::PostFree { reactor });
            }
        }
    }

    /// A publisher whose earlier messages wait is not read.
    pub(crate) fn pause(&mut self, origin: Origin, why: Pause) {
        if why == Pause::Post && !self.waiting_for_posts.contains(&origin) {
            self.waiting_for_posts.push(origin);
        }
        let now_ms = self.homes.now.mono_ms;
        let Some(link) = self.link_of(origin) else { return };
        let Some(l) = self.homes.links.at_mut(link) else { return };
        if l.flags.paused & why as u8 != 0 {
            return;
        }
        if l.flags.paused == 0 {
            l.extra.get_or_insert_default().paused_at_ms = now_ms;
        }
        l.flags.paused |= why as u8;
        self.homes.counters.pauses[why.place()].add(1);
        self.homes.counters.paused[why.place()].add(1);
    }

    pub(crate) fn unpause(&mut self, origin: Origin, why: Pause) {
        let now_ms = self.homes.now.mono_ms;
        let Some(link) = self.link_of(origin) else { return };
        let id = self.homes.link_id(link);
        if let Some(l) = self.homes.links.at_mut(link)
            && l.flags.paused & why as u8 != 0
        {
            l.flags.paused &= !(why as u8);
            l.last_seen_ms = now_ms;
            self.homes.counters.paused[why.place()].sub(1);
            if l.flags.paused == 0 {
                self.homes.effects.push(Effect::Resume(id));
            }
        }
    }

    fn link_of(&self, origin: Origin) -> Option<u32> {
        if origin.reactor as usize != self.homes.me {
            return None;
        }
        self.homes.sessions.get(origin.slot, origin.generation)?.link()
    }
}

pub(crate) const MEMORY_FULL: &str = "the server's memory for data is full; try again later";
/// Under pressure a connection's output holds no more than this: a socket's buffer's worth.
const PRESSED_OUTPUT_BYTES: usize = 64 * 1024;
/// Posts that fill and empty all the time are told of so often.
const LINE_EVERY_MS: u64 = 10_000;
