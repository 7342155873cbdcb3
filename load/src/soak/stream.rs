//! One publisher, one topic, and receivers with habits: there all the time, asleep now and then,
//! or away with a session that waits.

use super::role::{Balance, Role, Stage, ordinary};
use crate::engine::{End, Engine, Event, Heard, Key, Outgoing, Plan, Reading};
use crate::ledger::Track;
use crate::mark::Mark;
use mqtt::qos::QoS;

/// A stream of messages.
pub struct Stream {
    name: String,
    id: u32,
    topic: String,
    publisher: Key,
    settings: Settings,
    receivers: Vec<Receiver>,
    sequence: u64,
    due_us: u64,
    /// When the publisher loses its connection the next time.
    loss_us: u64,
    losses: u64,
    payload: Vec<u8>,
}

/// What a stream sends.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Level of publishes and subscriptions.
    pub qos: QoS,
    /// Bytes of a payload.
    pub bytes: usize,
    /// From one message to the next.
    pub period_us: u64,
    /// What its publisher does beside.
    pub publisher: Habit,
}

/// What a client does beside its duty. Times are spread by the stream's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Nothing.
    Steady,
    /// Reads nothing for so long, then reads for as long.
    Sleeps(u64),
    /// Its connection is reset; it comes back after so long and stays as long.
    Lost(u64),
    /// DISCONNECT; it comes back after so long and stays as long.
    Leaves(u64),
}

struct Receiver {
    key: Key,
    habit: Habit,
    track: Track,
    subscribed: bool,
    /// When the habit asks for something the next time.
    next_us: u64,
    away: bool,
}

impl Stream {
    /// With its clients added to the engine.
    pub fn new(
        engine: &mut Engine,
        id: u32,
        name: &str,
        settings: Settings,
        publisher: Plan,
        receivers: Vec<(Plan, Habit)>,
    ) -> Self {
        let publisher = engine.add(publisher);
        let receivers = receivers.into_iter().map(|(plan, habit)| Receiver {
            key: engine.add(plan),
            habit,
            track: Track::default(),
            subscribed: false,
            next_us: 0,
            away: false,
        });
        Self {
            name: format!("{name} {id}"),
            id,
            topic: format!("soak/{id}/{name}"),
            publisher,
            settings,
            receivers: receivers.collect(),
            sequence: 0,
            due_us: 0,
            loss_us: 0,
            losses: 0,
            payload: Vec::new(),
        }
    }

    fn publish(&mut self, engine: &mut Engine, now_us: u64) {
        if self.due_us == 0 {
            // All begin at another moment.
            self.due_us = now_us + u64::from(self.id) * 7_919 % self.settings.period_us;
        }
        while self.due_us <= now_us && engine.waiting(self.publisher) < OUTPUT_BYTES {
            let mark = Mark { stream: self.id, sequence: self.sequence, due_us: self.due_us };
            mark.write(self.settings.bytes, &mut self.payload);
            let (topic, qos, retain) = (&*self.topic, self.settings.qos, false);
            let m = Outgoing { topic, qos, retain, payload: &self.payload };
            if !engine.publish(self.publisher, m) {
                // Away, or the window is full: it catches up.
                return;
            }
            self.sequence += 1;
            self.due_us += self.settings.period_us;
        }
    }

    /// A publisher whose connection is lost repeats what was not acknowledged.
    fn lose_publisher(&mut self, engine: &mut Engine, now_us: u64) {
        let Habit::Lost(every_us) = self.settings.publisher else { return };
        if self.loss_us == 0 {
            self.loss_us = now_us + spread(every_us, self.id);
        }
        if now_us >= self.loss_us && engine.is_up(self.publisher) {
            self.loss_us = now_us + every_us;
            self.losses += 1;
            engine.connect(self.publisher);
        }
    }
}

impl Receiver {
    fn act(&mut self, engine: &mut Engine, id: u32, stage: Stage, now_us: u64) {
        let (Habit::Sleeps(us) | Habit::Lost(us) | Habit::Leaves(us)) = self.habit else { return };
        if self.next_us == 0 {
            self.next_us = now_us + spread(us, id);
        }
        let due = stage == Stage::Settling || now_us >= self.next_us;
        if !due || (stage == Stage::Settling && !self.away) {
            return;
        }
        self.next_us = now_us + us;
        match (self.habit, self.away) {
            (Habit::Sleeps(_), true) => engine.read(self.key, Reading::On),
            (Habit::Sleeps(_), false) => engine.read(self.key, Reading::Stalled),
            // It has not read to the end yet: the next time.
            (_, true) if engine.has_socket(self.key) => return,
            (_, true) => engine.connect(self.key),
            (_, false) if !engine.is_up(self.key) => return,
            (Habit::Lost(_), false) => engine.reset(self.key),
            (_, false) => engine.leave(self.key),
        }
        self.away = !self.away;
    }
}

impl Role for Stream {
    fn name(&self) -> &str {
        &self.name
    }

    fn keys(&self) -> Vec<Key> {
        self.receivers.iter().map(|r| r.key).chain([self.publisher]).collect()
    }

    fn act(&mut self, engine: &mut Engine, stage: Stage, now_us: u64) {
        if stage == Stage::Opening {
            for key in self.keys() {
                if !engine.has_socket(key) {
                    engine.connect(key);
                }
            }
            return;
        }
        for receiver in &mut self.receivers {
            receiver.act(engine, self.id, stage, now_us);
        }
        if stage == Stage::Running {
            self.publish(engine, now_us);
            self.lose_publisher(engine, now_us);
        }
    }

    fn hear(&mut self, engine: &mut Engine, heard: Heard, stage: Stage) -> Result<(), String> {
        let Some(r) = self.receivers.iter_mut().find(|r| r.key == heard.key) else {
            return match heard.event {
                Event::Up { session_present: false } if self.losses > 0 => {
                    Err("the publisher's session is gone".into())
                }
                _ => ordinary(heard),
            };
        };
        match heard.event {
            Event::Up { session_present: false } if stage == Stage::Opening => {
                engine.subscribe(r.key, &self.topic, self.settings.qos);
                Ok(())
            }
            Event::Up { session_present: false } => Err("the session is gone".into()),
            Event::Subscribed(reason) if !reason.is_error() => {
                r.subscribed = true;
                Ok(())
            }
            Event::Message(m) => match m.mark.filter(|m| m.stream == self.id) {
                Some(mark) => {
                    r.track.enter(mark, m.dup.into());
                    Ok(())
                }
                None => Err("a strange payload".into()),
            },
            Event::Closed(End::Left) if matches!(r.habit, Habit::Leaves(_)) => Ok(()),
            _ => ordinary(heard),
        }
    }

    fn is_done(&self, engine: &Engine, stage: Stage) -> bool {
        let here = self.receivers.iter().all(|r| r.subscribed && engine.is_up(r.key));
        let published =
            engine.client(self.publisher).under_way() == 0 && engine.waiting(self.publisher) == 0;
        engine.is_up(self.publisher) && here && (stage == Stage::Opening || published)
    }

    fn balance(&self) -> Balance {
        let mut balance =
            Balance { expected: self.sequence * self.receivers.len() as u64, ..Balance::default() };
        for Track { received, again, disorder, .. } in self.receivers.iter().map(|r| r.track) {
            balance += Balance { expected: 0, received, again, disorder };
        }
        balance
    }
}

/// A moment within `us` that differs from stream to stream.
fn spread(us: u64, id: u32) -> u64 {
    us + u64::from(id) * 104_729 % us
}

/// A publisher that lags behind by more waits.
const OUTPUT_BYTES: usize = 1024 * 1024;
