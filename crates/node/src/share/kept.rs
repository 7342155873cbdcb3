//! Shared groups that the log keeps: their messages wait there, and what nobody has finished is
//! offered again after a restart (core.md 9).
//!
//! Owns how far each group of this reactor is in its stream. Each message that a group takes is
//! its own copy, so that it is over when nobody has it any more: handed out and acknowledged,
//! expired or dropped. Refuses to know members and turns.

use super::before::Before;
use super::carrying::Moves;
use crate::backlog::{Backlog, Push, Read, Waiting};
use crate::durable::{LIVE_BYTES, LIVE_MESSAGES};
use crate::journal::{FoundGroup, GroupProgress};
use crate::meter::{Held, Sum};
use broker::budget::Account;
use broker::publication::Publication;
use broker::share::{GroupRef, KeptJoin, MemberId};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use mqtt::qos::QoS;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use store::log::{Cursor, Need, ReadEnd, StreamId};
use store::op::Sequence;

/// The kept groups of one reactor.
pub(crate) struct KeptGroups {
    all: HashMap<GroupRef, KeptGroup, RandomState>,
    /// Of which member each is.
    members: HashMap<MemberId, GroupRef, RandomState>,
    /// What an earlier run has done, by stream, until somebody is there for it.
    found: HashMap<StreamId, FoundGroup, RandomState>,
    /// The log's end at start.
    end: Sequence,
    /// Groups that may have something to read.
    wanted: Vec<GroupRef>,
    /// How many groups have enough in memory.
    parked: usize,
}

/// Whether a group is to be looked at for what it has to read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// There is nothing, or it is under way.
    Idle,
    /// It is among those that may have something.
    Wanted,
    /// Members have to take something of what waits in memory first.
    Parked,
}

/// One group.
pub(crate) struct KeptGroup {
    pub stream: StreamId,
    since: Sequence,
    /// As the log was told last.
    stands: Sequence,
    pub backlog: Backlog,
    /// What was taken, ascending.
    pub(super) open: VecDeque<Taken>,
    /// What of it is carried forward.
    pub(super) moves: Moves,
    /// What an earlier run had done.
    before: Option<Before>,
    members: usize,
    /// The record of its progress.
    pub record: Option<Sequence>,
    pub cursor: Option<Box<Cursor>>,
    bytes: Held,
    pub is_changed: bool,
    reading: Reading,
}

/// A message that was taken.
pub(super) struct Taken {
    pub sequence: Sequence,
    /// Tells whether it is over.
    pub left: Weak<Publication>,
    /// As it was published.
    pub qos: QoS,
}

impl Default for KeptGroups {
    fn default() -> Self {
        Self {
            all: HashMap::default(),
            members: HashMap::default(),
            found: HashMap::default(),
            end: Sequence(0),
            wanted: Vec::new(),
            parked: 0,
        }
    }
}

impl KeptGroups {
    /// What an earlier run has left.
    pub fn restore(&mut self, found: &[FoundGroup], end: Sequence) {
        self.found = found.iter().map(|group| (group.progress.stream, group.clone())).collect();
        self.end = end;
    }

    /// A membership that the log keeps.
    pub fn join(&mut self, join: &KeptJoin, heard: Sequence, queued: &Sum) -> Option<Need> {
        let is_new = self.members.insert(join.member, join.group).is_none();
        if let Some(group) = self.all.get_mut(&join.group) {
            group.members += usize::from(is_new);
            return None;
        }
        let found = self.found.remove(&join.stream);
        // What is found is held since the log was opened.
        let is_found = found.is_some();
        let group = KeptGroup::new(join, found, (self.end, heard), queued.hold());
        let (stream, after) = (group.stream, group.stands);
        self.all.insert(join.group, group);
        self.want(join.group);
        (!is_found).then_some(Need::Hold { stream, after })
    }

    /// A member has left. With the last one its group is kept no more: how many messages that are
    /// in the log only are lost with it.
    pub fn leave(&mut self, member: MemberId, mut need: impl FnMut(Need)) -> u64 {
        let Some(name) = self.members.remove(&member) else { return 0 };
        let Some(group) = self.all.get_mut(&name) else { return 0 };
        group.members -= 1;
        if group.members > 0 {
            return 0;
        }
        let lost = group.backlog.waiting().messages;
        let (stream, after) = (group.stream, group.stands);
        need(Need::Leave { stream, after });
        group.record.into_iter().for_each(|at| need(Need::Release(at)));
        self.parked -= usize::from(group.reading == Reading::Parked);
        self.all.remove(&name);
        lost
    }

