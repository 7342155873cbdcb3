//! A shared subscription: each message reaches exactly one member (MQTT 5, 4.8.2).

use super::role::{Balance, Role, Stage, ordinary};
use crate::engine::{Engine, Event, Heard, Key, Outgoing, Plan};
use crate::ledger::Bag;
use crate::mark::Mark;
use mqtt::qos::QoS;

/// A publisher and those who share its messages.
pub struct Group {
    name: String,
    id: u32,
    topic: String,
    publisher: Key,
    members: Vec<Key>,
    subscribed: usize,
    bag: Bag,
    sequence: u64,
    due_us: u64,
    payload: Vec<u8>,
}

impl Group {
    /// With its clients added to the engine.
    pub fn new(engine: &mut Engine, id: u32, publisher: Plan, members: Vec<Plan>) -> Self {
        Self {
            name: format!("group {id}"),
            id,
            topic: format!("soak/{id}/shared"),
            publisher: engine.add(publisher),
            members: members.into_iter().map(|plan| engine.add(plan)).collect(),
            subscribed: 0,
            bag: Bag::default(),
            sequence: 0,
            due_us: 0,
            payload: Vec::new(),
        }
    }
}

impl Role for Group {
    fn name(&self) -> &str {
        &self.name
    }

    fn keys(&self) -> Vec<Key> {
        self.members.iter().copied().chain([self.publisher]).collect()
    }

    fn act(&mut self, engine: &mut Engine, stage: Stage, now_us: u64) {
        if stage == Stage::Opening {
            for key in self.keys() {
                if !engine.has_socket(key) {
                    engine.connect(key);
                }
            }
        }
        if stage != Stage::Running || now_us < self.due_us {
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

    fn hear(&mut self, engine: &mut Engine, heard: Heard, _: Stage) -> Result<(), String> {
        match heard.event {
            Event::Up { .. } if heard.key != self.publisher => {
                let filter = format!("$share/members/{}", self.topic);
                engine.subscribe(heard.key, &filter, QoS::AtLeastOnce);
                Ok(())
            }
            Event::Subscribed(reason) if !reason.is_error() => {
                self.subscribed += 1;
                Ok(())
            }
            Event::Message(m) => match m.mark.filter(|m| m.stream == self.id) {
                Some(mark) => {
                    self.bag.enter(mark, m.dup.into());
                    Ok(())
                }
                None => Err("a strange payload".into()),
            },
            _ => ordinary(heard),
        }
    }

    fn is_done(&self, engine: &Engine, stage: Stage) -> bool {
        let acknowledged = engine.client(self.publisher).under_way() == 0;
        let ready = self.subscribed >= self.members.len() && engine.is_up(self.publisher);
        ready && (stage == Stage::Opening || acknowledged)
    }

    fn balance(&self) -> Balance {
        let Bag { again, repeated: disorder, .. } = self.bag;
        let received = self.bag.received();
        Balance { expected: self.sequence, received, again, disorder }
    }
}

const PERIOD_US: u64 = 50_000;
