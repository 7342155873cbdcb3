//! One client and its session as the client has it: what was granted, what has to come, when it was
//! left alone. Refuses to know what messages are.

use super::Publisher;
use mqtt::qos::QoS;
use std::collections::{BTreeMap, BTreeSet};

/// A client.
#[derive(Default)]
pub(super) struct Reader {
    /// Goes up whenever it begins anew.
    pub session: u32,
    standing: Standing,
    /// Since when nobody serves it, domain clock.
    alone_ms: Option<u64>,
    /// What CONNECT asked for, until CONNACK comes.
    asked_s: u32,
    asked_little: bool,
    /// Some CONNECT since its session began may have made it outlive a connection.
    may_last: bool,
    /// CONNECT packets since the server crashed; none before the first crash.
    pub since_crash: Option<u32>,
    /// A connection of this session took small packets only.
    pub takes_little: bool,
    /// Granted above QoS 0.
    pub subs: BTreeMap<String, Sub>,
    /// The last SUBSCRIBE or UNSUBSCRIBE of each filter.
    pub asks: BTreeMap<String, u64>,
    /// Messages that have to come if they are acknowledged.
    pub pending: BTreeSet<u64>,
    /// Its own publishes that are not answered.
    pub unanswered: BTreeSet<u64>,
    /// The newest that came, of each publisher, topic and QoS (MQTT 5, 4.6.0-6).
    pub last: BTreeMap<(Publisher, String, QoS), u64>,
    /// All that came.
    pub came: BTreeSet<u64>,
}

/// A subscription that must bring what is sent from now on.
pub(super) struct Sub {
    pub no_local: bool,
    /// When its SUBACK came, in entries of the account.
    pub since: u64,
}

/// Whether its session has to be there.
#[derive(Default, Clone, Copy)]
enum Standing {
    /// Nothing is promised.
    #[default]
    Nothing,
    /// CONNACK came: it outlives its connection for so long.
    Kept { expiry_s: u32 },
}

/// What a CONNACK has to say.
pub(super) enum Expected {
    Present(String),
    /// It ended with its connection, and the server has crashed since then.
    Absent,
    Either,
}

impl Reader {
    /// It knows nothing any more.
    pub fn forget(&mut self) {
        self.forget_session();
        self.unanswered.clear();
    }

    /// The same, as CONNACK says.
    pub fn forget_session(&mut self) {
        self.lapse();
        self.session += 1;
        (self.takes_little, self.may_last) = (self.asked_little, self.asked_s > 0);
        self.unanswered.clear();
        self.asks.clear();
        self.last.clear();
        self.came.clear();
    }

    /// Nothing has to come any more, and the session need not be there.
    pub fn lapse(&mut self) {
        self.standing = Standing::Nothing;
        self.subs.clear();
        self.pending.clear();
    }

    pub fn connects(&mut self, expiry_s: u32, packet_max: Option<u32>) {
        self.asked_s = expiry_s;
        self.asked_little = packet_max.is_some();
        self.takes_little |= self.asked_little;
        self.may_last |= expiry_s > 0;
        self.since_crash = self.since_crash.map(|n| n + 1);
        self.asks.clear();
        self.shortens(expiry_s);
    }

    /// It may last no longer than this.
    pub fn shortens(&mut self, expiry_s: u32) {
        if expiry_s == 0 {
            return self.lapse();
        }
        if let Standing::Kept { expiry_s: lasts_s } = &mut self.standing {
            *lasts_s = expiry_s.min(*lasts_s);
        }
    }

    /// The server is gone, and all connections with it.
    pub fn server_gone(&mut self, now_ms: u64) {
        self.since_crash = Some(0);
        self.alone(now_ms);
    }

    pub fn alone(&mut self, now_ms: u64) {
        self.alone_ms.get_or_insert(now_ms);
    }

    pub fn expected(&self, now_ms: u64) -> Expected {
        let Standing::Kept { expiry_s } = self.standing else {
            let first = self.since_crash == Some(1);
            return if first && !self.may_last { Expected::Absent } else { Expected::Either };
        };
        let alone_ms = self.alone_ms.map_or(0, |at| now_ms - at);
        if alone_ms < u64::from(expiry_s) * 1_000 {
            return Expected::Present(format!("{expiry_s} s were asked for, {alone_ms} ms passed"));
        }
        Expected::Either
    }

    pub fn welcomed(&mut self, served: bool) {
        if served {
            self.alone_ms = None;
        }
        self.standing = match self.asked_s {
            0 => Standing::Nothing,
            expiry_s => Standing::Kept { expiry_s },
        };
    }

    /// SUBACK: filter and No Local of those that were granted above QoS 0.
    pub fn granted(&mut self, ask: u64, since: u64, filters: &[(String, bool)]) {
        if matches!(self.standing, Standing::Nothing) {
            return;
        }
        for (filter, no_local) in filters {
            // What was asked for since then may have ended it.
            if self.asks.get(filter) == Some(&ask) {
                let sub = Sub { no_local: *no_local, since };
                self.subs.entry(filter.clone()).or_insert(sub).no_local = *no_local;
            }
        }
    }
}
