//! A device that gets its commands by HTTP, one at a time under a lock, and that a service purges.
//! Refuses to know MQTT.

use super::books::{Shared, Stop, by};
use super::ending::Way as Ended;
use super::member::MEMBERS;
use super::queue::{GIVEN_BACK_MAX, Settled};
use super::role::Role;
use super::service::{ask, https, success, waiting};
use super::unit::SETTLE;
use crate::crash::breach::Rule;
use crate::crash::chance::Chance;
use crate::engine::Target;
use crate::https::Https;
use crate::hub::API;
use crate::hub::signing::Key;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The device.
pub struct Fetcher {
    shared: Arc<Shared>,
    name: &'static str,
    /// Its place in the accounts.
    at: usize,
    /// A number for each fetch: a lock is no connection.
    fetches: u64,
}

/// What it does with what it gets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Complete,
    Reject,
    Abandon,
    Forget,
}

impl Fetcher {
    /// Registered already.
    pub fn new(shared: Arc<Shared>, at: usize) -> Self {
        Self { shared, name: MEMBERS[at].name, at, fetches: 0 }
    }
}

impl Role for Fetcher {
    /// Fetches and settles until the process ends.
    fn round(&mut self, target: &Target, round: u64) -> Result<(), Stop> {
        let mut chance = Chance::of(self.shared.seed, round, self.name);
        let (mut own, mut service) = (self.own(target), https(target));
        self.shared.books().queues[self.at].begin();
        while self.shared.goes_on(PAUSE) {
            if chance.one_in(PURGES_ONE_IN) {
                self.purge(&mut service)?;
            }
            let way = match chance.between(0, 9) {
                0 => Way::Abandon,
                1 => Way::Reject,
                2 => Way::Forget,
                _ => Way::Complete,
            };
            self.fetch(&mut own, way)?;
        }
        Ok(())
    }

    /// Completes all that is there, when the locks of what was kept end too.
    fn settle(&mut self, target: &Target) -> Result<(), Stop> {
        let (mut own, mut service) = (self.own(target), https(target));
        let end = Instant::now() + SETTLE;
        while waiting(&mut service, self.name)? > 0 {
            self.fetch(&mut own, Way::Complete)?;
            self.shared.goes_on(PAUSE);
            if Instant::now() > end {
                let what = "commands are there and cannot be fetched".to_owned();
                return Err(Stop::Wrong(Rule::Commands, what));
            }
        }
        Ok(())
    }
}

impl Fetcher {
    fn own(&self, target: &Target) -> Https {
        let token = Key::of(self.name).token(self.name);
        Https::showing(target.ports.https, Arc::clone(&target.tls), token)
    }

    fn fetch(&mut self, own: &mut Https, way: Way) -> Result<(), Stop> {
        let base = format!("/devices/{}/messages/devicebound", self.name);
        // The shortest lock that there is.
        let headers = [("IotHub-MessageLockTimeout", "5")];
        let answer = ask(own, "GET", &format!("{base}?{API}"), &headers, b"")?;
        if answer.status == 204 {
            return Ok(());
        }
        success("GET", &base, &answer)?;
        let number = |text: &str| text.parse::<u64>().ok();
        let header = |name: &str| answer.header(name).and_then(number);
        let (Some(command), Some(sequence), Some(deliveries), Some(lock)) = (
            number(&answer.text()),
            header("iothub-sequencenumber"),
            header("iothub-deliverycount"),
            answer.header("etag").map(|text| text.trim_matches('"').to_owned()),
        ) else {
            return Err(Stop::Wrong(Rule::Protocol, format!("no command: {}", answer.text())));
        };
        self.fetches += 1;
        let (settled, way) = match way {
            Way::Forget => (None, way),
            Way::Abandon if deliveries < GIVEN_BACK_MAX => (Some(Settled::Abandoned), way),
            Way::Abandon | Way::Complete => (Some(Settled::Ended(Ended::Completed)), Way::Complete),
            Way::Reject => (Some(Settled::Ended(Ended::Rejected)), way),
        };
        {
            let queue = &mut self.shared.books().queues[self.at];
            queue
                .deliver(command, Some((sequence, deliveries)), self.fetches)
                .map_err(by(Rule::Commands))?;
            if let Some(settled) = settled {
                queue.settle(command, settled, self.fetches);
            }
        }
        let Some(settled) = settled else { return Ok(()) };
        let (verb, path) = match way {
            Way::Abandon => ("POST", format!("{base}/{lock}/abandon?{API}")),
            Way::Reject => ("DELETE", format!("{base}/{lock}?{API}&reject")),
            Way::Complete | Way::Forget => ("DELETE", format!("{base}/{lock}?{API}")),
        };
        let answer = ask(own, verb, &path, &[], b"")?;
        success(verb, &path, &answer)?;
        self.shared.books().queues[self.at].confirm(command, settled).map_err(by(Rule::Commands))
    }

    fn purge(&mut self, service: &mut Https) -> Result<(), Stop> {
        let purge = self.shared.books().queues[self.at].purge();
        let path = format!("/devices/{}/commands?{API}", self.name);
        let answer = ask(service, "DELETE", &path, &[], b"")?;
        let count = success("DELETE", &path, &answer)?["totalMessagesPurged"].as_u64();
        let count = count.ok_or_else(|| Stop::Wrong(Rule::Protocol, answer.text()))?;
        self.shared.books().queues[self.at].purged(&purge, count).map_err(by(Rule::Commands))
    }
}

const PAUSE: Duration = Duration::from_millis(4);
const PURGES_ONE_IN: u64 = 60;
