//! Sessions of an earlier run, as the log has them.
//!
//! Owns how a found session becomes a living one. Nobody is connected: whoever was is lost since
//! the stop (core.md 7).

use super::carried::{CarriedList, Carry, Stands};
use super::holding::Gap;
use super::{Durable, Exchanges, Given, Standing};
use crate::backlog::Backlog;
use crate::devices::DeviceSession;
use crate::journal::{
    self, FoundGroup, FoundSession, LastWill, Owner, Presence, Reached, SessionBegun, Subscription,
    UnderWay, Via,
};
use crate::now::Now;
use crate::session::{Session, State, Will};
use crate::shard::Shard;
use crate::share::Mail;
use crate::timers::Timer;
use broker::access::{Principal, Source};
use broker::share::Presence::Away;
use broker::subscription::{Receiver, Restoring};
use foldhash::fast::RandomState;
use hashbrown::HashSet;
use mqtt::qos::QoS;
use mqtt::session::{Exchange, Outbound, Received};
use mqtt::topic::{SharedFilter, TopicFilter};
use smallvec::SmallVec;
use std::sync::Arc;
use store::op::Sequence;

/// What a start has found for all reactors.
#[derive(Default)]
pub struct Found {
    /// What shared groups had done, whose home may be any reactor.
    pub groups: Vec<FoundGroup>,
    /// Records with several holders: no session releases them.
    pub shared: HashSet<Sequence, RandomState>,
    /// Messages carried forward for exchanges that are under way.
    pub carried: HashSet<Sequence, RandomState>,
}

impl Found {
    /// What of a replay is for all reactors; takes its groups.
    pub fn of(found: &mut journal::Found) -> Self {
        Self {
            groups: std::mem::take(&mut found.groups),
            shared: found.shared.iter().map(|(at, _)| *at).collect(),
            carried: found.carried.iter().copied().collect(),
        }
    }

    /// Whether the message of an exchange lies elsewhere than it was published.
    fn has_carried(&self, u: &UnderWay) -> bool {
        u.exchange != Exchange::Released && self.carried.contains(&u.sequence)
    }

    fn exchanges(&self, reached: &Reached, under_way: &[UnderWay]) -> Exchanges {
        let given = |u: &UnderWay| {
            let given = Given::found(u)?;
            Some(if self.has_carried(u) { given.carried_to(u.sequence) } else { given })
        };
        let mut carried = CarriedList::default();
        for u in under_way.iter().filter(|u| self.has_carried(u)) {
            let (packet_id, at) = (u.packet_id, u.sequence);
            carried.put(Carry { packet_id, from: at, stands: Stands::Told(at) });
        }
        let open = under_way.iter().filter(|u| u.exchange != Exchange::Released);
        Exchanges {
            received: reached.received().collect(),
            unloaded: open.map(|u| (u.packet_id, u.sequence)).collect(),
            by_group: under_way.iter().filter_map(given).collect(),
            carried,
            ..Exchanges::default()
        }
    }
}

/// What a start has found for one reactor.
pub struct Restored<'a> {
    /// The sessions at home there. They stay with whoever started: freed on many threads at once
    /// they would cost more than all else.
    pub sessions: &'a [FoundSession],
    /// What concerns all reactors.
    pub rest: &'a Found,
    /// Who the owner of a session is now; `None` = nobody has that name any more.
    pub principal: &'a dyn Fn(&Owner<'_>) -> Option<Arc<Principal>>,
    /// Nobody, who may nothing.
    pub nobody: Arc<Principal>,
}

