//! What a start finds: every held record, in the order of the log, added up to what is there.
//!
//! Owns which record overtakes which, and what becomes of each: it is needed, it says that
//! something is gone, or it means nothing any more. Released records that come back change nothing
//! but the lists of such records. Refuses to know segments, and what to do with what was found: it
//! decides nothing, not even that a session's time is over.
//!
//! The entries of sessions are kept as they lie in the log and read again when they are asked for:
//! a million sessions are found at once, and most of them sleep.

mod groups;
#[cfg(test)]
mod history;
#[cfg(test)]
mod holders;
mod needs;
mod requests;
mod retained;
mod session;
mod sessions;

pub use groups::FoundGroup;
pub use requests::FoundRequest;
pub use retained::FoundRetained;
pub use session::FoundSession;
pub use sessions::Replaced;

use super::carried::{Carried, CarriedFor};
use super::clock::Clock;
use super::entry::{BadEntry, Entry};
use super::group_progress::GroupProgress;
use super::message::Message;
use super::publisher::Publisher;
use super::session_id::SessionId;
use groups::Groups;
use needs::Needs;
use requests::Requests;
use retained::{Removals, Topics};
use sessions::{Living, Sessions};
use std::collections::BTreeMap;
use store::log::{Hold, Kind, Record, StreamId};
use store::op::Sequence;

/// Adds up the held records of one namespace.
#[derive(Default)]
pub struct Replay {
    sessions: Sessions,
    topics: Topics,
    requests: Requests,
    groups: Groups,
    devices: hub::registry::Replay,
    channel: hub::channel::Replay,
    feedback: hub::feedback::Replay,
    jobs: hub::job::Replay,
    clock: Option<(u64, Sequence)>,
    needs: Needs,
}

/// What was found. Every record that was taken is in one place: it carries a session, a retained
/// message, a key or the clock, or it is in `stale`, `tombstones`, `carried` or `kept`; what is in
/// more than one of them is in `shared` too.
#[derive(Debug)]
pub struct Found {
    /// Sessions that have begun and not ended. No two have one client identifier.
    pub sessions: Vec<FoundSession>,
    /// Sessions whose client identifier is another's now. Their records are in `stale`.
    pub replaced: Vec<Replaced>,
    /// The latest message of each topic that has one, expired or not: even then it overtakes those
    /// before it, until a removal does.
    pub retained: Vec<FoundRetained>,
    /// Keys that have not ended by `clock_ms`.
    pub requests: Vec<FoundRequest>,
    /// Shared groups, by the number of their streams; those that nobody subscribes to any more are
    /// to be released.
    pub groups: Vec<FoundGroup>,
    /// Devices and modules, in order of their ids.
    pub devices: Vec<hub::registry::Found>,
    /// The telemetry channel, beside its messages.
    pub channel: hub::channel::Found,
    /// Feedback of commands that nobody has read.
    pub feedback: hub::feedback::Outbox,
    /// Jobs.
    pub jobs: hub::job::Board,
    /// The highest domain clock; 0 without one.
    pub clock_ms: u64,
    /// The record that says so.
    pub clock_record: Option<Sequence>,
    /// Above every session that any entry names.
    pub next_session: SessionId,
    /// What means nothing any more, ascending: to be released.
    pub stale: Vec<Sequence>,
    /// For `store::log::Need::Bury`: the oldest record that one speaks of, and itself; ascending.
    pub tombstones: Vec<(Sequence, Sequence)>,
    /// Retained removals that would be released too early if they were buried: the log asks for
    /// released records alone, and an older message of the topic is still held for another reason,
    /// or the removal itself is. The next start finds them again.
    pub kept: Vec<Sequence>,
    /// Messages carried forward that are under way to sessions, ascending: each is released when a
    /// later [`Progress`](super::Progress) does not name it, or with the session.
    pub carried: Vec<Sequence>,
    /// Messages with several holders, and how many: the last one releases the record. Holders are
    /// a session until its next [`Progress`](super::Progress), a topic until it is overtaken, a
    /// key until it ends, and `kept`.
    pub shared: Vec<(Sequence, u8)>,
}

