//! Services: they write what devices are to be, look at twins, and send commands, over HTTP and
//! several at once. Refuses to know devices' connections.

use super::books::{Shared, Stop, by};
use super::document::{desired, reported};
use super::ending::Ack;
use super::member::MEMBERS;
use super::role::Role;
use super::section::{Begun, Change, Content, LAST};
use crate::crash::breach::Rule;
use crate::crash::chance::Chance;
use crate::engine::Target;
use crate::https::{Answer, Https};
use crate::hub::{API, path};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One service.
pub struct Service {
    shared: Arc<Shared>,
    name: &'static str,
    /// By member: an etag and the version of what is desired that it stands for.
    etags: BTreeMap<usize, (String, u64)>,
}

impl Service {
    /// Of this name.
    pub fn new(shared: Arc<Shared>, name: &'static str) -> Self {
        Self { shared, name, etags: BTreeMap::new() }
    }
}

impl Role for Service {
    /// Writes, looks and sends until the process ends.
    fn round(&mut self, target: &Target, round: u64) -> Result<(), Stop> {
        let mut chance = Chance::of(self.shared.seed, round, self.name);
        let mut https = https(target);
        while self.shared.goes_on(PAUSE) {
            let device = chance.between(0, MEMBERS.len() as u64 - 1) as usize;
            match chance.between(0, 9) {
                0..=3 => self.patch(&mut https, device, &mut chance)?,
                4 => self.replace(&mut https, device)?,
                5 => self.look(&mut https, device)?,
                _ if MEMBERS[device].takes_commands() => {
                    self.send(&mut https, device, &mut chance)?;
                }
                _ => self.look(&mut https, device)?,
            }
        }
        Ok(())
    }

    /// Looks at every twin.
    fn settle(&mut self, target: &Target) -> Result<(), Stop> {
        let mut https = https(target);
        (0..MEMBERS.len()).try_for_each(|device| self.look(&mut https, device))
    }
}

impl Service {
    fn patch(&mut self, https: &mut Https, at: usize, chance: &mut Chance) -> Result<(), Stop> {
        let on = chance.one_in(3).then(|| self.etags.get(&at).cloned()).flatten();
        let removes = chance.one_in(4);
        let (begun, number, key) = {
            let section = &mut self.shared.books().desired[at];
            let number = section.next();
            let key = format!("k{}", number % KEYS);
            let to = (!removes).then_some(number);
            let keys = BTreeMap::from([(LAST.to_owned(), Some(number)), (key.clone(), to)]);
            let expected = on.as_ref().map(|(_, version)| *version);
            (section.begin(Change::Patch(keys), expected), number, key)
        };
        let to = if removes { Value::Null } else { number.into() };
        let body = json!({ "properties": { "desired": { LAST: number, key: to } } });
        self.write(https, "PATCH", at, (begun, on.map(|(etag, _)| etag)), &body)
    }

    fn replace(&mut self, https: &mut Https, at: usize) -> Result<(), Stop> {
        let (begun, number) = {
            let section = &mut self.shared.books().desired[at];
            let number = section.next();
            let content = Content::from([(LAST.to_owned(), number), ("r".to_owned(), number)]);
            (section.begin(Change::Replace(content), None), number)
        };
        let body = json!({ "properties": { "desired": { LAST: number, "r": number } } });
        self.write(https, "PUT", at, (begun, None), &body)
    }

    fn write(
        &mut self,
        https: &mut Https,
        verb: &str,
        at: usize,
        (begun, etag): (Begun, Option<String>),
        body: &Value,
    ) -> Result<(), Stop> {
        let path = format!("/twins/{}?{API}", path(MEMBERS[at].name));
        let look = self.shared.books().reported[at].look();
        let quoted = etag.map(|etag| format!("\"{etag}\""));
        let headers: Vec<_> =
            quoted.as_deref().map(|etag| ("If-Match", etag)).into_iter().collect();
        let answer = ask(https, verb, &path, &headers, body.to_string().as_bytes())?;
        if answer.status == 412 {
            self.etags.remove(&at);
            return self.shared.books().desired[at].refused(begun).map_err(by(Rule::Twin));
        }
        let twin = success(verb, &path, &answer)?;
        let (version, content) = desired(&twin).ok_or_else(|| no_twin(&answer))?;
        let theirs = reported(&twin).ok_or_else(|| no_twin(&answer))?;
        let mut books = self.shared.books();
        books.desired[at].done(begun, version).map_err(by(Rule::Twin))?;
        books.desired[at].answer(begun, version, &content).map_err(by(Rule::Twin))?;
        books.reported[at].seen(look, theirs.0, &theirs.1).map_err(by(Rule::Twin))?;
        drop(books);
        self.keep(at, &twin, version);
        Ok(())
    }

