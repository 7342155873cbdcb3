//! A run as it goes: the house, the engine, the cast and the ledger, and the steps of a round.
//! Refuses to know in which order they come.

use super::breach::Rule;
use super::cast::{Cast, Owner};
use super::house::House;
use super::hub::Hub;
use super::ledger::Ledger;
use super::postman::{New, Server};
use super::retained;
use super::settings::{Part, Settings};
use crate::engine::{End, Engine, Event, Heard, Key, Target};
use crate::waiting::Clock;
use anyhow::{Result, ensure};
use std::time::Duration;

/// Everything of a run.
pub struct Run {
    /// The server's.
    pub house: House,
    /// The books.
    pub ledger: Ledger,
    /// How long the peaceful end took.
    pub settled_s: f64,
    /// Devices and services, if they take part.
    pub hub: Option<Hub>,
    engine: Engine,
    cast: Cast,
    reader: Key,
    target: Target,
    seed: u64,
    clock: Clock,
    stage: Stage,
    heard: Vec<Heard>,
    last_message: Clock,
}

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Everybody subscribes; nothing is published.
    Opening,
    /// The load.
    Running,
    /// The process ends or has ended.
    Ending,
    /// Nothing new; everybody gets what is theirs.
    Settling,
}

impl Run {
    /// With everybody entered and nobody connected.
    ///
    /// # Errors
    /// When the system gives no poll.
    pub fn new(house: House, target: Target, settings: &Settings) -> Result<Self> {
        let (mut engine, mut ledger) = (Engine::new(target.clone())?, Ledger::default());
        let cast = Cast::gather(&mut engine, &mut ledger, settings);
        Ok(Self {
            house,
            ledger,
            settled_s: 0.0,
            hub: settings.has(Part::Hub).then(|| Hub::new(settings.seed)),
            reader: retained::reader(&mut engine),
            engine,
            cast,
            target,
            seed: settings.seed,
            clock: Clock::new(),
            stage: Stage::Opening,
            heard: Vec::new(),
            last_message: Clock::new(),
        })
    }

    /// Everybody connects and subscribes, and who is to be away goes.
    ///
    /// # Errors
    /// When it takes too long.
    pub fn open(&mut self) -> Result<()> {
        self.stage = Stage::Opening;
        if let Some(hub) = &self.hub {
            hub.open(&self.target)?;
        }
        self.everybody();
        let (begun, patience) = (Clock::new(), PATIENCE.as_secs_f64());
        while !self.is_open() {
            ensure!(begun.s() < patience, "the opening takes too long: {:?}", self.engine.faults);
            self.turn(begun.us())?;
        }
        for subscriber in &self.cast.subscribers {
            subscriber.rest(&mut self.engine);
        }
        // Whoever is away has had nothing when the first message is sent.
        while !self.cast.subscribers.iter().all(|s| s.is_away(&self.engine)) {
            ensure!(begun.s() < patience, "who leaves is not let go");
            self.turn(begun.us())?;
        }
        Ok(())
    }

    /// A round begins: the process runs, retained topics are as they should be, and whoever has a
    /// part in it connects or will.
    ///
    /// # Errors
    /// When the process does not start.
    pub fn begin(&mut self, round: u64, load: Duration) -> Result<()> {
        self.ledger.round = round;
        if round == 0 {
            return Ok(());
        }
        self.start()?;
        self.connect_publishers();
        let load_us = u64::try_from(load.as_micros()).unwrap_or(u64::MAX);
        for subscriber in &mut self.cast.subscribers {
            subscriber.plan(self.seed, round, load_us);
        }
        for publisher in &mut self.cast.publishers {
            publisher.plan(self.seed, round, load_us);
        }
        Ok(())
    }

    /// A second process on the directory must be refused.
    ///
    /// # Errors
    /// When it cannot be started at all.
    pub fn intrude(&mut self) -> Result<()> {
        if let Some(why) = self.house.intrude()? {
            self.fail(&why);
        }
        Ok(())
    }

