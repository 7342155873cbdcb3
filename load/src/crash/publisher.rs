//! An MQTT publisher: its topics in turn, numbered; what an acknowledgement is for. Sending again
//! across connections is the engine's client. Refuses to know who hears.

use super::breach::Rule;
use super::chance::Chance;
use super::ledger::Ledger;
use super::letter::{Letter, Purpose};
use super::session::Session;
use crate::engine::{Engine, Event, Key, Outgoing, Reading};
use mqtt::packet_id::PacketId;
use std::collections::HashMap;

/// One publisher.
pub struct Publisher {
    /// Its client.
    pub key: Key,
    session: Session,
    purpose: Purpose,
    streams: Vec<u32>,
    turn: usize,
    /// Sent and not through, by packet identifier.
    pending: HashMap<PacketId, Letter>,
    period_us: u64,
    due_us: u64,
    /// When it hears no more in this round, microseconds since it began: what is acknowledged
    /// from then on it sends again.
    deaf_us: u64,
    seed: u64,
}

impl Publisher {
    /// Of a client that the engine has, for streams that the ledger has.
    pub fn new(key: Key, session: Session, streams: Vec<u32>, purpose: Purpose, seed: u64) -> Self {
        let period_us = if purpose == Purpose::Retain { 4 * PERIOD_US } else { PERIOD_US };
        let pending = HashMap::new();
        let (turn, due_us, deaf_us) = (0, 0, u64::MAX);
        Self { key, session, purpose, streams, turn, pending, period_us, due_us, deaf_us, seed }
    }

    /// What the seed has for it in a round that lasts `round_us`.
    pub fn plan(&mut self, seed: u64, round: u64, round_us: u64) {
        let mut chance = Chance::of(seed, round, &format!("publisher {}", self.key));
        let at = chance.between(round_us / 2, round_us);
        self.deaf_us = if chance.one_in(DEAF_ONE_IN) { at } else { u64::MAX };
    }

    /// Stops hearing when that is due in the round.
    pub fn listen(&self, engine: &mut Engine, round_us: u64) {
        if round_us >= self.deaf_us {
            engine.read(self.key, Reading::Stalled);
        }
    }

    /// Publishes what is due, as far as the server lets it.
    pub fn act(&mut self, engine: &mut Engine, ledger: &mut Ledger, now_us: u64) {
        if now_us < self.due_us || !engine.is_up(self.key) {
            return;
        }
        let client = engine.client(self.key);
        let room = client.room().min(DEPTH.saturating_sub(client.under_way()));
        if room == 0 || engine.waiting(self.key) > OUTPUT_BYTES {
            return;
        }
        self.due_us = now_us + self.period_us;
        let stream = self.streams[self.turn % self.streams.len()];
        self.turn += 1;
        let letter = Letter::next(ledger, self.seed, stream, self.purpose);
        let (payload, source) = (letter.payload(ledger, self.seed), ledger.source(stream));
        let retain = self.purpose == Purpose::Retain;
        let m = Outgoing { topic: &source.topic, qos: source.qos, retain, payload: &payload };
        engine.publish(self.key, m);
        let id = engine.client(self.key).last_id().expect("it has published at QoS > 0");
        self.pending.insert(id, letter);
    }

    /// Takes an event of its client.
    ///
    /// # Errors
    /// With the rule that it breaks; connections that end are the caller's to judge.
    pub fn hear(&mut self, ledger: &mut Ledger, event: Event) -> Result<(), (Rule, String)> {
        match event {
            Event::Up { session_present } => {
                if !session_present {
                    // The client has forgotten them too (MQTT 5, 3.2.2-4 and -5).
                    self.pending.clear();
                }
                let found = self.session.up(session_present);
                found.map_err(|why| (Rule::Session, why.to_owned()))
            }
            Event::Done(id, reason) => {
                let letter = self.pending.remove(&id);
                if reason.is_error() {
                    return Err((Rule::Protocol, format!("a publish was refused: {reason:?}")));
                }
                if let Some(Letter { stream, sequence }) = letter {
                    ledger.acknowledged(stream, sequence);
                }
                Ok(())
            }
            other => Err((Rule::Protocol, format!("{other:?}"))),
        }
    }

    /// A connection has ended: what was taken at QoS 2 is the server's, though not through.
    pub fn pause(&self, engine: &Engine, ledger: &mut Ledger) {
        for id in engine.client(self.key).taken() {
            if let Some(Letter { stream, sequence }) = self.pending.get(&id) {
                ledger.acknowledged(*stream, *sequence);
            }
        }
    }

    /// Whether all it sent is through.
    pub fn is_done(&self, engine: &Engine) -> bool {
        engine.is_up(self.key) && engine.client(self.key).under_way() == 0
    }
}

const DEAF_ONE_IN: u64 = 3;
/// From one message to the next.
const PERIOD_US: u64 = 4_000;
/// Publishes under way at once.
const DEPTH: usize = 24;
const OUTPUT_BYTES: usize = 64 * 1024;