    pub fn get(&mut self, group: GroupRef) -> Option<&mut KeptGroup> {
        self.all.get_mut(&group)
    }

    /// A group may have something to read.
    pub fn want(&mut self, name: GroupRef) {
        let Some(group) = self.all.get_mut(&name) else { return };
        match std::mem::replace(&mut group.reading, Reading::Wanted) {
            Reading::Wanted => return,
            Reading::Parked => self.parked -= 1,
            Reading::Idle => {}
        }
        self.wanted.push(name);
    }

    /// The next group that may have something to read.
    pub fn next_wanted(&mut self) -> Option<GroupRef> {
        let name = self.wanted.pop()?;
        if let Some(group) = self.all.get_mut(&name) {
            group.reading = Reading::Idle;
        }
        Some(name)
    }

    /// Enough of a group waits in memory.
    pub fn park(&mut self, name: GroupRef) {
        let Some(group) = self.all.get_mut(&name) else { return };
        if group.reading == Reading::Idle {
            group.reading = Reading::Parked;
            self.parked += 1;
        }
    }

    /// A member has taken something of what waited in memory.
    pub fn handed(&mut self, member: MemberId) {
        if self.parked == 0 {
            return;
        }
        if let Some(name) = self.members.get(&member).copied() {
            self.unpark(name);
        }
    }

    /// Something of what waited for a group in memory is gone.
    pub fn unpark(&mut self, name: GroupRef) {
        let is_parked = |g: &KeptGroup| g.reading == Reading::Parked;
        if self.parked > 0 && self.all.get(&name).is_some_and(is_parked) {
            self.want(name);
        }
    }

    /// Something of what waited in memory has expired, nobody knows of whom.
    pub fn unpark_all(&mut self) {
        if self.parked > 0 {
            let parked = self.all.iter().filter(|(_, g)| g.reading == Reading::Parked);
            let parked: Vec<GroupRef> = parked.map(|(name, _)| *name).collect();
            parked.into_iter().for_each(|name| self.want(name));
        }
    }

