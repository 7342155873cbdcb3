//! A service that asks for jobs, cancels some, and follows them. Refuses to know devices.

use super::books::{Shared, Stop, by};
use super::document::{desired, job};
use super::jobs::Work;
use super::member::{MEMBERS, Speaks, place};
use super::role::Role;
use super::service::{ask, https, success};
use crate::crash::breach::Rule;
use crate::crash::chance::Chance;
use crate::engine::Target;
use crate::https::{Answer, Https};
use crate::hub::API;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The service.
pub struct Foreman {
    shared: Arc<Shared>,
}

impl Foreman {
    /// The only one.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl Role for Foreman {
    /// Looks at what goes on and asks for more until the process ends.
    fn round(&mut self, target: &Target, round: u64) -> Result<(), Stop> {
        let mut chance = Chance::of(self.shared.seed, round, "foreman");
        let mut https = https(target);
        self.look_at_twins(&mut https)?;
        let there = self.shared.books().jobs.there();
        let again = pick(&mut chance, &there);
        let open = self.shared.books().jobs.open();
        for job in open.into_iter().chain(again) {
            self.look(&mut https, job)?;
        }
        let mut left = chance.between(0, JOBS_A_ROUND_MAX);
        while self.shared.goes_on(PAUSE) {
            let open = self.shared.books().jobs.open();
            match (chance.between(0, 9), pick(&mut chance, &open)) {
                (0..=2, _) if left > 0 => {
                    left -= 1;
                    let work = if chance.one_in(2) { Work::Call } else { Work::Write };
                    self.plan(&mut https, work)?;
                }
                (3, Some(job)) if chance.one_in(4) => self.cancel(&mut https, job)?,
                (4, _) => self.look_at_twins(&mut https)?,
                (_, Some(job)) => self.look(&mut https, job)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Waits until all have ended, and compares what they say with what devices heard and what
    /// stands in twins.
    fn settle(&mut self, target: &Target) -> Result<(), Stop> {
        let (mut https, end) = (https(target), Instant::now() + PATIENCE);
        loop {
            let open = self.shared.books().jobs.open();
            if open.is_empty() {
                break;
            }
            open.iter().try_for_each(|job| self.look(&mut https, *job))?;
            if Instant::now() > end {
                return Err(Stop::Wrong(Rule::Jobs, format!("jobs {open:?} do not end")));
            }
            self.shared.goes_on(PAUSE);
        }
        self.look_at_twins(&mut https)?;
        // What was in work when a job was cancelled goes on for a moment.
        loop {
            match self.compare(&mut https) {
                Err(Stop::Wrong(..)) if Instant::now() < end => self.shared.goes_on(AGAIN),
                done => return done,
            };
        }
    }
}

impl Foreman {
    fn plan(&self, https: &mut Https, work: Work) -> Result<(), Stop> {
        let devices: Vec<String> = match work {
            Work::Write => (0..FLEET).map(writable).collect(),
            Work::Call => crew().map(str::to_owned).collect(),
        };
        let number = self.shared.books().jobs.plan(work, devices.len() as u64);
        let list: Vec<String> = devices.iter().map(|name| format!("'{name}'")).collect();
        let condition = format!("deviceId IN [{}]", list.join(", "));
        let body = match work {
            Work::Write => json!({ "type": "scheduleUpdateTwin", "queryCondition": condition,
                "updateTwin": { "properties": { "desired": { JOB: number } } } }),
            Work::Call => json!({ "type": "scheduleDeviceMethod", "queryCondition": condition,
                "cloudToDeviceMethod": { "methodName": METHOD, "payload": number,
                    "responseTimeoutInSeconds": 5, "connectTimeoutInSeconds": 0 } }),
        };
        let path = path(number, "");
        let answer = ask(https, "PUT", &path, &[], body.to_string().as_bytes())?;
        if answer.status == 429 {
            // A hundred have not ended.
            return self.shared.books().jobs.absent(number).map_err(by(Rule::Jobs));
        }
        self.shown(number, &success("PUT", &path, &answer)?, &answer)
    }

    fn cancel(&self, https: &mut Https, number: u64) -> Result<(), Stop> {
        self.shared.books().jobs.cancel(number);
        let path = path(number, "/cancel");
        let answer = ask(https, "POST", &path, &[], b"")?;
        if matches!(answer.status, 404 | 405) {
            // It is over, or was never there.
            return self.look(https, number);
        }
        let document = success("POST", &path, &answer)?;
        self.shared.books().jobs.cancelled(number).map_err(by(Rule::Jobs))?;
        self.shown(number, &document, &answer)
    }

    fn look(&self, https: &mut Https, number: u64) -> Result<(), Stop> {
        let path = path(number, "");
        let answer = ask(https, "GET", &path, &[], b"")?;
        if answer.status == 404 {
            return self.shared.books().jobs.absent(number).map_err(by(Rule::Jobs));
        }
        self.shown(number, &success("GET", &path, &answer)?, &answer)
    }

    fn shown(&self, number: u64, document: &Value, answer: &Answer) -> Result<(), Stop> {
        let Some(shown) = job(document) else {
            return Err(Stop::Wrong(Rule::Protocol, format!("no job: {}", answer.text())));
        };
        self.shared.books().jobs.shown(number, &shown).map_err(by(Rule::Jobs))
    }

    fn look_at_twins(&self, https: &mut Https) -> Result<(), Stop> {
        (0..FLEET).try_for_each(|twin| self.look_at_twin(https, twin).map(drop))
    }

    /// The version of what is desired.
    fn look_at_twin(&self, https: &mut Https, twin: usize) -> Result<u64, Stop> {
        let path = format!("/twins/{}?{API}", writable(twin));
        let answer = ask(https, "GET", &path, &[], b"")?;
        let Some((version, content)) = desired(&success("GET", &path, &answer)?) else {
            return Err(Stop::Wrong(Rule::Protocol, format!("no twin: {}", answer.text())));
        };
        let jobs = &mut self.shared.books().jobs;
        jobs.written(twin, version, content.get(JOB).copied()).map_err(by(Rule::Jobs))?;
        Ok(version)
    }

    fn compare(&self, https: &mut Https) -> Result<(), Stop> {
        let mut writes: BTreeMap<usize, u64> = BTreeMap::new();
        let there = self.shared.books().jobs.there();
        let mut done = 0;
        for number in there {
            let query = format!("SELECT * FROM devices.jobs WHERE jobId = 'job-{number}'");
            let (path, body) = (format!("/devices/query?{API}"), json!({ "query": query }));
            let answer = ask(https, "POST", &path, &[], body.to_string().as_bytes())?;
            let rows = success("POST", &path, &answer)?;
            let mut called = Vec::new();
            for row in rows.as_array().into_iter().flatten() {
                if row["status"] != "completed" {
                    continue;
                }
                let name = row["deviceId"].as_str().unwrap_or_default();
                match ((0..FLEET).find(|twin| writable(*twin) == name), place(name)) {
                    (Some(twin), _) => *writes.entry(twin).or_default() += 1,
                    (None, Some(device)) => called.push(device),
                    (None, None) => {
                        let what = format!("job {number} has a device '{name}'");
                        return Err(Stop::Wrong(Rule::Jobs, what));
                    }
                }
                done += 1;
            }
            let jobs = &self.shared.books().jobs;
            jobs.succeeded(number, &called).map_err(by(Rule::Jobs))?;
        }
        for twin in 0..FLEET {
            let version = self.look_at_twin(https, twin)?;
            let count = writes.get(&twin).copied().unwrap_or(0);
            let jobs = &self.shared.books().jobs;
            jobs.settled(twin, version, count).map_err(by(Rule::Jobs))?;
        }
        self.shared.books().jobs.done = done;
        Ok(())
    }
}

/// The devices that jobs call.
fn crew() -> impl Iterator<Item = &'static str> {
    let devices = MEMBERS.iter().filter(|member| member.takes_commands());
    devices.filter(|member| member.speaks != Speaks::Http).map(|member| member.name)
}

/// A device whose twin jobs alone write.
pub fn writable(twin: usize) -> String {
    format!("fleet-{twin}")
}

fn path(number: u64, more: &str) -> String {
    format!("/jobs/v2/job-{number}{more}?{API}")
}

fn pick(chance: &mut Chance, from: &[u64]) -> Option<u64> {
    let at = chance.next() as usize;
    (!from.is_empty()).then(|| from[at % from.len()])
}

/// What devices are called by.
pub const METHOD: &str = "job";
/// How many twins jobs alone write.
pub const FLEET: usize = 6;
/// The key of the job that has written a twin last.
const JOB: &str = "job";
/// A hub keeps 1,000.
const JOBS_A_ROUND_MAX: u64 = 4;
const PAUSE: Duration = Duration::from_millis(8);
const AGAIN: Duration = Duration::from_millis(200);
/// A call takes 5 s at most, and a hundred jobs may wait.
const PATIENCE: Duration = Duration::from_secs(40);
