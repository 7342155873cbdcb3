//! Who may come in at all: rates and bounds that are asked before anybody is authenticated.
//!
//! Owns their order and their answers. Refuses to know credentials.

use crate::connect::Applicant;
use crate::effect::Notice;
use crate::shard::Shard;
use broker::budget::Level;
use broker::rate::Rate;
use mqtt::error::Wrong;
use mqtt::reason::Reason;
use mqtt::wire::Connect;

impl Shard {
    /// Why this CONNECT is not even looked at, if it is not.
    pub(crate) fn turned_away(&mut self, c: &Connect<'_>) -> Option<Wrong> {
        let limits = &self.homes.limits;
        let rate = Rate::new(limits.connects_per_second_max, limits.connects_burst_max);
        if let Some(rate) = rate
            && !self.connects.take(rate, 1, self.homes.now.mono_ms * 1_000)
        {
            self.homes.counters.connects_throttled.add(1);
            return Some(TOO_FAST);
        }
        let connections = self.homes.meter.connections(self.homes.links.len());
        if limits.connections_max.is_some_and(|max| connections > max) {
            return Some(TOO_MANY);
        }
        // Its home, if it is another reactor, asks again.
        let here = self.home_of(c.client_id) == self.homes.me;
        let new = c.client_id.is_empty() || (here && self.homes.find(c.client_id).is_none());
        (new && self.is_pressed()).then_some(MEMORY_FULL)
    }

    /// Whether memory is too short for another client. One that returns to its session is let in:
    /// what waits for it is what fills the memory.
    pub(crate) fn is_pressed(&self) -> bool {
        self.homes.meter.level() != Level::Normal
    }

    /// CONNACK with the reason; a flood of them is a log line a second.
    pub(crate) fn turn_away(&mut self, link: u32, c: &Connect<'_>, wrong: Wrong) {
        if let Some(left_out) = self.turned_away_line.say(self.homes.now.mono_ms, LINE_EVERY_MS) {
            let (client, rule) = (c.client_id.to_owned(), wrong.clause);
            let (reason, why) = (wrong.reason, wrong.what);
            self.homes.notice(Notice::TurnedAway { client, reason, rule, why, left_out });
        }
        self.answer_refused(link, &Applicant::from(c), wrong.reason, wrong.what);
    }
}

pub(crate) const MEMORY_FULL: Wrong = Wrong::new(
    Reason::QUOTA_EXCEEDED,
    "process.memory_bytes_max",
    "the server's memory for data is nearly full; try again later",
);
const TOO_FAST: Wrong = Wrong::new(
    Reason::CONNECTION_RATE_EXCEEDED,
    "limits.connects_per_second_max",
    "clients connect faster than this namespace takes; try again in a second",
);
const TOO_MANY: Wrong = Wrong::new(
    Reason::QUOTA_EXCEEDED,
    "limits.connections_max",
    "the server has as many connections as it may; try again later",
);
const LINE_EVERY_MS: u64 = 1_000;
