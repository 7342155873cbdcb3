//! What was dropped at a kept group's bound is let go of in the log, members or none, and what an
//! earlier run has left is counted: both by numbers only. Refuses to know who reads them.

use super::kept::KeptGroup;
use crate::durable::{Aim, Listed, Listing, ReadJob, Whose, worth_with_others};
use crate::shard::Shard;
use broker::limits::{Limits, QueueFull};
use broker::share::GroupRef;
use std::sync::Arc;
use store::log::{Cursor, ReadEnd};
use store::op::Sequence;

impl KeptGroup {
    /// Where to read numbers on, if these come before messages: to count what an earlier run has
    /// left, or to read over what was dropped.
    fn begin_list(&mut self, limits: &Limits) -> Option<(Box<Cursor>, Aim)> {
        if self.moves.is_any() {
            return None;
        }
        let (after, aim) = if self.backlog.may_be_over(limits.session_queue_messages_max) {
            let (after, up_to) = self.backlog.begin_count()?;
            (after, Aim::Count { up_to, so_far: 0 })
        } else {
            let worth = worth_with_others(limits);
            let (after, dropped) = self.backlog.begin_let_go(worth)?;
            (after, Aim::LetGo(dropped))
        };
        Some((self.cursor_behind(after), aim))
    }

    /// Reads over messages that were dropped; false if one of these was not.
    fn let_go(&mut self, all: &[Listed]) -> bool {
        all.iter().all(|one| match self.is_known(one.sequence) {
            true => {
                self.backlog.is_at(one.sequence);
                true
            }
            false => self.backlog.let_go(one.sequence),
        })
    }

    /// How many of these wait or were dropped.
    fn count(&self, all: &[Listed], up_to: Sequence) -> u64 {
        let counts = |one: &&Listed| {
            let at = one.sequence;
            at <= up_to && !self.is_known(at) && self.backlog.counts(at)
        };
        all.iter().filter(counts).count() as u64
    }
}

impl Shard {
    /// Begins a read of numbers, where that comes before messages.
    pub(super) fn list_for_group(&mut self, group: GroupRef) -> bool {
        let limits = Arc::clone(&self.homes.limits);
        let Some(kept) = self.homes.kept_groups.get(group) else { return false };
        let Some((cursor, aim)) = kept.begin_list(&limits) else { return false };
        self.list_on(group, cursor, aim);
        true
    }

    fn list_on(&mut self, group: GroupRef, cursor: Box<Cursor>, aim: Aim) {
        let account = Arc::clone(self.homes.meter.account());
        let listing = Listing { aim, own: None };
        let job = ReadJob::of_numbers(Whose::Group(group), cursor, listing, account);
        self.homes.effects.push(job.into());
    }

    /// Numbers that were read for a group.
    pub(super) fn group_listed(
        &mut self,
        group: GroupRef,
        cursor: Box<Cursor>,
        (aim, listed): (Aim, Vec<Listed>),
        end: ReadEnd,
    ) {
        let Some(kept) = self.homes.kept_groups.get(group) else { return };
        match aim {
            Aim::LetGo(_) if kept.let_go(&listed) => kept.end_read(end, cursor),
            Aim::LetGo(_) => kept.backlog.forget_read(),
            Aim::Count { up_to, so_far } => {
                let so_far = so_far + kept.count(&listed, up_to);
                let is_on = listed.last().is_some_and(|last| last.sequence < up_to);
                if end == ReadEnd::More && is_on {
                    return self.list_on(group, cursor, Aim::Count { up_to, so_far });
                }
                kept.backlog.counted(so_far);
                kept.weigh();
                self.hold_group_to_bound(group);
            }
        }
        self.homes.kept_groups.want(group);
        self.homes.arm_progress();
    }

    fn hold_group_to_bound(&mut self, group: GroupRef) {
        let goes = self.homes.limits.queue_full;
        if matches!(goes, QueueFull::DropOldest | QueueFull::EndSession) {
            let waiting = self.router.share.waiting_in(group);
            self.handing_out().left(group, waiting, 0);
        }
    }
}
