//! The hub in the crash proof: devices over MQTT 5 and HTTP, services, a registrar and a reader of
//! telemetry, each on a thread of its own because it blocks, and the accounts of what they were
//! answered. Owns when they begin and end. Refuses to know how a round ends.

mod books;
mod channel;
mod document;
mod fetcher;
mod queue;
mod reader;
mod registered;
mod registrar;
mod section;
mod service;
mod unit;

use super::breach::Rule;
use super::session::Session;
use crate::engine::Target;
use crate::hub::API;
use crate::hub::signing::Key;
use anyhow::{Result, bail};
use books::{Books, Shared, Stop};
use fetcher::Fetcher;
use reader::Reader;
use registrar::Registrar;
use serde_json::{Value, json};
use service::Service;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use unit::Unit;

/// Everybody of the hub.
pub struct Hub {
    shared: Arc<Shared>,
    actors: Vec<Actor>,
    devices: Vec<String>,
}

/// One of them, on its thread.
struct Actor {
    name: String,
    orders: Sender<Order>,
    done: Receiver<()>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Acting,
}

/// What an actor is told to do.
struct Order {
    target: Target,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    /// A round, until its end.
    Round(u64),
    /// The peaceful end.
    Settle,
}

impl Hub {
    /// Everybody, idle.
    pub fn new(seed: u64) -> Self {
        let mut devices: Vec<String> = (0..UNITS).map(|n| format!("unit-{n}")).collect();
        devices.push(FETCHER.to_owned());
        let shared = Arc::new(Shared::new(seed, devices.len(), GUESTS));
        let mut hub = Self { shared, actors: Vec::new(), devices };
        for at in 0..UNITS {
            let session = if at % 2 == 0 { Session::Passing } else { Session::Begun };
            let name = hub.devices[at].clone();
            let mut unit = Unit::new(Arc::clone(&hub.shared), name.clone(), at, session);
            hub.begin(&name, move |target, what| match what {
                What::Round(round) => unit.round(target, round),
                What::Settle => unit.settle(target),
            });
        }
        let mut fetcher = Fetcher::new(Arc::clone(&hub.shared), FETCHER.to_owned(), UNITS);
        hub.begin(FETCHER, move |target, what| match what {
            What::Round(round) => fetcher.round(target, round),
            What::Settle => fetcher.settle(target),
        });
        for name in SERVICES {
            let mut service = Service::new(Arc::clone(&hub.shared), name, hub.devices.clone());
            hub.begin(name, move |target, what| match what {
                What::Round(round) => service.round(target, round),
                What::Settle => service.settle(target),
            });
        }
        let mut registrar = Registrar::new(Arc::clone(&hub.shared), GUESTS);
        hub.begin("registrar", move |target, what| match what {
            What::Round(round) => registrar.round(target, round),
            What::Settle => registrar.settle(target),
        });
        let mut reader = Reader::new(Arc::clone(&hub.shared), hub.devices.clone());
        // The last: it settles when all others have.
        hub.begin("reader", move |target, what| match what {
            What::Round(round) => reader.round(target, round),
            What::Settle => reader.settle(target),
        });
        hub
    }

    /// Registers the devices.
    ///
    /// # Errors
    /// When they cannot be.
    pub fn open(&self, target: &Target) -> Result<()> {
        let mut https = service::https(target);
        for name in &self.devices {
            let key = Key::of(name).base64();
            let keys = json!({ "primaryKey": key, "secondaryKey": key });
            let body = json!({ "deviceId": name, "status": "enabled",
                "authentication": { "type": "sas", "symmetricKey": keys } });
            let path = format!("/devices/{name}?{API}");
            let answer = https.once("PUT", &path, &[], body.to_string().as_bytes())?;
            if answer.status / 100 != 2 {
                bail!("{name} is not registered: {} {}", answer.status, answer.text());
            }
        }
        Ok(())
    }

