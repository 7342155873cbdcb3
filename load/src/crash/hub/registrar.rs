//! A service that creates, changes and deletes devices, one at a time and in bulk, and modules.
//! Refuses to know who connects.

use super::books::{Shared, Stop, by};
use super::registered::{Outcome, Stands, Step};
use super::role::Role;
use super::service::{ask, https, success};
use crate::crash::breach::Rule;
use crate::crash::chance::Chance;
use crate::engine::Target;
use crate::https::{Answer, Https};
use crate::hub::{API, path};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The service.
pub struct Registrar {
    shared: Arc<Shared>,
    /// The number of the last document.
    number: u64,
}

impl Registrar {
    /// The guests belong to it alone.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared, number: 0 }
    }
}

impl Role for Registrar {
    /// Changes until the process ends.
    fn round(&mut self, target: &Target, round: u64) -> Result<(), Stop> {
        let mut chance = Chance::of(self.shared.seed, round, "registrar");
        let mut https = https(target);
        self.look(&mut https)?;
        while self.shared.goes_on(PAUSE) {
            if chance.one_in(BULKS_ONE_IN) {
                self.bulk(&mut https)?;
            }
            let guest = chance.between(0, GUESTS as u64 - 1) as usize;
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
    fn settle(&mut self, target: &Target) -> Result<(), Stop> {
        self.look(&mut https(target))
    }
}

impl Registrar {
    fn look(&self, https: &mut Https) -> Result<(), Stop> {
        for guest in 0..GUESTS {
            let path = format!("/devices/{}?{API}", path(&name(guest)));
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
        let path = format!("/devices/{}?{API}", path(&name));
        let body = |number: u64| document(&name, number).to_string();
        let asked = match step {
            Step::Create(number) => ask(https, "PUT", &path, &[], body(number).as_bytes()),
            Step::Update(number) => ask(https, "PUT", &path, &any, body(number).as_bytes()),
            Step::Delete => ask(https, "DELETE", &path, &any, b""),
        };
        let outcome = match &asked {
            Err(_) => Outcome::Unknown,
            Ok(answer) if answer.status / 100 == 2 => Outcome::Done,
            Ok(answer) if answer.status == 404 && matches!(step, Step::Create(_)) => {
                return self.alone(guest, answer);
            }
            Ok(answer) if matches!(answer.status, 404 | 409 | 412) => Outcome::Refused,
            Ok(answer) => return Err(strange(answer)),
        };
        let guests = &mut self.shared.books().guests;
        guests[guest].step(step, outcome).map_err(by(Rule::Registry))?;
        if step == Step::Delete {
            // A device takes its modules along.
            let parts = (0..GUESTS).filter(|part| parent(*part) == Some(guest));
            parts.for_each(|part| guests[part].gone(outcome));
        }
        asked.map(|_| ())
    }

    /// There is no device for a module, and so no module.
    fn alone(&self, guest: usize, answer: &Answer) -> Result<(), Stop> {
        let Some(parent) = parent(guest) else { return Err(strange(answer)) };
        let guests = &mut self.shared.books().guests;
        guests[parent].found(None).map_err(by(Rule::Registry))?;
        guests[guest].found(None).map_err(by(Rule::Registry))
    }

    /// Each device among the guests gets another document, or one at all.
    fn bulk(&mut self, https: &mut Https) -> Result<(), Stop> {
        let mut steps = Vec::new();
        for guest in 0..DEVICES {
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

/// A guest's client identifier: devices, then modules of the first of them and of [`HOST`].
pub fn name(guest: usize) -> String {
    match guest.checked_sub(DEVICES) {
        None => format!("guest-{guest}"),
        Some(part @ 0..OF_GUEST) => format!("guest-0/part-{part}"),
        Some(part) => format!("{HOST}/part-{part}"),
    }
}

/// Whose module it is, if that is a guest too.
fn parent(guest: usize) -> Option<usize> {
    (DEVICES..DEVICES + OF_GUEST).contains(&guest).then_some(0)
}

fn document(name: &str, number: u64) -> Value {
    let number = number.to_string();
    match name.split_once('/') {
        None => json!({ "deviceId": name, "status": "enabled", "statusReason": number }),
        Some((device, module)) => {
            json!({ "deviceId": device, "moduleId": module, "managedBy": number })
        }
    }
}

/// The number of a document.
fn number(document: &Value) -> Option<u64> {
    let of_module = document["moduleId"].is_string();
    let key = if of_module { "managedBy" } else { "statusReason" };
    document[key].as_str()?.parse().ok()
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

/// Whose modules come and go while it stays.
pub const HOST: &str = "host";
/// Identities that come and go.
pub const GUESTS: usize = DEVICES + OF_GUEST + OF_HOST;
const DEVICES: usize = 6;
const OF_GUEST: usize = 2;
const OF_HOST: usize = 2;
const PAUSE: Duration = Duration::from_millis(4);
const BULKS_ONE_IN: u64 = 20;
