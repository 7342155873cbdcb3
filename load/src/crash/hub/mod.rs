//! The hub in the crash proof: devices and modules over MQTT 5, MQTT 3.1.1 and HTTP, services of
//! each kind and a reader of telemetry, each on a thread of its own because it blocks, and the
//! accounts of what they were answered. Owns when they begin and end. Refuses to know how a round
//! ends.

mod books;
mod caller;
mod calls;
mod channel;
mod document;
mod ending;
mod events;
mod fetcher;
mod foreman;
mod jobs;
mod listener;
mod member;
mod queue;
mod reader;
mod registered;
mod registrar;
mod role;
mod section;
mod service;
mod shown;
mod unit;

use super::breach::Rule;
use crate::engine::Target;
use crate::hub::signing::Key;
use crate::hub::{API, path};
use anyhow::{Result, bail};
use books::{Books, Shared};
use caller::Caller;
use fetcher::Fetcher;
use foreman::{FLEET, Foreman};
use listener::Listener;
use member::MEMBERS;
use reader::Reader;
use registrar::{GUESTS, HOST, Registrar};
use role::Role;
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
}

/// One of them, on its thread.
struct Actor {
    name: &'static str,
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
        let shared = Arc::new(Shared::new(seed, GUESTS));
        let mut hub = Self { shared, actors: Vec::new() };
        for (at, member) in MEMBERS.iter().enumerate() {
            match Unit::new(Arc::clone(&hub.shared), at) {
                Some(unit) => hub.join(member.name, unit),
                None => hub.join(member.name, Fetcher::new(Arc::clone(&hub.shared), at)),
            }
        }
        for name in SERVICES {
            hub.join(name, Service::new(Arc::clone(&hub.shared), name));
        }
        for name in CALLERS {
            hub.join(name, Caller::new(Arc::clone(&hub.shared), name));
        }
        hub.join("registrar", Registrar::new(Arc::clone(&hub.shared)));
        hub.join("foreman", Foreman::new(Arc::clone(&hub.shared)));
        // They settle when all others have, and in this order.
        hub.join("listener", Listener::new(Arc::clone(&hub.shared)));
        hub.join("reader", Reader::new(Arc::clone(&hub.shared)));
        hub
    }

    /// Registers the members, and who else has to be there.
    ///
    /// # Errors
    /// When they cannot be.
    pub fn open(&self, target: &Target) -> Result<()> {
        let mut https = service::https(target);
        let members = MEMBERS.iter().map(|member| member.name.to_owned());
        for id in members.chain((0..FLEET).map(foreman::writable)).chain([HOST.to_owned()]) {
            let key = Key::of(&id).base64();
            let keys = json!({ "primaryKey": key, "secondaryKey": key });
            let authentication = json!({ "type": "sas", "symmetricKey": keys });
            let body = match id.split_once('/') {
                None => json!({ "deviceId": id, "authentication": authentication }),
                Some((device, module)) => json!({ "deviceId": device, "moduleId": module,
                    "authentication": authentication }),
            };
            let path = format!("/devices/{}?{API}", path(&id));
            let answer = https.once("PUT", &path, &[], body.to_string().as_bytes())?;
            if answer.status / 100 != 2 {
                bail!("{id} is not registered: {} {}", answer.status, answer.text());
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
        let first = self.actors.len() - LAST;
        let (others, last) = self.actors.split_at_mut(first);
        for actor in &mut *others {
            actor.tell(target, What::Settle);
        }
        others.iter_mut().for_each(|actor| actor.wait(&self.shared));
        for actor in last {
            actor.tell(target, What::Settle);
            actor.wait(&self.shared);
        }
        let mut books = self.shared.books();
        let Books { queues, channel, found, .. } = &mut *books;
        for (queue, member) in queues.iter().zip(MEMBERS) {
            for command in queue.missing() {
                let what = format!("command {command} was taken and does not come");
                found.push((Rule::Commands, member.name.to_owned(), what));
            }
        }
        for (member, number) in channel.missing() {
            let what = format!("message {number} was acknowledged and is not in the channel");
            found.push((Rule::Telemetry, MEMBERS[member].name.to_owned(), what));
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
            "ends told": books.queues.iter().map(|q| q.told).sum::<u64>(),
            "methods answered": books.calls.answered,
            "methods without an answer": books.calls.failed,
            "jobs ended": books.jobs.ended,
            "devices done by jobs": books.jobs.done,
            "telemetry acknowledged": books.channel.acknowledged,
            "telemetry read": books.channel.read,
            "events told": books.events.told,
            "registry changes": books.guests.iter().map(|g| g.answered).sum::<u64>(),
        })
    }

    fn join(&mut self, name: &'static str, mut role: impl Role + Send + 'static) {
        let (orders, ordered) = channel::<Order>();
        let (done, is_done) = channel();
        let shared = Arc::clone(&self.shared);
        // It ends with its orders.
        std::thread::spawn(move || {
            for order in ordered {
                let acted = match order.what {
                    What::Round(round) => role.round(&order.target, round),
                    What::Settle => role.settle(&order.target),
                };
                if let Err(stop) = acted {
                    shared.stopped(name, stop);
                }
                if done.send(()).is_err() {
                    return;
                }
            }
        });
        self.actors.push(Actor { name, orders, done: is_done, state: State::Idle });
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
            shared.books().found.push((Rule::Protocol, self.name.to_owned(), what));
        }
    }
}

const SERVICES: [&str; 2] = ["service-a", "service-b"];
const CALLERS: [&str; 2] = ["caller-a", "caller-b"];
/// So many settle one after the other.
const LAST: usize = 2;
/// Longer than any of them waits.
const PATIENCE: Duration = Duration::from_secs(60);
