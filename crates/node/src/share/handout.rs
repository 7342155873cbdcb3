//! A group's home: each message goes to one member, at once or when somebody has credit.
//!
//! Owns the way from a group to its members and back, on this reactor and others. Whose turn it
//! is, is `broker::share`'s to know.

use super::Mail;
use crate::counters::Loss;
use crate::homes::Homes;
use crate::post::PublishBatch;
use crate::shard::Shard;
use broker::publication::Publication;
use broker::router::Router;
use broker::share::{GroupRef, Handout, MemberId, Offer};
use mqtt::qos::QoS;
use std::sync::Arc;

/// What handing out needs of a shard.
pub(crate) struct HandingOut<'s> {
    pub homes: &'s mut Homes,
    pub router: &'s mut Router,
    pub posts: &'s mut [PublishBatch],
    pub full_posts: u64,
}

impl HandingOut<'_> {
    /// A new message for a group.
    pub fn offer(&mut self, group: GroupRef, publication: &Arc<Publication>) {
        if let Some(own) = self.take_kept(group, publication) {
            self.offer_own(group, own);
        }
    }

    /// The same for one that is the group's by now.
    pub(super) fn offer_own(&mut self, group: GroupRef, publication: Arc<Publication>) {
        let limits = Arc::clone(&self.homes.limits);
        match self.router.share.offer(group, publication, &limits) {
            Offer::Hand(handout) => self.hand(handout),
            Offer::Waits { dropped } => {
                self.homes.counters.lose_many(Loss::QueueFull, dropped as u64);
                self.make_room(group);
            }
            Offer::Nobody => self.homes.counters.lose(Loss::Absent),
        }
    }

    /// At the namespace's bound a group gives its oldest, whatever the policy for sessions is:
    /// nobody's session could end for it, and the publish was accepted.
    fn make_room(&mut self, group: GroupRef) {
        self.homes.group_bytes.set(self.router.share.waiting_bytes());
        while self.homes.meter.is_namespace_full(0) && self.router.share.shed(group) {
            self.homes.kept_groups.unpark(group);
            self.homes.counters.lose(Loss::NamespaceFull);
            self.homes.group_bytes.set(self.router.share.waiting_bytes());
        }
    }

    /// Hands out what waits, at most `max` messages; whether more could go at once.
    fn pump(&mut self, max: usize) -> bool {
        let now_ms = self.homes.now.wall_ms;
        let mut expired = 0;
        for _ in 0..max {
            match self.router.share.next(now_ms, &mut expired) {
                Some(handout) => {
                    self.homes.kept_groups.handed(handout.member);
                    self.hand(handout);
                }
                None => break,
            }
        }
        if expired > 0 {
            self.homes.kept_groups.unpark_all();
        }
        self.homes.counters.lose_many(Loss::Expired, expired);
        self.router.share.can_go_on()
    }

    fn hand(&mut self, h: Handout) {
        let reactor = h.member.reactor();
        if reactor == self.homes.me {
            return self.homes.take_in(h);
        }
        let Some(batch) = self.posts.get_mut(reactor) else { return };
        if h.qos == QoS::AtMostOnce && self.full_posts & (1 << reactor) != 0 {
            return self.homes.counters.lose(Loss::PostFull);
        }
        // Above QoS 0 the members' credit bounds what is on its way.
        batch.handouts.push(h);
    }

    /// News of a member.
    fn hear(&mut self, member: MemberId, mail: Mail) {
        if matches!(mail, Mail::Left) {
            let Homes { kept_groups, needs, counters, .. } = &mut *self.homes;
            let lost = kept_groups.leave(member, |need| needs.push(need));
            counters.lose_many(Loss::SessionEnded, lost);
        }
        let groups = &mut self.router.share;
        let counters = &self.homes.counters;
        match mail {
            // Whoever takes in mail has taken in those who joined.
            Mail::Joined => {}
            Mail::Presence(presence) => groups.set(member, presence),
            Mail::Finished(count) => groups.finished(member, count),
            Mail::Returned(all) => {
                counters.shared_returned.add(all.len() as u64);
                let lost = groups.returned(member, all);
                counters.lose_many(Loss::SessionEnded, lost.len() as u64);
            }
            Mail::PassedOn(publication) => match groups.pass_on(member, publication) {
                Some(handout) => {
                    counters.shared_returned.add(1);
                    self.hand(handout);
                }
                None => counters.lose(Loss::Absent),
            },
            Mail::Left => {
                if let Some(ended) = groups.leave(member) {
                    counters.lose_many(Loss::SessionEnded, ended.dropped as u64);
                    self.router.index.touch(&ended.filter);
                }
            }
        }
    }
}

impl Shard {
    pub(crate) fn handing_out(&mut self) -> HandingOut<'_> {
        let Self { homes, router, posts, full_posts, .. } = self;
        HandingOut { homes, router, posts, full_posts: *full_posts }
    }

    /// What members elsewhere have sent, and what groups elsewhere hand out.
    pub(crate) fn share_post(&mut self, batch: &mut PublishBatch) {
        for handout in batch.handouts.drain(..) {
            self.homes.take_in(handout);
        }
        let mut here = self.handing_out();
        for (member, mail) in batch.mail.drain(..) {
            here.hear(member, mail);
        }
    }

    /// Members' news go to their groups; groups hand out what has become possible.
    pub(crate) fn share_turn(&mut self) {
        let max = self.homes.limits.fanout_per_turn_max;
        self.read_groups();
        for _ in 0..ROUNDS_MAX {
            self.send_share_mail();
            if !self.router.share.can_go_on() {
                break;
            }
            self.handing_out().pump(max);
        }
        let counters = &self.homes.counters;
        counters.shared_groups.set(self.router.share.len() as u64);
        counters.shared_waiting.set(self.router.share.waiting() as u64);
        self.homes.group_bytes.set(self.router.share.waiting_bytes());
    }

    /// Whether groups have more to do at once.
    pub(crate) fn shares_left(&self) -> bool {
        self.router.share.can_go_on() || !self.homes.shares.mail.is_empty()
    }

    /// News of members here, to groups here and elsewhere.
    pub(crate) fn send_share_mail(&mut self) {
        while !self.homes.shares.mail.is_empty() {
            for (member, mail) in std::mem::take(&mut self.homes.shares.mail) {
                if member.home() == self.homes.me {
                    self.handing_out().hear(member, mail);
                } else if let Some(batch) = self.posts.get_mut(member.home()) {
                    batch.mail.push((member, mail));
                }
            }
        }
    }
}

/// A message that a member cannot take after all goes to the next in the same turn; whatever goes
/// round more often waits for the next.
const ROUNDS_MAX: usize = 2;
