//! Publishes with many receivers, a bounded number of receivers a turn.
//!
//! A job is the messages of one publisher for one list of receivers. It goes round the list: a
//! message that comes later joins where the job stands and goes round once from there, so each
//! receiver gets what has come since its last turn with one write. Publishers take turns; one
//! publisher's jobs run first in, first out: its order holds. What has a place in the log is one
//! line, whoever published it: every receiver hears the log in its order.

use crate::frames::Frames;
use crate::session::Origin;
use crate::share::HandingOut;
use crate::source::Source;
use broker::publication::Publication;
use broker::router::Target;
use broker::share::Matching;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

/// Jobs that wait.
#[derive(Default)]
pub(crate) struct Fanout {
    /// Publishers with jobs, the one whose turn it is first.
    turns: VecDeque<Origin>,
    lines: HashMap<Origin, Line, foldhash::fast::RandomState>,
    /// How many messages each publisher has in the line of the log.
    logged: HashMap<Origin, usize, foldhash::fast::RandomState>,
    /// Of all publishers.
    jobs: usize,
    messages: usize,
    /// Who published last.
    last: Option<Origin>,
    /// Until then somebody else is expected to publish.
    others_until_ms: u64,
}

/// Whether a publish has a place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Logged,
    Passing,
}

/// The jobs of one publisher.
#[derive(Default)]
struct Line {
    jobs: VecDeque<Job>,
    messages: usize,
}

struct Job {
    origin: Origin,
    targets: Rc<[Target]>,
    groups: Matching,
    /// Those that joined first have the least left.
    messages: VecDeque<Joined>,
    /// The receiver whose turn it is: sessions first, then shared groups.
    at: usize,
}

struct Joined {
    publication: Arc<Publication>,
    /// Receivers that have not had it.
    left: usize,
}

impl Fanout {
    /// Whether a publish of this publisher has to wait behind earlier ones.
    #[inline]
    pub fn holds(&self, origin: Origin, place: Place) -> bool {
        !self.turns.is_empty()
            && (self.lines.contains_key(&origin)
                || self.logged.contains_key(&origin)
                || (place == Place::Logged && self.lines.contains_key(&Origin::LOG)))
    }

    /// How many messages of this publisher wait.
    pub fn waiting(&self, origin: Origin) -> usize {
        let own = self.lines.get(&origin).map_or(0, |line| line.messages);
        own + self.logged.get(&origin).copied().unwrap_or(0)
    }

    /// Whether no job waits.
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Bytes of the jobs, without the messages, which are charged where they were made.
    pub fn bytes(&self) -> usize {
        self.jobs * size_of::<Job>() + self.messages * size_of::<Joined>()
    }

    /// Adds a message; gives how many of this publisher wait.
    pub fn add(
        &mut self,
        origin: Origin,
        targets: &Rc<[Target]>,
        groups: &Matching,
        publication: Arc<Publication>,
    ) -> usize {
        // What comes behind something in the line of the log waits there too.
        let is_logged = publication.sequence() > 0 || self.logged.contains_key(&origin);
        let key = if is_logged { Origin::LOG } else { origin };
        if is_logged {
            *self.logged.entry(origin).or_insert(0) += 1;
        }
        let line = self.lines.entry(key).or_insert_with(|| {
            self.turns.push_back(key);
            Line::default()
        });
        line.messages += 1;
        self.messages += 1;
        let joins = line.jobs.back().is_some_and(|job| {
            job.messages.len() < JOB_MESSAGES_MAX
                && job.origin == origin
                && Rc::ptr_eq(&job.targets, targets)
                && same(&job.groups, groups)
        });
        if !joins {
            self.jobs += 1;
            let (targets, groups) = (Rc::clone(targets), groups.clone());
            let messages = VecDeque::new();
            line.jobs.push_back(Job { origin, targets, groups, messages, at: 0 });
        }
        if let Some(job) = line.jobs.back_mut() {
            let left = job.len();
            job.messages.push_back(Joined { publication, left });
        }
        self.waiting(origin)
    }

    /// Somebody publishes.
    #[inline]
    pub fn hears(&mut self, origin: Origin, now_ms: u64) {
        if self.last != Some(origin) && self.last.replace(origin).is_some() {
            self.others_until_ms = now_ms + OTHERS_EXPECTED_MS;
        }
    }

    /// To how many receivers a turn sends: fewer of `max` while others publish, who wait for it.
    pub fn share(&self, max: usize, now_ms: u64) -> usize {
        if now_ms < self.others_until_ms { (max / 8).max(1) } else { max }
    }