impl Found {
    /// Completes the groups: each begins where the first of its members was granted, if nothing
    /// says more, and gives nobody what sessions have of it. Gives the records of those that nobody
    /// subscribes to any more.
    pub fn end_groups(&mut self) -> Vec<Sequence> {
        let mut begun: BTreeMap<StreamId, Sequence> = BTreeMap::new();
        for session in self.sessions.iter().filter(|session| session.may_share()) {
            for s in session.now().subscriptions.iter().filter(|s| s.is_shared_and_held()) {
                let since = begun.entry(s.stream).or_insert(s.since);
                *since = s.since.min(*since);
            }
        }
        let (kept, ended): (Vec<_>, Vec<_>) = std::mem::take(&mut self.groups)
            .into_iter()
            .partition(|group| begun.contains_key(&group.progress.stream));
        for group in &kept {
            begun.remove(&group.progress.stream);
        }
        let new = begun.into_iter().map(|(stream, taken)| FoundGroup {
            progress: GroupProgress {
                stream,
                taken,
                dropped: 0,
                open: Vec::new(),
                done: Vec::new(),
            },
            at: None,
            is_behind: false,
        });
        let mut groups: BTreeMap<StreamId, FoundGroup> =
            kept.into_iter().chain(new).map(|group| (group.progress.stream, group)).collect();
        // Most starts have no groups, and what each session has begun is read from its record.
        let sessions = if groups.is_empty() { &[] } else { &*self.sessions };
        for (stream, sequence) in sessions.iter().flat_map(FoundSession::begun) {
            if self.carried.binary_search(&sequence).is_ok() {
                // The session has it from elsewhere, and has told what it was before.
                continue;
            }
            if let Some(group) = groups.get_mut(&stream) {
                group.is_behind |= group.progress.finish(sequence);
            }
        }
        self.groups = groups.into_values().collect();
        ended.into_iter().filter_map(|group| group.at).collect()
    }
}

impl Replay {
    /// Nothing was taken yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next record in the order of the log. One that is not held is for its streams
    /// only.
    ///
    /// # Errors
    /// A record that is no entry; nothing was taken of it.
    pub fn take(&mut self, record: &Record<'_>) -> Result<(), BadEntry> {
        match record.hold {
            Hold::No => Ok(()),
            Hold::UntilReleased => self.add(record.sequence, record.kind, record.payload),
        }
    }

    /// As [`take`](Self::take), of a held record by its parts.
    ///
    /// # Errors
    /// As `take`.
    pub fn add(&mut self, at: Sequence, kind: Kind, payload: &[u8]) -> Result<(), BadEntry> {
        let entry = Entry::decode(kind, payload)?;
        match entry {
            Entry::Device(device) => self.devices.take(at, device),
            Entry::Channel(channel) => self.channel.take(at, channel),
            Entry::Feedback(record) => self.feedback.take(at, &record),
            Entry::Job(record) => self.jobs.take(at, record.into_owned()),
            Entry::Message(ref message) => self.message(at, message, &entry),
            Entry::Clock(clock) => self.clock(at, clock),
            Entry::GroupProgress(ref group) => self.groups.take(at, group, &mut self.needs),
            Entry::Carried(Carried { whose: CarriedFor::Stream, .. }) => self.needs.hold(at, 0),
            _ => self.sessions.take(at, &entry, payload, &mut self.needs),
        }
        Ok(())
    }

