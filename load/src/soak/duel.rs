//! Two connections with one client identifier take over from each other while a stream goes on:
//! no message of QoS 1 is lost, and the loser is told.

use super::role::{Balance, Role, Stage, ordinary};
use crate::engine::{End, Engine, Event, Heard, Key, Outgoing, Plan};
use crate::ledger::Bag;
use crate::mark::Mark;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::Version;

/// A publisher and two who are one.
pub struct Duel {
    name: String,
    id: u32,
    topic: String,
    publisher: Key,
    duelists: [Key; 2],
    /// Who has the session, or tries to.
    holder: usize,
    subscribed: bool,
    told: bool,
    bag: Bag,
    sequence: u64,
    due_us: u64,
    swap_us: u64,
    payload: Vec<u8>,
}

impl Duel {
    /// With its clients added to the engine; `plan` is the one of both duelists.
    pub fn new(engine: &mut Engine, id: u32, publisher: Plan, plan: Plan) -> Self {
        Self {
            name: format!("duel {id}"),
            id,
            topic: format!("soak/{id}/duel"),
            publisher: engine.add(publisher),
            duelists: [engine.add(plan.clone()), engine.add(plan)],
            holder: 0,
            subscribed: false,
            told: false,
            bag: Bag::default(),
            sequence: 0,
            due_us: 0,
            swap_us: 0,
            payload: Vec::new(),
        }
    }

    /// The other one connects once the last fight is over.
    fn swap(&mut self, engine: &mut Engine, now_us: u64) {
        if self.swap_us == 0 {
            self.swap_us = now_us + SWAP_US + u64::from(self.id) * 7_919 % SWAP_US;
        }
        let other = 1 - self.holder;
        if now_us < self.swap_us || engine.has_socket(self.duelists[other]) {
            return;
        }
        if engine.is_up(self.duelists[self.holder]) {
            self.swap_us = now_us + SWAP_US;
            self.holder = other;
            self.told = false;
            engine.connect(self.duelists[other]);
        }
    }

    fn lost(&mut self, engine: &Engine, key: Key) -> Result<(), String> {
        let v5 = engine.client(key).plan.version == Version::V5;
        if key == self.duelists[self.holder] {
            return Err("the holder was closed".into());
        }
        if v5 && !self.told { Err("closed without 0x8E".into()) } else { Ok(()) }
    }
}

impl Role for Duel {
    fn name(&self) -> &str {
        &self.name
    }

    fn keys(&self) -> Vec<Key> {
        vec![self.publisher, self.duelists[0], self.duelists[1]]
    }

    fn act(&mut self, engine: &mut Engine, stage: Stage, now_us: u64) {
        match stage {
            Stage::Opening => {
                for key in [self.publisher, self.duelists[0]] {
                    if !engine.has_socket(key) {
                        engine.connect(key);
                    }
                }
            }
            Stage::Running => {
                self.swap(engine, now_us);
                if now_us < self.due_us {
                    return;
                }
                let mark = Mark { stream: self.id, sequence: self.sequence, due_us: now_us };
                mark.write(100, &mut self.payload);
                let (qos, retain, payload) = (QoS::AtLeastOnce, false, &*self.payload);
                let m = Outgoing { topic: &self.topic, qos, retain, payload };
                if engine.publish(self.publisher, m) {
                    self.sequence += 1;
                    self.due_us = now_us + PERIOD_US;
                }
            }
            Stage::Settling => {}
        }
    }

    fn hear(&mut self, engine: &mut Engine, heard: Heard, stage: Stage) -> Result<(), String> {
        if heard.key == self.publisher {
            return ordinary(heard);
        }
        match heard.event {
            Event::Up { .. } if stage == Stage::Opening => {
                engine.subscribe(heard.key, &self.topic, QoS::AtLeastOnce);
                Ok(())
            }
            Event::Up { session_present: false } => Err("the session is gone".into()),
            Event::Subscribed(reason) if !reason.is_error() => {
                self.subscribed = true;
                Ok(())
            }
            Event::Message(m) => match m.mark.filter(|m| m.stream == self.id) {
                Some(mark) => {
                    self.bag.enter(mark, m.dup.into());
                    Ok(())
                }
                None => Err("a strange payload".into()),
            },
            Event::Told(Reason::SESSION_TAKEN_OVER) => {
                self.told = true;
                Ok(())
            }
            Event::Closed(End::Server) => self.lost(engine, heard.key),
            _ => ordinary(heard),
        }
    }

    fn is_done(&self, engine: &Engine, stage: Stage) -> bool {
        let one = !engine.has_socket(self.duelists[1 - self.holder]);
        let up = engine.is_up(self.publisher) && engine.is_up(self.duelists[self.holder]);
        let acknowledged = engine.client(self.publisher).under_way() == 0;
        up && self.subscribed && (stage == Stage::Opening || (one && acknowledged))
    }

    fn balance(&self) -> Balance {
        // What was on its way to the loser may come unmarked behind the winner's copy.
        let again = self.bag.again + self.bag.repeated;
        Balance { expected: self.sequence, received: self.bag.received(), again, disorder: 0 }
    }
}

const SWAP_US: u64 = 2_000_000;
const PERIOD_US: u64 = 100_000;
