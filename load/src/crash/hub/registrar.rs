//! A service that creates, changes and deletes identities, one at a time and in bulk. Refuses to
//! know devices.

use super::books::{Shared, Stop, by};
use super::registered::{Outcome, Stands, Step};
use super::service::{ask, https, success};
use crate::crash::breach::Rule;
use crate::crash::chance::Chance;
use crate::engine::Target;
use crate::https::{Answer, Https};
use crate::hub::API;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The service.
pub struct Registrar {
    shared: Arc<Shared>,
    guests: usize,
    /// The number of the last document.
    number: u64,
}

impl Registrar {
    /// For so many guests, who belong to it alone.
    pub fn new(shared: Arc<Shared>, guests: usize) -> Self {
        Self { shared, guests, number: 0 }
    }

    /// Changes until the process ends.
    ///
    /// # Errors
    /// When a connection or a rule breaks.
    pub fn round(&mut self, target: &Target, round: u64) -> Result<(), Stop> {
        let mut chance = Chance::of(self.shared.seed, round, "registrar");
        let mut https = https(target);
        self.look(&mut https)?;
        while self.shared.goes_on(PAUSE) {
            if chance.one_in(BULKS_ONE_IN) {
                self.bulk(&mut https)?;
            }
            let guest = chance.between(0, self.guests as u64 - 1) as usize;
            self.number += 1;
            let step = match chance.between(0, 4) {
                0 | 1 => Step::Create(self.number),
                2 | 3 => Step::Update(self.number),
                _ => Step::Delete,
            };
            self.step(&mut https, guest, step)?;
        }
        Ok(())
    }

    /// Looks at every guest.
    ///
    /// # Errors
    /// As [`Registrar::round`].
    pub fn settle(&mut self, target: &Target) -> Result<(), Stop> {
        self.look(&mut https(target))
    }

    fn look(&self, https: &mut Https) -> Result<(), Stop> {
        for guest in 0..self.guests {
            let path = format!("/devices/{}?{API}", name(guest));
            let answer = ask(https, "GET", &path, &[], b"")?;
            let found: Stands = match answer.status {
                404 => None,
                _ => {
                    Some(number(&success("GET", &path, &answer)?).ok_or_else(|| strange(&answer))?)
                }
            };
            self.shared.books().guests[guest].found(found).map_err(by(Rule::Registry))?;
        }
        Ok(())
    }

    fn step(&self, https: &mut Https, guest: usize, step: Step) -> Result<(), Stop> {
        let (name, any) = (name(guest), [("If-Match", "*")]);
        let path = format!("/devices/{name}?{API}");
        let body = |number: u64| {
            json!({ "deviceId": name, "status": "enabled", "statusReason": number.to_string() })
                .to_string()
        };
        let asked = match step {
            Step::Create(number) => ask(https, "PUT", &path, &[], body(number).as_bytes()),
            Step::Update(number) => ask(https, "PUT", &path, &any, body(number).as_bytes()),
            Step::Delete => ask(https, "DELETE", &path, &any, b""),
        };
        let outcome = match &asked {
            Err(_) => Outcome::Unknown,
            Ok(answer) if answer.status / 100 == 2 => Outcome::Done,
            Ok(answer) if matches!(answer.status, 404 | 409 | 412) => Outcome::Refused,
            Ok(answer) => return Err(strange(answer)),
        };
        self.shared.books().guests[guest].step(step, outcome).map_err(by(Rule::Registry))?;
        asked.map(|_| ())
    }

    /// Each guest gets another document, or one at all.
    fn bulk(&mut self, https: &mut Https) -> Result<(), Stop> {
        let mut steps = Vec::new();
        for guest in 0..self.guests {
            self.number += 1;
            let there = self.shared.books().guests[guest].stands().is_some();
            steps.push(if there { Step::Update(self.number) } else { Step::Create(self.number) });
        }
        let row = |(guest, step): (usize, &Step)| {
            let (mode, number) = match step {
                Step::Create(number) => ("create", number),
                Step::Update(number) => ("update", number),
                Step::Delete => ("delete", &0),
            };
            json!({ "id": name(guest), "importMode": mode, "status": "enabled",
                "statusReason": number.to_string() })
        };
        let rows: Vec<Value> = steps.iter().enumerate().map(row).collect();
        let path = format!("/devices?{API}");
        let asked = ask(https, "POST", &path, &[], Value::from(rows).to_string().as_bytes());
        let refused: Vec<String> = match &asked {
            Err(_) => Vec::new(),
            Ok(answer) if matches!(answer.status, 200 | 400) => refused(answer)?,
            Ok(answer) => return Err(strange(answer)),
        };
        for (guest, step) in steps.into_iter().enumerate() {
            let outcome = match &asked {
                Err(_) => Outcome::Unknown,
                Ok(_) if refused.contains(&name(guest)) => Outcome::Refused,
                Ok(_) => Outcome::Done,
            };
            self.shared.books().guests[guest].step(step, outcome).map_err(by(Rule::Registry))?;
        }
        asked.map(|_| ())
    }
}

/// A guest's id.
fn name(guest: usize) -> String {
    format!("guest-{guest}")
}

/// The number of a document.
fn number(document: &Value) -> Option<u64> {
    document["statusReason"].as_str()?.parse().ok()
}

/// Rows of a bulk operation that were not done.
fn refused(answer: &Answer) -> Result<Vec<String>, Stop> {
    let told: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let errors = told["errors"].as_array().ok_or_else(|| strange(answer))?;
    Ok(errors.iter().filter_map(|row| row["deviceId"].as_str().map(str::to_owned)).collect())
}

fn strange(answer: &Answer) -> Stop {
    let what = format!("the registry answers {} {}", answer.status, answer.text());
    Stop::Wrong(Rule::Protocol, what)
}

const PAUSE: Duration = Duration::from_millis(4);
const BULKS_ONE_IN: u64 = 20;
