//! Reads the telemetry channel while it is written, and what was read before again after each
//! start. Refuses to know who sends.

use super::books::{Shared, Stop, by};
use super::channel::Message;
use super::events::{Event, What};
use super::member::{MEMBERS, place};
use super::registrar::{GUESTS, name};
use super::role::Role;
use super::service::{ask, https, success};
use crate::crash::breach::Rule;
use crate::engine::Target;
use crate::https::Https;
use crate::hub::{API, path};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// The reader.
pub struct Reader {
    shared: Arc<Shared>,
}

impl Reader {
    /// Of what members send.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl Role for Reader {
    /// Reads what was shown before again, then what comes, until the process ends.
    fn round(&mut self, target: &Target, _: u64) -> Result<(), Stop> {
        let mut https = https(target);
        (0..PARTITIONS).try_for_each(|partition| self.read(&mut https, partition, AGAIN))?;
        while self.shared.goes_on(PAUSE) {
            (0..PARTITIONS).try_for_each(|partition| self.read(&mut https, partition, 0))?;
        }
        Ok(())
    }

    /// Reads all to the end, and looks whether that is all there is to tell.
    fn settle(&mut self, target: &Target) -> Result<(), Stop> {
        let mut https = https(target);
        (0..PARTITIONS).try_for_each(|partition| self.read(&mut https, partition, usize::MAX))?;
        let mut ids = self.shared.books().events.there();
        ids.extend(MEMBERS.iter().map(|member| member.name.to_owned()));
        ids.extend((0..GUESTS).map(name));
        ids.iter().try_for_each(|id| self.look(&mut https, id))
    }
}

impl Reader {
    fn look(&self, https: &mut Https, id: &str) -> Result<(), Stop> {
        let path = format!("/twins/{}?{API}", path(id));
        let answer = ask(https, "GET", &path, &[], b"")?;
        let version = match answer.status {
            404 => None,
            _ => success("GET", &path, &answer)?["version"].as_u64(),
        };
        self.shared.books().events.found(id, version).map_err(by(Rule::Events))
    }

    /// From so many messages back to the end.
    fn read(&self, https: &mut Https, partition: usize, back: usize) -> Result<(), Stop> {
        let mut from = {
            let books = self.shared.books();
            match books.channel.place(partition, back) {
                0 => books.events.place(partition, back),
                from => from,
            }
        };
        loop {
            let place = if from == 0 { "from=earliest".into() } else { format!("offset={from}") };
            let path = format!("/telemetry/partitions/{partition}/records?max=1000&{place}");
            let answer = ask(https, "GET", &path, &[], b"")?;
            let page = success("GET", &path, &answer)?;
            let (Some(Records { messages, events }), Some(next)) =
                (page["records"].as_array().and_then(|rows| records(rows)), page["next"].as_u64())
            else {
                return Err(Stop::Wrong(Rule::Protocol, format!("no page: {}", answer.text())));
            };
            let mut books = self.shared.books();
            books.channel.show(partition, from, &messages).map_err(by(Rule::Telemetry))?;
            books.events.show(partition, from..next, &events).map_err(by(Rule::Events))?;
            drop(books);
            let is_empty = messages.is_empty() && events.is_empty();
            if is_empty || next == from || self.shared.is_ending() {
                return Ok(());
            }
            from = next;
        }
    }
}

/// A page, by offset.
#[derive(Default)]
struct Records {
    messages: Vec<(u64, Message)>,
    events: Vec<(u64, Event)>,
}

/// None when something lacks that each has.
fn records(rows: &[Value]) -> Option<Records> {
    let mut records = Records::default();
    for row in rows {
        let device = row["deviceId"].as_str()?;
        let module = row["moduleId"].as_str().map(|module| format!("{device}/{module}"));
        let id = module.unwrap_or_else(|| device.to_owned());
        let (offset, body) = (row["offset"].as_u64()?, &row["body"]);
        if row["source"] == "Telemetry" {
            records.messages.push((offset, (place(&id)?, body["n"].as_u64()?)));
        } else {
            let what = What::parse(row["properties"]["opType"].as_str()?)?;
            let version = body["version"].as_u64()?;
            records.events.push((offset, Event { id, what, version }));
        }
    }
    Some(records)
}

/// As configured by default.
const PARTITIONS: usize = 4;
const PAUSE: Duration = Duration::from_millis(20);
/// So many messages of each partition are read again after a start.
const AGAIN: usize = 300;
