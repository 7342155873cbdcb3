//! `gridhub telemetry`: what devices send, as it comes. Owns flags and lines; what is told comes
//! from `/telemetry/stream`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::http_client::Method;
use super::service::{Service, ServiceFlags};
use super::table::{say, word};
use crate::http::query::percent_encode;

/// What to do with telemetry.
#[derive(Subcommand)]
pub enum Telemetry {
    /// Print what devices send, and events that routes ask for, as they come
    Tail(Tail),
}

/// Messages, from somewhere on.
#[derive(Args)]
pub struct Tail {
    /// Begin where this consumer group is, and say how far it has come
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// earliest, latest, an offset, or a time such as 2026-11-21T10:00:00Z; where the group is not
    #[arg(long, value_name = "PLACE", default_value = "latest")]
    from: String,
    /// Print one line of JSON a message
    #[arg(long)]
    json: bool,
    /// End after so many messages
    #[arg(short = 'n', long, value_name = "COUNT")]
    count: Option<u64>,
    #[command(flatten)]
    service: ServiceFlags,
}

/// How far a group has come beside what the server knows.
struct Position<'s> {
    service: &'s Service,
    group: &'s str,
    /// The next offset, by partition.
    news: BTreeMap<String, u64>,
    told: Instant,
}

impl Telemetry {
    /// Prints until it is ended, or the server ends.
    pub fn run(self) -> anyhow::Result<()> {
        let Self::Tail(tail) = self;
        let service = tail.service.resolve()?;
        let mut path = format!("{STREAM}?from={}", percent_encode(&tail.from));
        let mut position = tail.group.as_deref().map(|group| {
            path.push_str(&format!("&group={}", percent_encode(group)));
            Position { service: &service, group, news: BTreeMap::new(), told: Instant::now() }
        });
        let body = service.ask(Method::Get, &path, &[], None)?.into_body();
        let mut left = tail.count.unwrap_or(u64::MAX);
        for line in BufReader::new(body).lines() {
            let line = line.context("the server has ended the stream")?;
            if let Some(record) = line.strip_prefix("data: ") {
                let record: Value = serde_json::from_str(record).context("no record")?;
                say(&if tail.json { format!("{record}\n") } else { shown(&record) })?;
                if let Some(position) = &mut position {
                    position.printed(&record)?;
                }
                left -= 1;
            }
            let is_last = left == 0;
            if let Some(position) = &mut position {
                position.tell(is_last)?;
            }
            if is_last {
                return Ok(());
            }
        }
        if let Some(position) = &mut position {
            // The server may be gone: what it does not know is printed again.
            let _ = position.tell(true);
        }
        bail!("the server has ended the stream")
    }
}

impl Position<'_> {
    fn printed(&mut self, record: &Value) -> anyhow::Result<()> {
        let (partition, offset) = (&record["partition"], record["offset"].as_u64());
        let offset = offset.context("a record without an offset")?;
        self.news.insert(partition.to_string(), offset + 1);
        Ok(())
    }

    /// Tells the server now and then; it says something each second.
    fn tell(&mut self, is_last: bool) -> anyhow::Result<()> {
        if self.news.is_empty() || (!is_last && self.told.elapsed() < TELL_EVERY) {
            return Ok(());
        }
        let path = format!("{GROUPS}/{}/offsets", percent_encode(self.group));
        let body = json!({ "offsets": std::mem::take(&mut self.news) }).to_string();
        self.service.ask(Method::Put, &path, &[], Some(body.as_bytes()))?.json()?;
        self.told = Instant::now();
        Ok(())
    }
}

/// Time, sender, what it is unless it is telemetry, and the body.
fn shown(record: &Value) -> String {
    let mut line = format!("{}  {}", word(&record["enqueuedTime"]), word(&record["deviceId"]));
    if let Some(module) = record["moduleId"].as_str() {
        line.push_str(&format!("/{}", word(&module.into())));
    }
    if record["source"] != "Telemetry" {
        line.push_str(&format!("  {}", word(&record["source"])));
    }
    let body = match (record.get("body"), record["bodyBase64"].as_str()) {
        (Some(body), _) => body.to_string(),
        (None, body) => text(body.unwrap_or_default()),
    };
    format!("{line}  {body}\n")
}

/// A body as text where it is one, else in base64.
fn text(body: &str) -> String {
    use base64::Engine;
    let bytes = base64::prelude::BASE64_STANDARD.decode(body).ok();
    match bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
        Some(text) => word(&text.into()),
        None => body.to_owned(),
    }
}

const STREAM: &str = "/telemetry/stream";
const GROUPS: &str = "/telemetry/groups";
const TELL_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_who_and_what_without_control_characters() {
        let mut record = json!({
            "enqueuedTime": "2026-11-21T10:00:00.000Z", "source": "Telemetry",
            "deviceId": "d1", "moduleId": null, "body": {"t": 21.5},
        });
        assert_eq!(shown(&record), "2026-11-21T10:00:00.000Z  d1  {\"t\":21.5}\n");
        record["moduleId"] = json!("m");
        record["source"] = json!("twinChangeEvents");
        record.as_object_mut().unwrap().remove("body");
        for (base64, body) in [("aGkbWzJK", "hi\\u{1b}[2J"), ("/w==", "/w=="), ("", "")] {
            record["bodyBase64"] = json!(base64);
            let line = format!("2026-11-21T10:00:00.000Z  d1/m  twinChangeEvents  {body}\n");
            assert_eq!(shown(&record), line);
        }
    }
}
