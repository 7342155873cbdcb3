//! A service that reads the feedback of commands: it understands a batch, gives it back, or keeps
//! it for as long as its lock lasts. Refuses to know devices.

use super::books::{Books, Shared, Stop, by};
use super::ending::Way;
use super::member::{MEMBERS, place};
use super::queue::GIVEN_BACK_MAX;
use super::role::Role;
use super::service::{ask, https, success};
use crate::crash::breach::Rule;
use crate::crash::chance::Chance;
use crate::engine::Target;
use crate::https::Https;
use crate::hub::API;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The service.
pub struct Listener {
    shared: Arc<Shared>,
}

/// What it does with a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Understand,
    GiveBack,
    Keep,
}

/// The end of a command: whose, its number, how.
type End = (usize, u64, Way);

impl Listener {
    /// The only one.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl Role for Listener {
    /// Reads until the process ends.
    fn round(&mut self, target: &Target, round: u64) -> Result<(), Stop> {
        let mut chance = Chance::of(self.shared.seed, round, "listener");
        let mut https = https(target);
        while self.shared.goes_on(PAUSE) {
            let then = match chance.between(0, 9) {
                0 | 1 => Then::GiveBack,
                2 => Then::Keep,
                _ => Then::Understand,
            };
            self.read(&mut https, then)?;
        }
        Ok(())
    }

    /// Reads all that there is. The last batch forms a while after the one before.
    fn settle(&mut self, target: &Target) -> Result<(), Stop> {
        let (mut https, end) = (https(target), Instant::now() + PATIENCE);
        loop {
            self.read(&mut https, Then::Understand)?;
            let untold = untold(&self.shared.books());
            let Some((device, commands)) = untold.into_iter().next() else { return Ok(()) };
            if Instant::now() > end {
                let what = format!("nobody is told how {commands:?} of {device} have ended");
                return Err(Stop::Wrong(Rule::Feedback, what));
            }
            self.shared.goes_on(PAUSE);
        }
    }
}

impl Listener {
    fn read(&self, https: &mut Https, then: Then) -> Result<(), Stop> {
        let answer = ask(https, "GET", &format!("{FEEDBACK}?{API}"), &[], b"")?;
        if answer.status == 204 {
            return Ok(());
        }
        let batch = success("GET", FEEDBACK, &answer)?;
        let ends: Option<Vec<End>> =
            batch.as_array().and_then(|rows| rows.iter().map(end).collect());
        let lock = answer.header("etag").map(|text| text.trim_matches('"').to_owned());
        let deliveries = answer.header("iothub-deliverycount").and_then(number);
        let (Some(ends), Some(lock), Some(deliveries)) = (ends, lock, deliveries) else {
            let what = format!("this is no feedback of ours: {}", answer.text());
            return Err(Stop::Wrong(Rule::Feedback, what));
        };
        for (device, command, way) in &ends {
            let told = self.shared.books().queues[*device].tell(*command, *way);
            told.map_err(|wrong| format!("{}: {wrong}", MEMBERS[*device].name))
                .map_err(by(Rule::Feedback))?;
        }
        let then = if deliveries < GIVEN_BACK_MAX { then } else { Then::Understand };
        let (verb, path) = match then {
            Then::Keep => return Ok(()),
            Then::GiveBack => ("POST", format!("{FEEDBACK}/{lock}/abandon?{API}")),
            Then::Understand => ("DELETE", format!("{FEEDBACK}/{lock}?{API}")),
        };
        success(verb, &path, &ask(https, verb, &path, &[], b"")?)?;
        if then == Then::Understand {
            let queues = &mut self.shared.books().queues;
            ends.iter().for_each(|(device, command, _)| queues[*device].understood(*command));
        }
        Ok(())
    }
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

fn end(row: &Value) -> Option<End> {
    let command = row["originalMessageId"].as_str()?.strip_prefix('m').and_then(number)?;
    Some((place(row["deviceId"].as_str()?)?, command, Way::parse(row["statusCode"].as_str()?)?))
}

/// Devices whose commands have ended without a word.
fn untold(books: &Books) -> Vec<(&'static str, Vec<u64>)> {
    let queues = MEMBERS.iter().zip(&books.queues);
    let untold = queues.map(|(member, queue)| (member.name, queue.untold()));
    untold.filter(|(_, commands)| !commands.is_empty()).collect()
}

const FEEDBACK: &str = "/messages/serviceBound/feedback";
const PAUSE: Duration = Duration::from_millis(20);
/// A batch of less than 64 forms 15 s after the last, and a lock lasts 5 s.
const PATIENCE: Duration = Duration::from_secs(40);
