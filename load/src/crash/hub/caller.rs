//! A service that calls methods of devices and modules, one at a time. Refuses to know how they
//! are connected.

use super::books::{Shared, Stop, by};
use super::member::MEMBERS;
use super::role::Role;
use super::service::https;
use crate::crash::breach::Rule;
use crate::crash::chance::Chance;
use crate::engine::Target;
use crate::https::Https;
use crate::hub::{API, path};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The service.
pub struct Caller {
    shared: Arc<Shared>,
    name: &'static str,
}

impl Caller {
    /// Of this name.
    pub fn new(shared: Arc<Shared>, name: &'static str) -> Self {
        Self { shared, name }
    }
}

impl Role for Caller {
    /// Calls until the process ends.
    fn round(&mut self, target: &Target, round: u64) -> Result<(), Stop> {
        let mut chance = Chance::of(self.shared.seed, round, self.name);
        let mut https = https(target);
        while self.shared.goes_on(PAUSE) {
            let at = chance.between(0, MEMBERS.len() as u64 - 1) as usize;
            // Now and then a call waits for its device to come.
            let patience_s = u64::from(chance.one_in(8));
            self.call(&mut https, at, patience_s)?;
        }
        Ok(())
    }

    /// Its calls have all ended.
    fn settle(&mut self, _: &Target) -> Result<(), Stop> {
        Ok(())
    }
}

impl Caller {
    fn call(&self, https: &mut Https, at: usize, patience_s: u64) -> Result<(), Stop> {
        let call = self.shared.books().calls.begin(at);
        let body = json!({ "methodName": METHOD, "payload": call,
            "responseTimeoutInSeconds": 5, "connectTimeoutInSeconds": patience_s });
        let path = format!("/twins/{}/methods?{API}", path(MEMBERS[at].name));
        let asked = https.once("POST", &path, &[], body.to_string().as_bytes());
        let calls = &mut self.shared.books().calls;
        let judged = match &asked {
            Ok(answer) if answer.status == 200 => {
                let told: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
                match (told["status"].as_u64(), told["payload"].as_u64()) {
                    (Some(200), Some(number)) => calls.answered(call, number),
                    _ => Err(format!("call {call} is answered with {}", answer.text())),
                }
            }
            // It is not there, was lost meanwhile, does not answer in time, or has too many.
            Ok(answer) if matches!(answer.status, 403 | 404 | 504) => calls.failed(call),
            Ok(answer) if answer.status >= 500 => {
                let what = format!("a call: {} {}", answer.status, answer.text());
                return calls.ended(call).map_err(by(Rule::Methods)).and(Err(Stop::Broken(what)));
            }
            Ok(answer) => Err(format!("a call: {} {}", answer.status, answer.text())),
            Err(_) => calls.ended(call),
        };
        judged.map_err(by(Rule::Methods))?;
        asked.map(drop).map_err(Stop::from)
    }
}

/// What is called.
pub const METHOD: &str = "call";
const PAUSE: Duration = Duration::from_millis(3);