    /// Loads the server for so long, or until something is broken.
    ///
    /// # Errors
    /// When the poll fails.
    pub fn load(&mut self, time: Duration) -> Result<()> {
        self.stage = Stage::Running;
        if let Some(hub) = &mut self.hub {
            hub.round(&self.target, self.ledger.round);
        }
        let begun = Clock::new();
        let until = |breaches| if breaches == 0 { time.as_secs_f64() } else { OTHERS_S };
        while begun.s() < until(self.ledger.breaches.count()) {
            self.turn(begun.us())?;
        }
        if !self.house.lives()? {
            self.fail("it ended by itself");
        }
        Ok(())
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        self.ends();
        self.house.kill()
    }

    /// SIGTERM, and its clients read on until it has ended.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&mut self) -> Result<()> {
        self.ends();
        self.house.ask_to_stop();
        let begun = Clock::new();
        while self.house.lives()? {
            ensure!(begun.s() < PATIENCE.as_secs_f64(), "SIGTERM does not stop it");
            self.turn(u64::MAX)?;
        }
        if let Some(why) = self.house.ended()? {
            self.fail(&why);
        }
        Ok(())
    }

    /// The disk as it is, and the process and what its kernel kept are gone.
    ///
    /// # Errors
    /// When the image cannot be copied or mounted.
    pub fn cut_power(&mut self) -> Result<()> {
        self.ends();
        self.house.cut_power()
    }

    /// All connections are lost; the process lives.
    pub fn disconnect(&mut self) {
        self.ends();
        for key in 0..self.cast.owners.len() {
            self.engine.reset(key);
        }
    }

    /// Everybody reads what came to the end and knows what was answered and what was not.
    ///
    /// # Errors
    /// When the poll fails.
    pub fn rest(&mut self) -> Result<()> {
        for key in 0..self.cast.owners.len() {
            if self.engine.is_deaf(key) {
                // What it did not read it never had.
                self.engine.reset(key);
            }
        }
        let begun = Clock::new();
        let open =
            |engine: &Engine, cast: &Cast| (0..cast.owners.len()).any(|key| engine.has_socket(key));
        while open(&self.engine, &self.cast) && begun.s() < CLOSE.as_secs_f64() {
            self.turn(u64::MAX)?;
        }
        for key in 0..self.cast.owners.len() {
            self.engine.reset(key);
        }
        if let Some(hub) = &mut self.hub {
            hub.ends();
            hub.rest();
        }
        self.take_found();
        for publisher in &self.cast.publishers {
            publisher.pause(&self.engine, &mut self.ledger);
        }
        for postman in &mut self.cast.postmen {
            if let Err((rule, why)) = postman.answered(&mut self.ledger, Server::Ended) {
                self.ledger.broken(rule, postman.name(), None, &why);
            }
        }
        Ok(())
    }

    /// The peaceful end: publishers finish, everybody gets what is theirs, and the process stops.
    ///
    /// # Errors
    /// When it cannot be carried out.
    pub fn settle(&mut self) -> Result<()> {
        self.rest()?;
        self.start()?;
        self.stage = Stage::Settling;
        self.everybody();
        let begun = Clock::new();
        self.last_message = Clock::new();
        while !self.is_settled() {
            if begun.s() > SETTLE_S {
                self.fail("the end does not settle");
                break;
            }
            self.turn(begun.us())?;
        }
        // What is broken already stays so, and waiting for it takes long.
        if let Some(hub) = self.hub.as_mut().filter(|_| self.ledger.breaches.count() == 0) {
            hub.settle(&self.target);
        }
        self.take_found();
        self.settled_s = begun.s();
        self.check_retained()?;
        self.stop()?;
        self.rest()
    }

    /// Enters that the process is not what it should be.
    pub fn fail(&mut self, why: &str) {
        self.ledger.broken(Rule::Process, "server", None, why);
    }

    /// From now on connections may break.
    fn ends(&mut self) {
        self.stage = Stage::Ending;
        if let Some(hub) = &self.hub {
            hub.ends();
        }
    }

    /// Enters what the hub's accounts have found.
    fn take_found(&mut self) {
        for (rule, who, what) in self.hub.iter().flat_map(Hub::found) {
            self.ledger.broken(rule, &who, None, &what);
        }
    }

    /// The process runs, and the retained topics are judged before anybody writes.
    fn start(&mut self) -> Result<()> {
        if !self.house.lives()? {
            self.target = self.house.start(self.ledger.round)?;
            self.engine.aim(self.target.clone());
        }
        self.engine.faults.clear();
        self.check_retained()
    }

    fn check_retained(&mut self) -> Result<()> {
        if self.ledger.breaches.of(Rule::Retained) > 0 {
            // What is gone stays gone, and waiting for it takes long.
            return Ok(());
        }
        let Self { engine, reader, target, ledger, cast, .. } = self;
        retained::read(engine, *reader, target, ledger, &cast.retained)
    }

    fn everybody(&mut self) {
        self.connect_publishers();
        self.cast.subscribers.iter_mut().for_each(|subscriber| subscriber.attend());
    }

    fn connect_publishers(&mut self) {
        for publisher in &self.cast.publishers {
            self.engine.connect(publisher.key);
        }
    }

    fn is_open(&self) -> bool {
        let publishers = self.cast.publishers.iter().all(|p| self.engine.is_up(p.key));
        let round = self.ledger.round;
        publishers && self.cast.subscribers.iter().all(|s| s.is_subscribed(round))
    }

    /// All is sent and received; or nothing comes any more, and what is missing is lost.
    fn is_settled(&self) -> bool {
        let quiet = self.last_message.s();
        let sent = self.cast.publishers.iter().all(|p| p.is_done(&self.engine))
            && self.cast.postmen.iter().all(|p| p.is_done());
        let there = self.is_open();
        let enough = quiet > QUIET_S && (quiet > MISSING_QUIET_S || self.ledger.missing() == 0);
        sent && there && enough
    }

    /// Everybody does what is due at `now_us` of this stage, and hears.
    fn turn(&mut self, now_us: u64) -> Result<()> {
        let Self { engine, cast, ledger, target, .. } = self;
        if self.stage.serves() {
            let new = if self.stage == Stage::Running { New::Yes } else { New::No };
            for subscriber in &mut cast.subscribers {
                subscriber.act(engine, now_us);
            }
            for publisher in cast.publishers.iter_mut().filter(|_| new == New::Yes) {
                publisher.listen(engine, now_us);
                publisher.act(engine, ledger, self.clock.us());
            }
            for postman in &mut cast.postmen {
                postman.act(target, ledger, new, self.clock.us());
                if let Err((rule, why)) = postman.answered(ledger, Server::Lives) {
                    ledger.broken(rule, postman.name(), None, &why);
                }
            }
        }
        self.take_found();
        let mut heard = std::mem::take(&mut self.heard);
        self.engine.turn(Some(TURN), &mut heard, |_| {})?;
        for heard in heard.drain(..) {
            self.hear(heard);
        }
        self.heard = heard;
        Ok(())
    }

    fn hear(&mut self, Heard { key, event }: Heard) {
        if matches!(event, Event::Message(_)) {
            self.last_message = Clock::new();
        }
        let Self { engine, ledger, cast, .. } = self;
        // The reader of retained topics hears for itself.
        let Some(owner) = cast.owners.get(key) else { return };
        let done = match (event, owner) {
            (Event::Closed(End::Left), _) => Ok(()),
            (Event::Closed(_) | Event::Told(_) | Event::Refused(_), _)
                if !self.stage.serves() && event != Event::Closed(End::Wrong) =>
            {
                Ok(())
            }
            (Event::Closed(_), _) => {
                Err((Rule::Protocol, format!("{event:?}: {:?}", engine.faults.last())))
            }
            (event, Owner::Publisher(at)) => cast.publishers[*at].hear(ledger, event),
            (event, Owner::Subscriber(at)) => cast.subscribers[*at].hear(engine, ledger, event),
        };
        if let Err((rule, why)) = done {
            let who = engine.client(key).plan.client_id.clone();
            ledger.broken(rule, &who, None, &why);
        }
    }
}

/// After a breach: whoever else has something to find gets to look.
const OTHERS_S: f64 = 0.5;
const TURN: Duration = Duration::from_millis(2);
/// Long enough for anything on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// A killed process leaves no open connection.
const CLOSE: Duration = Duration::from_secs(5);
/// Without a message for so long, and nothing is missing: nothing comes twice either.
const QUIET_S: f64 = 0.7;
/// Without a message for so long: what is missing does not come.
const MISSING_QUIET_S: f64 = 4.0;
/// A long run's sessions take a while to empty.
const SETTLE_S: f64 = 300.0;
