//! QoS 1 messages that a group has given and that are under way for long are carried forward in its
//! stream: written again behind others, so that the log need not keep all that came behind them.
//! The group may offer them again at any time, so they stay its own.
//!
//! Owns when that is and what follows. What a session has at QoS 2 is its own to carry
//! (`durable/carrying`), as nobody else may get it (MQTT 5, 4.8.2-5). A QoS 2 message that a member
//! has at QoS 1 may still become somebody's at QoS 2, where two places of it would be two messages:
//! it stays where it is.

use super::kept::KeptGroup;
use crate::journal::{Carried, CarriedFor, Content, Entry};
use crate::shard::Shard;
use crate::waiting::Completion;
use broker::limits::Limits;
use broker::publication::Publication;
use broker::share::GroupRef;
use mqtt::qos::QoS;
use std::collections::BTreeSet;
use std::sync::Arc;
use store::log::StreamId;
use store::op::Sequence;

/// What of a group is on its way forward, or was.
pub(super) struct Moves {
    /// Where messages lie that are being written again.
    moving: Vec<Sequence>,
    /// Where those lie that were, as far as the group has not come there.
    ahead: BTreeSet<Sequence>,
    /// Messages up to here were taken at the last look.
    mark: Sequence,
    due_ms: u64,
}

impl Default for Moves {
    fn default() -> Self {
        let (moving, ahead) = (Vec::new(), BTreeSet::new());
        Self { moving, ahead, mark: Sequence(0), due_ms: 0 }
    }
}

impl Moves {
    /// Whether the group's own message is met in its stream.
    pub fn has(&self, at: Sequence) -> bool {
        self.ahead.contains(&at)
    }

    /// Those that the group has not met.
    pub fn beyond(&self) -> impl Iterator<Item = Sequence> {
        self.ahead.iter().copied()
    }

    /// Whether one is on its way.
    pub fn is_any(&self) -> bool {
        !self.moving.is_empty()
    }

    /// The group has come so far in its stream.
    pub fn pass(&mut self, taken: Sequence) {
        if !self.ahead.is_empty() {
            self.ahead = self.ahead.split_off(&Sequence(taken.0 + 1));
        }
    }
}

impl KeptGroup {
    /// Messages to be carried forward now: under way for two looks, and far behind.
    fn late(&mut self, now_ms: u64, limits: &Limits) -> Vec<(Sequence, Arc<Publication>)> {
        let taken = self.backlog.taken();
        if now_ms < self.moves.due_ms || !self.can_carry() {
            return Vec::new();
        }
        let (mut late, mut bytes) = (Vec::new(), 0);
        let mark = self.moves.mark;
        let old = self.open.iter().take_while(|one| one.sequence <= mark);
        for one in old.filter(|one| one.qos == QoS::AtLeastOnce) {
            let behind_max = limits.carried_behind_records_max as u64;
            if taken.0.saturating_sub(one.sequence.0) <= behind_max {
                break;
            }
            if bytes > BYTES_AT_ONCE {
                // The rest the next time.
                return late;
            }
            if let Some(publication) = one.left.upgrade() {
                bytes += publication.bytes();
                late.push((one.sequence, publication));
            }
        }
        (self.moves.mark, self.moves.due_ms) =
            (taken, now_ms + u64::from(limits.carried_after_s) * 1_000);
        late
    }

    /// A message lies at `at` too; `None` = it could not be written.
    fn moved(&mut self, from: Sequence, at: Option<Sequence>) {
        self.moves.moving.retain(|moving| *moving != from);
        let Some(at) = at else { return };
        if at > self.backlog.taken() {
            self.moves.ahead.insert(at);
        }
        let Ok(place) = self.place_of(from) else { return };
        let Some(mut one) = self.open.remove(place) else { return };
        // Over meanwhile, it needs no place.
        if let Some(publication) = one.left.upgrade() {
            publication.settled_at(at.0);
            one.sequence = at;
            let place = self.open.partition_point(|other| other.sequence < at);
            self.open.insert(place, one);
        }
        self.is_changed = true;
    }
}

impl Shard {
    /// Carries forward what members have had under way for long.
    pub(super) fn carry_groups(&mut self) {
        let Self { homes, perform, .. } = self;
        let (now_ms, limits) = (homes.now.mono_ms, Arc::clone(&homes.limits));
        for (group, kept) in homes.kept_groups.all() {
            let stream = kept.stream;
            for (from, publication) in kept.late(now_ms, &limits) {
                kept.moves.moving.push(from);
                let content = Content::of(&publication.message);
                let whose = CarriedFor::Stream;
                let deadline_ms = publication.deadline_ms;
                let entry = Entry::Carried(Carried { content, deadline_ms, whose });
                let then = Completion::Carried(group, stream, from);
                perform.write_to(stream, &entry, then);
            }
        }
    }

    /// A message lies in its group's stream again; `None`: the disk has not taken it.
    pub(crate) fn group_carried(
        &mut self,
        (group, stream, from): (GroupRef, StreamId, Sequence),
        at: Option<Sequence>,
    ) {
        if at.is_some() {
            self.homes.counters.carried.add(1);
        }
        let kept_groups = &mut self.homes.kept_groups;
        if let Some(kept) = kept_groups.get(group).filter(|kept| kept.stream == stream) {
            kept.moved(from, at);
            kept_groups.want(group);
        }
        self.homes.arm_progress();
    }
}

/// So many bytes of a group are carried in one turn, and one message more.
const BYTES_AT_ONCE: usize = 4 << 20;