    fn look(&mut self, https: &mut Https, at: usize) -> Result<(), Stop> {
        let path = format!("/twins/{}?{API}", path(MEMBERS[at].name));
        let looks = {
            let books = self.shared.books();
            (books.desired[at].look(), books.reported[at].look())
        };
        let answer = ask(https, "GET", &path, &[], b"")?;
        let twin = success("GET", &path, &answer)?;
        let ours = desired(&twin).ok_or_else(|| no_twin(&answer))?;
        let theirs = reported(&twin).ok_or_else(|| no_twin(&answer))?;
        let mut books = self.shared.books();
        books.desired[at].seen(looks.0, ours.0, &ours.1).map_err(by(Rule::Twin))?;
        books.reported[at].seen(looks.1, theirs.0, &theirs.1).map_err(by(Rule::Twin))?;
        drop(books);
        self.keep(at, &twin, ours.0);
        Ok(())
    }

    fn keep(&mut self, at: usize, twin: &Value, version: u64) {
        if let Some(etag) = twin["etag"].as_str() {
            self.etags.insert(at, (etag.to_owned(), version));
        }
    }

    fn send(&mut self, https: &mut Https, at: usize, chance: &mut Chance) -> Result<(), Stop> {
        let ack = Ack::ALL[chance.between(0, Ack::ALL.len() as u64 - 1) as usize];
        let number = self.shared.books().queues[at].send(ack);
        let to = format!("/devices/{}/messages/deviceBound", MEMBERS[at].name);
        let id = format!("m{number}");
        let headers = [("iothub-to", &*to), ("iothub-messageid", &*id), ("iothub-ack", ack.name())];
        let path = format!("/messages/deviceBound?{API}");
        let answer = ask(https, "POST", &path, &headers, number.to_string().as_bytes())?;
        let queue = &mut self.shared.books().queues[at];
        let sequence = answer.header("iothub-sequencenumber").and_then(|text| text.parse().ok());
        match (answer.status, sequence) {
            (204, Some(sequence)) => queue.accept(number, sequence),
            // 50 wait for it.
            (403, _) => queue.refuse(number),
            (status, _) => Err(format!("a command is answered {status} {}", answer.text())),
        }
        .map_err(by(Rule::Commands))
    }
}

/// A connection of its own.
pub fn https(target: &Target) -> Https {
    Https::new(target.ports.https, Arc::clone(&target.tls), &target.token)
}

/// Asks once. What the server does not answer, or refuses because it ends, is broken.
///
/// # Errors
/// When nothing comes or 5xx does.
pub fn ask(
    https: &mut Https,
    verb: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer, Stop> {
    let answer = https.once(verb, path, headers, body)?;
    if answer.status >= 500 {
        let text = answer.text();
        return Err(Stop::Broken(format!("{verb} {path}: {} {text}", answer.status)));
    }
    Ok(answer)
}

/// The document that came with 2xx.
///
/// # Errors
/// When another status came. Where 404 may come it is looked for before: here somebody is gone.
pub fn success(verb: &str, path: &str, answer: &Answer) -> Result<Value, Stop> {
    if answer.status / 100 != 2 {
        let what = format!("{verb} {path}: {} {}", answer.status, answer.text());
        let rule = if answer.status == 404 { Rule::Registry } else { Rule::Protocol };
        return Err(Stop::Wrong(rule, what));
    }
    Ok(serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
}

/// How many commands the hub has for a device.
///
/// # Errors
/// When it does not say.
pub fn waiting(service: &mut Https, name: &str) -> Result<u64, Stop> {
    let path = format!("/devices/{}?{API}", path(name));
    let answer = ask(service, "GET", &path, &[], b"")?;
    let document = success("GET", &path, &answer)?;
    let count = document["cloudToDeviceMessageCount"].as_u64();
    count.ok_or_else(|| Stop::Wrong(Rule::Protocol, answer.text()))
}

fn no_twin(answer: &Answer) -> Stop {
    Stop::Wrong(Rule::Protocol, format!("this is no twin: {}", answer.text()))
}

const PAUSE: Duration = Duration::from_millis(2);
/// So many keys are written in turn.
const KEYS: u64 = 5;