impl Shard {
    /// Takes in sessions of an earlier run: before the first turn, while nobody publishes.
    /// Gives how many have to end: in the first turn, once every reactor has all of its own and a
    /// will finds whoever is to have it.
    pub fn restore(&mut self, r: &Restored<'_>, now: Now) -> usize {
        self.homes.now = now;
        let now_ms = now.wall_ms;
        let mut ended = 0;
        let end = Sequence(self.heard.up_to);
        self.homes.heard = end;
        self.homes.kept_groups.restore(&r.rest.groups, end);
        let mut timers = Vec::with_capacity(r.sessions.len());
        self.homes.reserve(r.sessions.len());
        self.router.index.reserve(r.sessions.len());
        let mut restoring = Restoring::default();
        for found in r.sessions {
            let now = found.now();
            let principal = (r.principal)(&now.owner);
            // Its session is about to end, and its will may not be sent.
            let owner = principal.as_ref().unwrap_or(&r.nobody);
            let (slot, due) =
                self.restore_one((found, &now), owner, (r.rest, &mut restoring), now_ms);
            timers.push((slot, due));
            let lists = self.homes.sessions.at_mut(slot).and_then(|s| s.durable.as_deref_mut());
            let has_steps = lists.is_some_and(|durable| {
                let has_steps = found.has_steps();
                durable.by_progress.retain(|at| !r.rest.shared.contains(at));
                has_steps
            });
            if has_steps {
                // Its next progress has them all, what it shares included, and lets them go: a
                // retained message among them may be of a topic that is gone soon.
                self.homes.changed(slot);
            }
            if principal.is_none() || now.expiry_s == 0 {
                ended += 1;
                self.end_in_first_turn(slot, now_ms);
            }
        }
        self.router.restored(restoring);
        self.homes.timers.arm_all(timers);
        self.perform.flush_needs();
        // A reactor that nobody speaks to has no turn.
        self.show();
        ended
    }

    fn end_in_first_turn(&mut self, slot: u32, now_ms: u64) {
        let Some(session) = self.homes.sessions.at_mut(slot) else { return };
        if let State::Detached { ends_at_ms, .. } = &mut session.state {
            *ends_at_ms = now_ms;
        }
        self.homes.arm(Timer::Session(slot), now_ms);
    }

