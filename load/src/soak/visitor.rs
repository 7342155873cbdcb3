//! A client that comes and goes: connects anew, finds its retained message, subscribes, hears
//! itself, unsubscribes, hears nothing more, leaves or is lost, and comes again.

use super::role::{Balance, Role, Stage, ordinary};
use crate::engine::{End, Engine, Event, Heard, Key, Outgoing, Plan};
use crate::mark::Mark;
use mqtt::qos::QoS;

/// Who comes and goes.
pub struct Visitor {
    name: String,
    id: u32,
    key: Key,
    topic: String,
    kept_topic: String,
    step: Step,
    /// When it comes the next time.
    next_us: u64,
    visits: u64,
    /// The mark of its retained message, once the server has it.
    kept: Option<u64>,
    /// Of this visit.
    heard: u64,
    expected: u64,
    received: u64,
    disorder: u64,
    payload: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Away,
    Connecting,
    /// SUBSCRIBE to the retained message's topic is out.
    Finding,
    /// SUBSCRIBE to its own topic is out.
    Subscribing,
    /// Its own messages are under way.
    Talking,
    /// UNSUBSCRIBE is out.
    Unsubscribing,
    /// One more message is out that must not come, a new retained one, and a ping behind both.
    Silent,
    Leaving,
}

impl Visitor {
    /// With its client added to the engine.
    pub fn new(engine: &mut Engine, id: u32, plan: Plan) -> Self {
        Self {
            name: format!("visitor {id}"),
            id,
            key: engine.add(plan),
            topic: format!("soak/{id}/visit"),
            kept_topic: format!("soak/{id}/kept"),
            step: Step::Away,
            next_us: 0,
            visits: 0,
            kept: None,
            heard: 0,
            expected: 0,
            received: 0,
            disorder: 0,
            payload: Vec::new(),
        }
    }

    fn say(&mut self, engine: &mut Engine, what: Say, sequence: u64, qos: QoS) {
        Mark { stream: self.id, sequence, due_us: 0 }.write(100, &mut self.payload);
        let topic = if what == Say::Kept { &self.kept_topic } else { &self.topic };
        let (retain, payload) = (what == Say::Kept, &*self.payload);
        // It is up and has an empty window: this is the answer to what it heard.
        engine.publish(self.key, Outgoing { topic, qos, retain, payload });
    }

    /// The levels take turns from visit to visit.
    fn qos(&self) -> QoS {
        [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][(self.visits % 3) as usize]
    }

    fn message(&mut self, engine: &mut Engine, m: crate::engine::Message) -> Result<(), String> {
        let mark = m.mark.ok_or("a strange payload")?;
        match self.step {
            Step::Finding | Step::Subscribing if m.retain => {
                if Some(mark.sequence) != self.kept {
                    return Err(format!("retained {} instead of {:?}", mark.sequence, self.kept));
                }
                self.kept = None;
                Ok(())
            }
            Step::Talking if !m.retain => {
                let wanted = self.visits * TALKS + self.heard;
                self.disorder += u64::from(mark.sequence != wanted);
                self.received += 1;
                self.heard += 1;
                if self.heard == TALKS {
                    engine.unsubscribe(self.key, &self.topic);
                    self.step = Step::Unsubscribing;
                }
                Ok(())
            }
            step => Err(format!("a message (retain {}) in step {step:?}", m.retain)),
        }
    }

    fn talk(&mut self, engine: &mut Engine) {
        self.step = Step::Talking;
        self.heard = 0;
        for n in 0..TALKS {
            self.say(engine, Say::Own, self.visits * TALKS + n, self.qos());
        }
        self.expected += TALKS;
    }

    fn fall_silent(&mut self, engine: &mut Engine) {
        self.step = Step::Silent;
        self.say(engine, Say::Own, u64::MAX, QoS::AtLeastOnce);
        self.say(engine, Say::Kept, self.visits, QoS::AtLeastOnce);
        engine.ping(self.key);
    }

    /// Every other visit ends by a lost connection.
    fn end(&mut self, engine: &mut Engine) {
        self.kept = Some(self.visits);
        self.visits += 1;
        if self.visits.is_multiple_of(2) {
            engine.reset(self.key);
            self.step = Step::Away;
        } else {
            engine.leave(self.key);
            self.step = Step::Leaving;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Say {
    Own,
    Kept,
}

impl Role for Visitor {
    fn name(&self) -> &str {
        &self.name
    }

    fn keys(&self) -> Vec<Key> {
        vec![self.key]
    }

    fn act(&mut self, engine: &mut Engine, stage: Stage, now_us: u64) {
        if stage != Stage::Running || self.step != Step::Away || now_us < self.next_us {
            return;
        }
        self.next_us = now_us + PAUSE_US + u64::from(self.id) * 7_919 % PAUSE_US;
        self.step = Step::Connecting;
        engine.connect(self.key);
    }

    fn hear(&mut self, engine: &mut Engine, heard: Heard, _: Stage) -> Result<(), String> {
        match (self.step, heard.event) {
            (_, Event::Message(m)) => self.message(engine, m),
            (Step::Connecting, Event::Up { session_present: false }) => {
                self.step = Step::Finding;
                engine.subscribe(self.key, &self.kept_topic, QoS::AtLeastOnce);
                engine.ping(self.key);
                Ok(())
            }
            // The retained message may follow its SUBACK, and comes before what is asked later.
            (Step::Finding, Event::Subscribed(r)) if !r.is_error() => Ok(()),
            (Step::Finding, Event::Pong) => {
                self.step = Step::Subscribing;
                engine.unsubscribe(self.key, &self.kept_topic);
                engine.subscribe(self.key, &self.topic, self.qos());
                Ok(())
            }
            (Step::Subscribing, Event::Subscribed(r)) if !r.is_error() => {
                self.talk(engine);
                match self.kept.take() {
                    Some(kept) => Err(format!("the retained message {kept} did not come")),
                    None => Ok(()),
                }
            }
            (Step::Unsubscribing, Event::Unsubscribed) => {
                self.fall_silent(engine);
                Ok(())
            }
            // PUBACKs may come behind the answer to the ping; a loss must not take them along.
            (Step::Silent, Event::Pong | Event::Done(..)) => {
                if engine.client(self.key).under_way() == 0 {
                    self.end(engine);
                }
                Ok(())
            }
            (Step::Leaving, Event::Closed(End::Left)) => {
                self.step = Step::Away;
                Ok(())
            }
            (step, _) => ordinary(heard).map_err(|why| format!("{why} in step {step:?}")),
        }
    }

    fn is_done(&self, _: &Engine, stage: Stage) -> bool {
        stage == Stage::Opening || self.step == Step::Away
    }

    fn balance(&self) -> Balance {
        let (expected, received, disorder) = (self.expected, self.received, self.disorder);
        Balance { expected, received, again: 0, disorder }
    }
}

/// Messages to itself a visit.
const TALKS: u64 = 5;
const PAUSE_US: u64 = 500_000;