    /// All of them.
    pub fn all(&mut self) -> impl Iterator<Item = (GroupRef, &mut KeptGroup)> {
        self.all.iter_mut().map(|(name, group)| (*name, group))
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

impl KeptGroup {
    fn new(
        join: &KeptJoin,
        found: Option<FoundGroup>,
        (start, heard): (Sequence, Sequence),
        bytes: Held,
    ) -> Self {
        let (stream, mut since) = (join.stream, join.since);
        let mut backlog = Backlog::live(heard.max(since));
        let (mut before, mut record, mut stands) = (None, None, since);
        let mut is_changed = false;
        if let Some(found) = found {
            // The group of an earlier run: what nobody has finished is read again.
            let cursor = found.cursor();
            let GroupProgress { stream: _, taken, dropped, open, done } = found.progress;
            (record, is_changed) = (found.at, found.is_behind);
            let (open, done) = (open.into_iter().collect(), done.into_iter().collect());
            before = Some(Before { taken, open, done });
            // A member that came later was granted it later.
            (stands, since) = (cursor, since.min(cursor));
            backlog = Backlog::behind(cursor, start, Waiting::default(), dropped);
        }
        let (open, cursor) = (VecDeque::new(), None);
        let (members, reading) = (1, Reading::Idle);
        Self {
            stream,
            since,
            stands,
            backlog,
            open,
            moves: Moves::default(),
            before,
            members,
            record,
            cursor,
            bytes,
            is_changed,
            reading,
        }
    }

    /// A message came in the order of the log: the group's own copy, if it takes it now.
    pub fn push(
        &mut self,
        p: &Arc<Publication>,
        waiting: (usize, usize),
        account: &Arc<Account>,
    ) -> Pushed {
        let sequence = Sequence(p.sequence());
        let room = waiting.0 < LIVE_MESSAGES && waiting.1 < LIVE_BYTES;
        match self.backlog.push(sequence, p.bytes(), room) {
            Push::Known => Pushed::Done,
            Push::Take => Pushed::Take(self.take(p, account)),
            Push::Leave => {
                self.weigh();
                Pushed::Left
            }
        }
    }

    /// A message that was left comes back.
    pub fn read(
        &mut self,
        p: &Arc<Publication>,
        account: &Arc<Account>,
    ) -> Option<Arc<Publication>> {
        let sequence = Sequence(p.sequence());
        if self.is_known(sequence) {
            self.backlog.pass(sequence);
            return None;
        }
        match self.backlog.read(sequence, p.bytes()) {
            Read::Drop => None,
            Read::Take => Some(self.take(p, account)),
        }
    }

    /// A read has ended.
    pub fn end_read(&mut self, end: ReadEnd, cursor: Box<Cursor>) {
        let keeps_up = !self.backlog.end_read(end);
        let taken = self.backlog.taken();
        if keeps_up || self.before.as_ref().is_some_and(|before| before.is_behind(taken)) {
            self.before = None;
        }
        self.cursor = Some(cursor);
        self.is_changed = true;
        self.weigh();
    }

    /// Where to read on, if there is something to read.
    pub fn begin_read(&mut self) -> Option<Box<Cursor>> {
        if self.moves.is_any() {
            // It is not known yet where they will be met.
            return None;
        }
        let after = self.backlog.begin_read(false)?;
        Some(self.cursor_behind(after))
    }

    /// Where reading goes on behind `after`.
    pub(super) fn cursor_behind(&mut self, after: Sequence) -> Box<Cursor> {
        let cursor = self.cursor.take().filter(|c| c.after == after);
        cursor.unwrap_or_else(|| Box::new(Cursor::new(after, [(self.stream, self.since)])))
    }

    /// Whether nobody is to get it from here.
    pub(super) fn is_known(&self, at: Sequence) -> bool {
        self.moves.has(at) || self.before.as_ref().is_some_and(|before| before.is_done(at))
    }

    /// What it has done, and what need not be kept for it.
    pub fn progress(&mut self) -> (GroupProgress, Option<Need>) {
        self.is_changed = false;
        self.open.retain(|one| one.left.strong_count() > 0);
        let taken = self.backlog.taken();
        self.moves.pass(taken);
        let known = self.open.iter().map(|one| one.sequence);
        // What was carried beyond is found there, but for what is over.
        let mut open: Vec<Sequence> = known.take_while(|at| *at <= taken).collect();
        let over = self.moves.beyond().filter(|at| self.place_of(*at).is_err()).collect();
        if let Some(before) = &self.before {
            // What has not been read again is as it was.
            open.extend(before.open.range(Sequence(taken.0 + 1)..));
            let taken = taken.max(before.taken);
            let done = before.done.range(Sequence(taken.0 + 1)..).copied().collect();
            return (self.tell(taken, open, done), None);
        }
        let to = open.first().map_or(taken, |first| Sequence(first.0 - 1));
        let (stream, from) = (self.stream, self.stands);
        let need = (from < to).then_some(Need::Advance { stream, from, to });
        self.stands = from.max(to);
        (self.tell(taken, open, over), need)
    }

    /// Where a message is among those that are open.
    pub(super) fn place_of(&self, at: Sequence) -> Result<usize, usize> {
        self.open.binary_search_by_key(&at, |one| one.sequence)
    }

    /// Whether something is over that the log does not know.
    pub fn look(&mut self) {
        self.is_changed |= self.open.iter().any(|one| one.left.strong_count() == 0);
    }

    /// Whether somebody has something of it.
    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether messages may be carried forward: the group knows its whole stream so far as it has
    /// come, and is not about to meet more.
    pub(super) fn can_carry(&self) -> bool {
        self.before.is_none() && !self.moves.is_any() && !self.backlog.is_reading()
    }

    /// The message that was left last is dropped as the newest. It comes again after a restart.
    pub fn skip_newest(&mut self, bytes: usize) {
        self.backlog.skip_newest(bytes);
    }

    /// What waits in the log has changed.
    pub fn weigh(&mut self) {
        self.bytes.set(self.backlog.waiting().bytes as usize);
    }

    fn tell(&self, taken: Sequence, open: Vec<Sequence>, done: Vec<Sequence>) -> GroupProgress {
        GroupProgress { stream: self.stream, taken, dropped: self.backlog.dropped(), open, done }
    }

    fn take(&mut self, p: &Arc<Publication>, account: &Arc<Account>) -> Arc<Publication> {
        let mut own = p.own();
        own.charge_to(account);
        let own = Arc::new(own);
        let (sequence, left) = (Sequence(p.sequence()), Arc::downgrade(&own));
        let place = self.open.partition_point(|other| other.sequence < sequence);
        self.open.insert(place, Taken { sequence, left, qos: p.message.qos() });
        self.is_changed = true;
        own
    }
}

/// What became of a message that was pushed.
pub(crate) enum Pushed {
    /// It is the group's.
    Take(Arc<Publication>),
    /// It stays in the log.
    Left,
    /// It was read before.
    Done,
}
