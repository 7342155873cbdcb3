//! What was dropped at a kept group's bound is let go of in the log, members or none, and what an
//! earlier run has left is counted: both by numbers only. Refuses to know who reads them.

use crate::durable::{Aim, Listed, Listing, ReadJob, Whose};
use crate::shard::Shard;
use broker::limits::QueueFull;
use broker::share::GroupRef;
use std::sync::Arc;
use store::log::{Cursor, ReadEnd};

impl Shard {
    /// Begins a read of numbers, where that comes before messages.
    pub(super) fn list_for_group(&mut self, group: GroupRef) -> bool {
        let messages_max = self.homes.limits.session_queue_messages_max;
        let Some(kept) = self.homes.kept_groups.get(group) else { return false };
        let Some((cursor, aim)) = kept.begin_list(messages_max) else { return false };
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