    /// Runs jobs up to a cost of `left`, which it takes from that; gives publishers of which less
    /// than half of `waiting_max` waits by now.
    pub fn run(
        &mut self,
        out: &mut HandingOut<'_>,
        frames: &mut Frames,
        left: &mut usize,
        waiting_max: usize,
    ) -> Vec<Origin> {
        let mut free = Vec::new();
        while *left > 0 {
            let Some(key) = self.turns.pop_front() else { break };
            let Some(first) = self.lines.get(&key).and_then(|line| line.jobs.front()) else {
                continue;
            };
            let origin = first.origin;
            if key == Origin::LOG && self.lines.contains_key(&origin) {
                // Its publisher has sent something before it that is not in the log.
                self.turns.push_back(key);
                continue;
            }
            let Some(line) = self.lines.get_mut(&key) else { continue };
            let Some(job) = line.jobs.front_mut() else { continue };
            let cost = job.messages.len().div_ceil(MESSAGES_A_SEND).max(1);
            let served = job.serve((*left / cost).max(1), out, frames);
            *left = left.saturating_sub(served * cost);
            let done = job.forget_done();
            line.messages -= done;
            self.messages -= done;
            if job.messages.is_empty() {
                line.jobs.pop_front();
                self.jobs -= 1;
            }
            if line.jobs.is_empty() {
                self.lines.remove(&key);
            } else {
                self.turns.push_back(key);
            }
            self.forget_logged(key, origin, done);
            if done > 0 && self.waiting(origin) <= waiting_max / 2 {
                free.push(origin);
            }
        }
        free
    }

    fn forget_logged(&mut self, key: Origin, origin: Origin, done: usize) {
        if key != Origin::LOG {
            return;
        }
        if let Some(logged) = self.logged.get_mut(&origin) {
            *logged -= done;
            if *logged == 0 {
                self.logged.remove(&origin);
            }
        }
    }
}

impl Job {
    fn len(&self) -> usize {
        self.targets.len() + self.groups.as_ref().map_or(0, |g| g.len())
    }

    /// Gives the next receivers, at most `max`, all messages; gives how many were served.
    fn serve(&mut self, max: usize, out: &mut HandingOut<'_>, frames: &mut Frames) -> usize {
        let first_ends = self.messages.front().map_or(0, |m| m.left);
        let chunk = max.min(self.len() - self.at).min(first_ends);
        let (sessions, until) = (self.targets.len(), self.at + chunk);
        let targets = &self.targets[self.at.min(sessions)..until.min(sessions)];
        let groups = self.groups.as_deref().unwrap_or_default();
        let groups = &groups[self.at.saturating_sub(sessions)..until.saturating_sub(sessions)];
        for Joined { publication, left } in &mut self.messages {
            let mut source = Source::kept(publication);
            frames.clear();
            for target in targets {
                out.homes.deliver(target, &mut source, frames, self.origin);
            }
            groups.iter().for_each(|group| out.offer(*group, publication));
            *left -= chunk;
        }
        self.at = if until == self.len() { 0 } else { until };
        chunk
    }

    /// Forgets messages that everybody had; gives how many.
    fn forget_done(&mut self) -> usize {
        let before = self.messages.len();
        while self.messages.front().is_some_and(|m| m.left == 0) {
            self.messages.pop_front();
        }
        before - self.messages.len()
    }
}

fn same(a: &Matching, b: &Matching) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => Rc::ptr_eq(a, b),
        _ => false,
    }
}

/// What a turn costs are its system calls, one a receiver: more messages in one of them hardly
/// count.
const MESSAGES_A_SEND: usize = 4;
/// A receiver gets at most so many messages of a job at once.
const JOB_MESSAGES_MAX: usize = 32;
/// Whoever published is expected to do so again for so long.
const OTHERS_EXPECTED_MS: u64 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_serves_fewer_while_others_publish() {
        let mut fanout = Fanout::default();
        let origin = |slot| Origin { reactor: 0, slot, generation: 0 };
        assert_eq!(fanout.share(64, 0), 64);
        fanout.hears(origin(1), 100);
        assert_eq!(fanout.share(64, 100), 64, "nobody else is there");
        fanout.hears(origin(2), 110);
        assert_eq!((fanout.share(64, 129), fanout.share(3, 129)), (8, 1));
        // One alone may take its time.
        fanout.hears(origin(2), 125);
        assert_eq!(fanout.share(64, 130), 64);
    }
}
