//! Clients with a will that are lost or leave, and one that watches: each loss is heard once, in
//! order, and no leaving is.

use super::role::{Balance, Role, Stage, ordinary};
use crate::engine::{End, Engine, Event, Heard, Key, Plan};
use crate::ledger::Track;
use crate::mark::Mark;
use mqtt::qos::QoS;

/// Clients with wills, and their watcher.
pub struct Mourners {
    id: u32,
    watcher: Key,
    subscribed: bool,
    mortals: Vec<Mortal>,
}

struct Mortal {
    key: Key,
    topic: String,
    /// Losses so far: the mark of the next will.
    losses: u64,
    lives: u64,
    next_us: u64,
    track: Track,
}

impl Mourners {
    /// With its clients added to the engine; a mortal's number is the mark's stream above `id`.
    pub fn new(engine: &mut Engine, id: u32, watcher: Plan, plans: Vec<Plan>) -> Self {
        let mortals = plans.into_iter().enumerate().map(|(n, plan)| Mortal {
            key: engine.add(plan),
            topic: format!("soak/will/{n}"),
            losses: 0,
            lives: 0,
            next_us: 0,
            track: Track::default(),
        });
        let mortals = mortals.collect();
        Self { id, watcher: engine.add(watcher), subscribed: false, mortals }
    }
}

impl Mortal {
    fn act(&mut self, engine: &mut Engine, stream: u32, stage: Stage, now_us: u64) {
        if stage != Stage::Running || now_us < self.next_us {
            return;
        }
        if engine.is_up(self.key) {
            self.next_us = now_us + LIFE_US / 4;
            self.lives += 1;
            if self.lives.is_multiple_of(3) {
                return engine.leave(self.key);
            }
            self.losses += 1;
            engine.reset(self.key);
        } else if !engine.has_socket(self.key) {
            self.next_us = now_us + LIFE_US + u64::from(stream) * 7_919 % LIFE_US;
            let mark = Mark { stream, sequence: self.losses, due_us: 0 };
            engine.plan(self.key).will = Some((self.topic.clone(), mark));
            engine.connect(self.key);
        }
    }
}

impl Role for Mourners {
    fn name(&self) -> &'static str {
        "wills"
    }

    fn keys(&self) -> Vec<Key> {
        self.mortals.iter().map(|m| m.key).chain([self.watcher]).collect()
    }

    fn act(&mut self, engine: &mut Engine, stage: Stage, now_us: u64) {
        if stage == Stage::Opening && !engine.has_socket(self.watcher) {
            engine.connect(self.watcher);
        }
        for (n, mortal) in self.mortals.iter_mut().enumerate() {
            mortal.act(engine, self.id + n as u32, stage, now_us);
        }
    }

    fn hear(&mut self, engine: &mut Engine, heard: Heard, _: Stage) -> Result<(), String> {
        match heard.event {
            Event::Up { .. } if heard.key == self.watcher => {
                engine.subscribe(self.watcher, "soak/will/#", QoS::AtLeastOnce);
                Ok(())
            }
            Event::Subscribed(reason) if !reason.is_error() => {
                self.subscribed = true;
                Ok(())
            }
            Event::Message(m) => {
                let mark = m.mark.ok_or("a strange payload")?;
                let n = mark.stream.checked_sub(self.id).ok_or("a stranger's will")?;
                let mortal = self.mortals.get_mut(n as usize).ok_or("a stranger's will")?;
                if mark.sequence >= mortal.losses {
                    return Err("the will of one who is not lost".into());
                }
                mortal.track.enter(mark, m.dup.into());
                Ok(())
            }
            Event::Closed(End::Left) if heard.key != self.watcher => Ok(()),
            _ => ordinary(heard),
        }
    }

    fn is_done(&self, engine: &Engine, _: Stage) -> bool {
        self.subscribed && engine.is_up(self.watcher)
    }

    fn balance(&self) -> Balance {
        let mut balance = Balance::default();
        for m in &self.mortals {
            let Track { received, again, disorder, .. } = m.track;
            balance += Balance { expected: m.losses, received, again, disorder };
        }
        balance
    }
}

const LIFE_US: u64 = 3_000_000;
