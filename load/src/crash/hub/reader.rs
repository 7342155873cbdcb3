//! Reads the telemetry channel while it is written, and what was read before again after each
//! start. Refuses to know who sends.

use super::books::{Shared, Stop, by};
use super::member::place;
use super::role::Role;
use super::service::{ask, https, success};
use crate::crash::breach::Rule;
use crate::engine::Target;
use crate::https::Https;
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

    /// Reads all to the end.
    fn settle(&mut self, target: &Target) -> Result<(), Stop> {
        let mut https = https(target);
        (0..PARTITIONS).try_for_each(|partition| self.read(&mut https, partition, usize::MAX))
    }
}

impl Reader {
    /// From so many messages back to the end.
    fn read(&self, https: &mut Https, partition: usize, back: usize) -> Result<(), Stop> {
        let mut from = self.shared.books().channel.place(partition, back);
        loop {
            let place = if from == 0 { "from=earliest".into() } else { format!("offset={from}") };
            let path = format!("/telemetry/partitions/{partition}/records?max=1000&{place}");
            let answer = ask(https, "GET", &path, &[], b"")?;
            let page = success("GET", &path, &answer)?;
            let read = page["records"]
                .as_array()
                .and_then(|rows| rows.iter().map(record).collect::<Option<Vec<_>>>());
            let (Some(records), Some(next)) = (read, page["next"].as_u64()) else {
                return Err(Stop::Wrong(Rule::Protocol, format!("no page: {}", answer.text())));
            };
            let shown = self.shared.books().channel.show(partition, from, &records);
            shown.map_err(by(Rule::Telemetry))?;
            if records.is_empty() || next == from || self.shared.is_ending() {
                return Ok(());
            }
            from = next;
        }
    }
}

/// Offset, who has sent it, and its number.
fn record(row: &Value) -> Option<(u64, usize, u64)> {
    let device = row["deviceId"].as_str()?;
    let member = match row["moduleId"].as_str() {
        None => place(device)?,
        Some(module) => place(&format!("{device}/{module}"))?,
    };
    Some((row["offset"].as_u64()?, member, row["body"]["n"].as_u64()?))
}

/// As configured by default.
const PARTITIONS: usize = 4;
const PAUSE: Duration = Duration::from_millis(20);
/// So many messages of each partition are read again after a start.
const AGAIN: usize = 300;