    /// Everything was taken.
    pub fn finish(self) -> Found {
        let Self { sessions, topics, requests, groups, devices, channel, feedback, .. } = self;
        let (jobs, clock, mut needs) = (self.jobs, self.clock, self.needs);
        let clock_ms = clock.map_or(0, |(wall_ms, _)| wall_ms);
        let next_session = sessions.next_id();
        let Living { sessions, replaced, ends: mut tombstones, carried } =
            sessions.finish(&mut needs);
        let requests = requests.finish(clock_ms, &mut needs);
        let (retained, removals) = topics.finish(&mut needs);
        let Removals { tombstones: of_topics, kept } = removals;
        tombstones.extend(of_topics);
        let (devices, of_devices) = devices.finish();
        let (channel, of_channel) = channel.finish();
        let (feedback, of_feedback) = feedback.finish(|item| is_there(&devices, item));
        let (jobs, of_jobs) = jobs.finish();
        for lists in [of_devices, of_channel, of_feedback, of_jobs] {
            tombstones.extend(lists.tombstones);
            lists.stale.into_iter().for_each(|at| needs.let_go(at));
        }
        tombstones.sort_unstable_by_key(|(_, at)| *at);
        let (stale, shared) = needs.finish();
        let clock_record = clock.map(|(_, at)| at);
        Found {
            sessions,
            replaced,
            retained,
            requests,
            groups: groups.finish(),
            devices,
            channel,
            feedback,
            jobs,
            clock_ms,
            clock_record,
            next_session,
            stale,
            tombstones,
            kept,
            carried,
            shared,
        }
    }

    fn message(&mut self, at: Sequence, message: &Message<'_>, entry: &Entry<'_>) {
        let mut holders = 0;
        match message.publisher {
            Publisher::Passing => {}
            Publisher::Session(session) => self.sessions.name(session),
            Publisher::Exchange(..) => holders += self.sessions.deliver(at, entry),
            Publisher::Request(request) => {
                self.requests.take(at, request, &mut self.needs);
                holders += 1;
            }
        }
        if message.content.retain {
            self.topics.take(at, message, &mut self.needs);
            holders += 1;
        }
        self.needs.hold(at, holders);
    }

    fn clock(&mut self, at: Sequence, Clock { wall_ms }: Clock) {
        match self.clock {
            Some((highest_ms, _)) if highest_ms > wall_ms => self.needs.let_go(at),
            before => {
                self.clock = Some((wall_ms, at));
                if let Some((_, before)) = before {
                    self.needs.let_go(before);
                }
            }
        }
    }
}

/// Whether the device of an end is among `devices`, in the same life.
fn is_there(devices: &[hub::registry::Found], item: &hub::feedback::Item) -> bool {
    let wanted = (item.device.as_str(), None);
    let place = devices.binary_search_by(|found| found.identity.names().cmp(&wanted));
    place.is_ok_and(|at| devices[at].identity.generation() == item.generation)
}

#[cfg(test)]
mod tests {
    use super::history::{History, fold};
    use super::holders::Tally;

    /// Whether everything that was released comes back, or any part of it: what is found is what
    /// is there, and every record is accounted for.
    #[test]
    fn what_comes_back_changes_nothing() {
        let mut tally = Tally::default();
        for seed in 0..400 {
            let mut history = History::new(seed);
            for _ in 0..20 {
                for _ in 0..history.chance.below(25) {
                    history.step();
                }
                history.start();
                let (whole, cleaned) = (fold(&history.whole), fold(&history.cleaned));
                history.agrees(&whole, &history.whole);
                history.agrees(&cleaned, &history.cleaned);
                assert!(cleaned.next_session <= whole.next_session, "seed {seed}");
                tally.shared += cleaned.shared.len();
                tally.kept += cleaned.kept.len();
                tally.carried += cleaned.carried.len();
            }
            tally.gone += history.tally.gone;
            tally.tombstones += history.tally.tombstones;
            tally.replaced += history.tally.replaced;
            tally.back += history.tally.back;
        }
        let Tally { gone, tombstones, replaced, shared, kept, back, carried } = tally;
        let many = gone > 20_000 && back > 20_000 && tombstones > 2_000;
        assert!(many, "{gone} gone, {back} back, {tombstones} tombstones gone");
        let rare = replaced > 500 && shared > 500 && kept > 100 && carried > 1_000;
        assert!(rare, "{replaced} replaced, {shared} shared, {kept} kept, {carried} carried");
    }
}