    /// Everybody begins a round.
    pub fn round(&mut self, target: &Target, round: u64) {
        self.shared.set_ending(false);
        for actor in &mut self.actors {
            actor.tell(target, What::Round(round));
        }
    }

    /// The process is about to end: from now on connections may break.
    pub fn ends(&self) {
        self.shared.set_ending(true);
    }

    /// Waits until everybody knows what was answered and what was not.
    pub fn rest(&mut self) {
        for actor in &mut self.actors {
            actor.wait(&self.shared);
        }
    }

    /// The peaceful end: everybody gets what is theirs, and what does not come is lost.
    pub fn settle(&mut self, target: &Target) {
        self.shared.set_ending(false);
        let (last, others) = self.actors.split_last_mut().expect("the reader is there");
        for actor in &mut *others {
            actor.tell(target, What::Settle);
        }
        others.iter_mut().for_each(|actor| actor.wait(&self.shared));
        last.tell(target, What::Settle);
        last.wait(&self.shared);
        let mut books = self.shared.books();
        let Books { queues, channel, found, .. } = &mut *books;
        for (queue, name) in queues.iter().zip(&self.devices) {
            for command in queue.missing() {
                let what = format!("command {command} was taken and does not come");
                found.push((Rule::Commands, name.clone(), what));
            }
        }
        for (device, number) in channel.missing() {
            let what = format!("message {number} was acknowledged and is not in the channel");
            found.push((Rule::Telemetry, self.devices[device].clone(), what));
        }
    }

    /// What was found wrong since the last time: rule, who has seen it, what.
    pub fn found(&self) -> Vec<(Rule, String, String)> {
        std::mem::take(&mut self.shared.books().found)
    }

    /// What was done.
    pub fn figures(&self) -> Value {
        let books = self.shared.books();
        json!({
            "reported": books.reported.iter().map(|s| s.answered).sum::<u64>(),
            "desired": books.desired.iter().map(|s| s.answered).sum::<u64>(),
            "commands taken": books.queues.iter().map(|q| q.accepted).sum::<u64>(),
            "commands delivered": books.queues.iter().map(|q| q.delivered).sum::<u64>(),
            "commands settled": books.queues.iter().map(|q| q.settled).sum::<u64>(),
            "telemetry acknowledged": books.channel.acknowledged,
            "telemetry read": books.channel.read,
            "registry changes": books.guests.iter().map(|g| g.answered).sum::<u64>(),
        })
    }

    fn begin(
        &mut self,
        name: &str,
        mut act: impl FnMut(&Target, What) -> Result<(), Stop> + Send + 'static,
    ) {
        let (orders, ordered) = channel::<Order>();
        let (done, is_done) = channel();
        let (shared, who) = (Arc::clone(&self.shared), name.to_owned());
        // It ends with its orders.
        std::thread::spawn(move || {
            for order in ordered {
                if let Err(stop) = act(&order.target, order.what) {
                    shared.stopped(&who, stop);
                }
                if done.send(()).is_err() {
                    return;
                }
            }
        });
        let (name, state) = (name.to_owned(), State::Idle);
        self.actors.push(Actor { name, orders, done: is_done, state });
    }
}

impl Actor {
    fn tell(&mut self, target: &Target, what: What) {
        if self.orders.send(Order { target: target.clone(), what }).is_ok() {
            self.state = State::Acting;
        }
    }

    fn wait(&mut self, shared: &Shared) {
        if std::mem::replace(&mut self.state, State::Idle) == State::Acting
            && self.done.recv_timeout(PATIENCE).is_err()
        {
            let what = "it is neither answered nor broken".to_owned();
            shared.books().found.push((Rule::Protocol, self.name.clone(), what));
        }
    }
}

const UNITS: usize = 4;
const FETCHER: &str = "fetcher";
const SERVICES: [&str; 2] = ["service-a", "service-b"];
const GUESTS: usize = 6;
/// Longer than any of them waits.
const PATIENCE: Duration = Duration::from_secs(60);
