//! A subscriber with a session that outlives its connections, and its habits: there all the time,
//! coming and going, or away until the end. Refuses to know what must come; that is the ledger's.

use super::breach::Rule;
use super::chance::Chance;
use super::ledger::Ledger;
use super::session::Session;
use crate::engine::{Engine, Event, Key, Reading};
use mqtt::qos::QoS;
use std::collections::VecDeque;

/// One subscriber.
pub struct Subscriber {
    /// Its client.
    pub key: Key,
    name: String,
    habit: Habit,
    /// Its page in the ledger; members of a group have one together.
    reader: usize,
    session: Session,
    filters: Vec<Filter>,
    /// Filters whose SUBACK is to come, in order.
    asked: VecDeque<usize>,
    turns: Turns,
}

/// What a subscriber wants.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The filter, `$share/...` too.
    pub text: String,
    /// The level.
    pub qos: QoS,
    /// In which round it subscribes; 0 = before anything is published.
    pub round: u64,
    granted: bool,
}

/// When a subscriber is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// In every round.
    Steady,
    /// By chance, and by chance it goes or comes within a round.
    Comes,
    /// Not between the opening and the end.
    Away,
}

/// What comes within a round: microseconds since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Turns {
    comes: Option<u64>,
    leaves: Option<u64>,
    breaks: Option<u64>,
    /// It reads no more: what is sent to it is under way when the round ends.
    deafens: Option<u64>,
}

impl Filter {
    /// Subscribed to before anything is published.
    pub fn new(text: impl Into<String>, qos: QoS) -> Self {
        Self { text: text.into(), qos, round: 0, granted: false }
    }

    /// Subscribed to in a later round.
    pub fn later(text: impl Into<String>, qos: QoS, round: u64) -> Self {
        Self { round, ..Self::new(text, qos) }
    }
}

impl Subscriber {
    /// Of a client that the engine has and a reader that the ledger has.
    pub fn new(key: Key, name: String, habit: Habit, reader: usize, filters: Vec<Filter>) -> Self {
        let (session, asked, turns) = (Session::Begun, VecDeque::new(), Turns::default());
        Self { key, name, habit, reader, session, filters, asked, turns }
    }

    /// What the seed has for it in a round that lasts `round_us`.
    pub fn plan(&mut self, seed: u64, round: u64, round_us: u64) {
        let mut chance = Chance::of(seed, round, &self.name);
        let (kind, at) = (chance.between(0, 4), chance.between(0, round_us));
        let mut turns = Turns { comes: Some(0), ..Turns::default() };
        match (self.habit, kind) {
            (Habit::Steady, 0 | 1) => turns.deafens = Some(at),
            (Habit::Steady, _) | (Habit::Comes, 0) => {}
            (Habit::Away, _) | (Habit::Comes, 1) => turns.comes = None,
            (Habit::Comes, 2) => turns.comes = Some(at),
            (Habit::Comes, 3) => turns.leaves = Some(at),
            (Habit::Comes, _) => turns.breaks = Some(at),
        }
        self.turns = turns;
    }

    /// Is there from now on, whatever its habit: the opening and the end.
    pub fn attend(&mut self) {
        self.turns = Turns { comes: Some(0), ..Turns::default() };
    }

    /// Does what is due.
    pub fn act(&mut self, engine: &mut Engine, now_us: u64) {
        let due = |at: &mut Option<u64>| at.take_if(|at| *at <= now_us).is_some();
        if due(&mut self.turns.comes) {
            engine.connect(self.key);
        }
        if due(&mut self.turns.leaves) {
            engine.leave(self.key);
        }
        if due(&mut self.turns.breaks) {
            engine.reset(self.key);
        }
        if due(&mut self.turns.deafens) {
            engine.read(self.key, Reading::Stalled);
        }
    }

    /// DISCONNECT, if it is one who goes.
    pub fn rest(&self, engine: &mut Engine) {
        if self.habit == Habit::Away {
            engine.leave(self.key);
        }
    }

    /// Whether it is gone, if it is one who goes.
    pub fn is_away(&self, engine: &Engine) -> bool {
        self.habit != Habit::Away || !engine.has_socket(self.key)
    }

    /// Takes an event of its client.
    ///
    /// # Errors
    /// With the rule that it breaks; connections that end are the caller's to judge.
    pub fn hear(
        &mut self,
        engine: &mut Engine,
        ledger: &mut Ledger,
        event: Event,
    ) -> Result<(), (Rule, String)> {
        match event {
            Event::Up { session_present } => {
                let found = self.session.up(session_present);
                if !session_present {
                    self.filters.iter_mut().for_each(|filter| filter.granted = false);
                }
                self.subscribe(engine, ledger);
                found.map_err(|why| (Rule::Session, why.to_owned()))
            }
            Event::Subscribed(reason) => {
                let Some(at) = self.asked.pop_front() else {
                    return Err((Rule::Protocol, "SUBACK without SUBSCRIBE".to_owned()));
                };
                let filter = &mut self.filters[at];
                if reason.code() != filter.qos.bits() {
                    let why = format!("{} was granted {reason:?}", filter.text);
                    return Err((Rule::Protocol, why));
                }
                filter.granted = true;
                ledger.granted(self.reader, &filter.text);
                Ok(())
            }
            Event::Message(m) => match m.mark {
                Some(mark) => {
                    ledger.received(self.reader, mark.stream, mark.sequence);
                    Ok(())
                }
                None => Err((Rule::Protocol, "a strange payload".to_owned())),
            },
            other => Err((Rule::Protocol, format!("{other:?}"))),
        }
    }

    /// Whether every subscription that is due is granted.
    pub fn is_subscribed(&self, round: u64) -> bool {
        self.filters.iter().all(|filter| filter.granted || filter.round > round)
    }

    /// Asks for what is due and not granted; nobody knows of an answer that did not come.
    fn subscribe(&mut self, engine: &mut Engine, ledger: &mut Ledger) {
        self.asked.clear();
        for (at, filter) in self.filters.iter().enumerate() {
            if !filter.granted && filter.round <= ledger.round {
                ledger.asked(self.reader, &filter.text, filter.qos);
                engine.subscribe(self.key, &filter.text, filter.qos);
                self.asked.push_back(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_and_goes_does_all_of_it_by_the_seed() {
        let mut comer = Subscriber::new(0, "comer".into(), Habit::Comes, 0, Vec::new());
        let mut plans = Vec::new();
        for round in 0..60 {
            comer.plan(1, round, 1_000);
            let first = comer.turns;
            comer.plan(1, round, 1_000);
            assert_eq!(first, comer.turns);
            plans.push(first);
        }
        let count = |kind: fn(&Turns) -> bool| plans.iter().filter(|t| kind(t)).count();
        assert!(count(|t| t.comes.is_none()) > 3);
        assert!(count(|t| t.comes.is_some_and(|at| at > 0)) > 3);
        assert!(count(|t| t.leaves.is_some()) > 3 && count(|t| t.breaks.is_some()) > 3);
    }
}