    fn restore_one(
        &mut self,
        (found, now): (&FoundSession, &SessionBegun<'_>),
        principal: &Arc<Principal>,
        (rest, restoring): (&Found, &mut Restoring),
        now_ms: u64,
    ) -> (u32, u64) {
        let reached = found.reached();
        let end = Sequence(self.heard.up_to);
        let under_way: Vec<_> = reached.under_way().collect();
        let mut durable = Durable::new(found.id, end, self.homes.meter.queued.hold());
        durable.first = found.first;
        durable.by_snapshot = found.by_snapshot().collect();
        durable.by_progress = found.by_progress().collect();
        durable.backlog =
            Backlog::behind(reached.cursor(), end, Default::default(), reached.dropped());
        // What is under way comes by itself, not by reading on.
        let mut done = reached.done().clone();
        let own = under_way.iter().filter(|u| u.via == Via::Own);
        own.for_each(|u| done.add(u.sequence));
        let oldest = under_way.iter().filter(|u| {
            u.exchange != Exchange::Released && u.via == Via::Own && !rest.has_carried(u)
        });
        let oldest = oldest.map(|u| u.sequence.0 - 1).min().unwrap_or(u64::MAX);
        let needed = Sequence(reached.cursor().0.min(oldest));
        let gap = Gap::of(reached.done(), needed, None);
        let exchanges = Exchanges { gap, ..rest.exchanges(&reached, &under_way) };
        let by_group = exchanges.by_group.iter().filter_map(|g| g.hold());
        by_group.for_each(|need| self.perform.need(need));
        durable.exchanges = Some(Box::new(exchanges));
        durable.had_finished(reached.finished(), self.homes.now.mono_ms);
        durable.shrink();
        durable.backlog.knows(done);
        let (state, due) = state(now, now_ms);
        let principal = Arc::clone(principal);
        if principal.source != Source::Anonymous {
            // They were let in under the bound.
            let _ = self.homes.quota.begin(&principal.name);
        }
        let will =
            now.will.as_ref().map(|will| Box::new(restored(will).charged(&self.homes.meter)));
        let session = Session {
            state,
            client: found.client(),
            principal,
            version: now.version,
            expiry_s: now.expiry_s,
            packet_max: u32::MAX,
            measured: false,
            window: 1,
            filters: SmallVec::new(),
            shares: None,
            outbound: Outbound::restore(under_way.iter().map(|u| (u.packet_id, u.exchange))),
            received: Received::restore(reached.received()),
            queue: None,
            resend: None,
            will,
            durable: Some(Box::new(durable)),
            losses: None,
            device: device(now),
        };
        let slot = self.homes.add_session(session);
        for subscription in &now.subscriptions {
            self.restore_subscription(slot, subscription, needed, restoring);
        }
        self.homes.see_late(slot);
        (slot, due)
    }

    fn restore_subscription(
        &mut self,
        slot: u32,
        s: &Subscription<'_>,
        needed: Sequence,
        restoring: &mut Restoring,
    ) {
        let device = self.homes.sessions.at(slot).and_then(|session| session.device.as_ref());
        if device.is_some_and(|device| device.has(s.filter)) {
            return;
        }
        let is_held = s.options.qos() > QoS::AtMostOnce;
        let text: Arc<str> = s.filter.into();
        if is_held {
            self.router.adopt(&text, s.stream, restoring);
        }
        if let Ok(Some(shared)) = SharedFilter::parse(s.filter) {
            let kept = is_held.then_some((s.stream, s.since));
            let options = (s.options, s.subscription_id);
            let member = self.join_since(slot, s.filter, shared.filter, options, kept);
            // Nobody is there: else its group would give it what it cannot take, again and again.
            self.homes.shares.mail.push((member, Mail::Presence(Away)));
            return;
        }
        let Ok(filter) = TopicFilter::parse(s.filter) else { return };
        let session = self.homes.session_ref(slot);
        let (options, subscription_id) = (s.options, s.subscription_id);
        let receiver = Receiver { session, options, subscription_id, since: 0 };
        let done = self.router.index.subscribe_as(filter, || text, receiver);
        if done.first_for_filter {
            self.router.want_restored(filter.as_str(), restoring);
        }
        let Some(session) = self.homes.sessions.at_mut(slot) else { return };
        session.filters.push(done.filter_id);
        if let Some(durable) = session.durable.as_deref_mut().filter(|_| is_held) {
            durable.has_no_local |= options.no_local();
            let mut standing = Standing::new(done.filter_id, s.stream, s.since);
            standing.stands = needed.max(s.since);
            standing.hold(durable.exchanges().gap).for_each(|need| self.perform.need(need));
            durable.streams.push(standing);
        }
    }
}

/// Whether it waits, and for how long: the state, and when to look at it.
fn state(now: &SessionBegun<'_>, now_ms: u64) -> (State, u64) {
    let after = |from_ms: u64, s: u32| match s {
        u32::MAX => u64::MAX,
        s => from_ms.saturating_add(u64::from(s) * 1_000),
    };
    let (ends_at_ms, will_at_ms) = match now.presence {
        Presence::Detached { ends_at_ms, will_at_ms } => (ends_at_ms, will_at_ms),
        Presence::Connected => {
            // Lost at this start, as nobody knows when the connection ended; its will waits for who
            // comes back soon.
            let will_s = now.will.as_ref().map(|w| w.delay_s.max(WILL_DELAY_MIN_S));
            let will_at_ms = will_s.map_or(u64::MAX, |s| after(now_ms, s));
            (after(now_ms, now.expiry_s), will_at_ms)
        }
    };
    (State::Detached { ends_at_ms, will_at_ms }, ends_at_ms.min(will_at_ms))
}

/// What a device's session hears of.
fn device(now: &SessionBegun<'_>) -> Option<Box<DeviceSession>> {
    let is_device = now.owner.source == Source::Device;
    let found = || DeviceSession::found(now.client, now.version, &now.subscriptions);
    is_device.then(found).flatten().map(Box::new)
}

fn restored(will: &LastWill<'_>) -> Will {
    Will { message: will.content.to_message(), delay_s: will.delay_s, charge: None }
}

/// Clients get so long to come back after a start before their wills are sent (core.md 7).
const WILL_DELAY_MIN_S: u32 = 30;
