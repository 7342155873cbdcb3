//! The retained message that each topic must have, and who is to get it on subscribing.

use super::attempt::Fate;
use super::owed::OwedRetained;
use super::session::Scan;
use super::{Ledger, Scope};
use crate::filter::matches;

/// What is known of a topic's retained message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Current {
    /// This attempt's, or none.
    Known(Option<usize>),
    /// A publish that nobody answered may have replaced it.
    Unknown,
}

impl Ledger {
    pub fn current(&self, topic: &str) -> Current {
        let Some(history) = self.retained.get(topic) else { return Current::Known(None) };
        let Some(&last) = history.last() else { return Current::Known(None) };
        let a = &self.attempts[last];
        match a.fate {
            Fate::Accepted if a.is_clear() || a.deadline_ms <= self.now.wall_ms => {
                Current::Known(None)
            }
            Fate::Accepted => Current::Known(Some(last)),
            _ => Current::Unknown,
        }
    }

    /// A subscription asks for what is retained.
    pub fn scan(&mut self, client: usize, scan: Scan) {
        let topics: Vec<String> =
            self.retained.keys().filter(|t| matches(&scan.filter, t)).cloned().collect();
        let known = |t: &String| match self.current(t) {
            Current::Known(Some(n)) if self.attempts[n].expiry_s.is_none() => Some(n),
            _ => None,
        };
        let due: Vec<usize> = topics.iter().filter_map(known).collect();
        let Some(s) = &mut self.sessions[client] else { return };
        s.owed_retained.extend(due.into_iter().map(|attempt| OwedRetained { attempt }));
        s.scans.push(scan);
    }

    /// Whether a scan that began at `at` may bring this attempt: stored by then, and not replaced
    /// by something certain.
    pub fn scan_brings(&self, number: usize, at: u64) -> bool {
        let a = &self.attempts[number];
        let Some(history) = self.retained.get(a.topic()) else { return false };
        let replaced = |n: &&usize| {
            let later = &self.attempts[**n];
            **n > number && later.fate == Fate::Accepted && later.at < at && later.settled < at
        };
        a.retain && !a.is_clear() && a.settled < at && !history.iter().any(|n| replaced(&n))
    }

    /// When it, or something newer of its topic, was stored: who asks later gets that by asking.
    pub fn stored_by(&self, number: usize) -> u64 {
        let a = &self.attempts[number];
        let newer = self.retained.get(a.topic()).into_iter().flatten().filter(|n| **n > number);
        let stored = newer.map(|n| &self.attempts[*n]).filter(|a| a.fate == Fate::Accepted);
        stored.map(|a| a.settled).fold(a.settled, u64::min)
    }

    /// A turn of `reactor` has ended: what its shard decoded is stored and told.
    pub fn settled(&mut self, reactor: usize) {
        if self.scope == Scope::Little {
            return;
        }
        self.at += 1;
        for n in std::mem::take(&mut self.unsettled[reactor]) {
            self.attempts[n].settled = self.at;
        }
    }

    /// Messages and bytes that must be retained; `None` if nobody can know.
    pub fn retained_counts(&self) -> Option<(usize, usize)> {
        let (mut messages, mut bytes) = (0, 0);
        for topic in self.retained.keys() {
            match self.current(topic) {
                Current::Unknown => return None,
                Current::Known(None) => {}
                Current::Known(Some(n)) => {
                    let a = &self.attempts[n];
                    messages += 1;
                    let expiry = a.expiry_s.map_or(0, |_| 5);
                    let content_type = a.content_type.as_ref().map_or(0, |t| 3 + t.len());
                    bytes += a.content.0.len() + a.content.1.len() + expiry + content_type;
                }
            }
        }
        Some((messages, bytes))
    }
}
