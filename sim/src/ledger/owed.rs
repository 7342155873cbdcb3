//! What a session has a right to: every accepted publish that matched when it came to the door,
//! and a retained message of each topic it asked for. Each must have been sent in the end, or have
//! been counted as lost.

use super::attempt::Fate;
use super::{Ledger, Session};
use mqtt::qos::QoS;
use std::collections::BTreeSet;

/// A publish that must come.
pub(crate) struct Owed {
    pub attempt: usize,
    pub qos: QoS,
}

/// A retained message that must come, or a newer one of its topic.
pub(crate) struct OwedRetained {
    pub attempt: usize,
}

impl Session {
    pub fn owe(&mut self, attempt: usize, qos: QoS) {
        self.owed.push(Owed { attempt, qos });
    }
}

impl Ledger {
    /// An attempt was sent to a client.
    pub fn paid(&mut self, client: usize, attempt: usize) {
        self.attempts[attempt].heard = true;
        let attempts = &self.attempts;
        let Some(s) = &mut self.sessions[client] else { return };
        let content = &attempts[attempt].content;
        if self.by_content.get(content).is_none_or(|all| all.len() < 2) {
            s.owed.retain(|o| o.attempt != attempt);
        }
        let topic = attempts[attempt].topic();
        let newer = |o: &OwedRetained| o.attempt <= attempt && attempts[o.attempt].topic() == topic;
        s.owed_retained.retain(|o| !newer(o));
    }

    /// In a quiet moment: nothing is owed above what was counted as `dropped` for this session.
    /// With `posts_dropped` QoS 0 may have been lost between reactors, which nobody can tell apart.
    pub fn check_owed(&mut self, client: usize, dropped: u64, posts_dropped: bool) {
        let Some(s) = &self.sessions[client] else { return };
        // Who asked for what is retained since it was stored has got that. If something newer was
        // stored first, it is for nobody who asked after it came.
        let asked_since = |o: &Owed| {
            let a = &self.attempts[o.attempt];
            let overtaken = a.retain && self.stored_by(o.attempt) < a.settled;
            let since = if overtaken { a.at } else { a.settled };
            let told = self.told_by(client, o.attempt);
            a.retain && s.between(told, told, a.topic()).all(|sub| sub.since > since)
        };
        let counts = |o: &&Owed| {
            let excused = posts_dropped && o.qos == QoS::AtMostOnce;
            self.attempts[o.attempt].fate == Fate::Accepted && !excused && !asked_since(o)
        };
        // Which of several attempts with one content came nobody can tell: they are counted.
        let mut paid = s.came.clone();
        let mut unpaid = |n: &usize| match paid.get_mut(&self.attempts[*n].content) {
            Some(left) if *left > 0 => {
                *left -= 1;
                false
            }
            _ => true,
        };
        let due = s.owed.iter().filter(counts).map(|o| o.attempt);
        let mut missing: BTreeSet<usize> = due.filter(|n| unpaid(n)).collect();
        let retained = |o: &&OwedRetained| {
            let later = self.retained.get(self.attempts[o.attempt].topic());
            let expires =
                later.is_some_and(|all| all.iter().any(|n| self.attempts[*n].expiry_s.is_some()));
            !expires && self.attempts[o.attempt].fate == Fate::Accepted && !posts_dropped
        };
        // What was lost live is not asked for twice.
        missing.extend(s.owed_retained.iter().filter(retained).map(|o| o.attempt));
        let holds = missing.len() as u64 <= dropped;
        let shown = || {
            let all: Vec<_> = missing.iter().map(|n| self.attempts[*n].content_shown()).collect();
            let (id, n) = (&self.clients[client], missing.len());
            format!("{id} never got {n} messages, {dropped} are counted: {all:?}")
        };
        let what = (!holds).then(shown);
        if let Some(what) = what {
            self.fail(|| what);
        }
    }
}
