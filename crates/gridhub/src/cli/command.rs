//! `gridhub command`: commands for devices. Owns flags and words; queues are the service API's.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use hub::Moment;
use hub::identity::DeviceId;
use serde_json::{Value, json};

use super::http_client::{Method, Payload};
use super::service::ServiceFlags;
use super::table::{lines, say, table};
use crate::config::duration::HumanDuration;
use crate::http::query::percent_encode;

/// What to do with commands.
#[derive(Subcommand)]
pub enum Command {
    /// Put a command into the queue of a device
    Send(Send),
    /// What waits for a device, and its dead letters
    List(Queue),
    /// End all commands that wait for a device
    Purge(Queue),
    /// What has become of commands that were sent with --ack, once
    Feedback(Feedback),
}

/// A command.
#[derive(Args)]
#[command(group = ArgGroup::new("body"))]
pub struct Send {
    /// The device
    #[arg(value_parser = device)]
    name: DeviceId,
    /// Body as text
    #[arg(short, long, value_name = "TEXT", group = "body")]
    message: Option<String>,
    /// Body from a file
    #[arg(short, long, value_name = "FILE", group = "body")]
    file: Option<PathBuf>,
    /// Body from stdin
    #[arg(value_name = "-", value_parser = ["-"], group = "body")]
    stdin: Option<String>,
    /// How long the device may take to fetch it, by this machine's clock [default: the hub's]
    #[arg(long, value_name = "DURATION")]
    ttl: Option<HumanDuration>,
    /// Which ends the sender wants to hear of
    #[arg(long, value_enum, default_value = "none")]
    ack: Ack,
    /// The sender's name for it
    #[arg(long, value_name = "ID")]
    message_id: Option<String>,
    /// The type of the body
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Application property, its name in lower case; may be repeated
    #[arg(long, value_name = "K=V", value_parser = property)]
    property: Vec<(String, String)>,
    /// Print its number as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceFlags,
}

/// `--ack`.
#[derive(Clone, Copy, ValueEnum)]
pub enum Ack {
    None,
    Positive,
    Negative,
    Full,
}

/// A queue.
#[derive(Args)]
pub struct Queue {
    /// The device
    #[arg(value_parser = device)]
    name: DeviceId,
    /// Print lines of JSON: one a command, or how many were purged
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceFlags,
}

/// What waits for their senders: shown, then gone.
#[derive(Args)]
pub struct Feedback {
    /// Print one line of JSON an end
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceFlags,
}

impl Command {
    /// Asks the hub and prints what it says on stdout.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Send(verb) => verb.run(),
            Self::List(queue) => queue.list(),
            Self::Purge(queue) => queue.purge(),
            Self::Feedback(verb) => verb.run(),
        }
    }
}

impl Send {
    fn run(self) -> anyhow::Result<()> {
        let body = self.body()?;
        let mut headers =
            vec![("iothub-to".to_owned(), format!("/devices/{}/messages/deviceBound", self.name))];
        let mut put = |name: &str, value: String| headers.push((name.to_owned(), value));
        if let Some(ttl) = self.ttl {
            let ttl_ms = u64::try_from(ttl.get().as_millis()).unwrap_or(u64::MAX);
            let until_ms = (super::wall_s() * 1000).saturating_add(ttl_ms);
            put("iothub-expiry", Moment::at(until_ms).to_string());
        }
        put("iothub-ack", self.ack.word().to_owned());
        self.message_id.iter().for_each(|id| put("iothub-messageid", id.clone()));
        self.content_type.iter().for_each(|kind| put("iothub-contenttype", kind.clone()));
        for (name, value) in &self.property {
            put(&format!("iothub-app-{name}"), value.clone());
        }
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (&**n, &**v)).collect();
        let (service, payload) = (self.service.resolve()?, Payload::Bytes(&body));
        let path = "/messages/deviceBound";
        let answer = service.wait(Method::Post, path, &headers, payload, Duration::ZERO)?;
        let number =
            answer.header("iothub-sequencenumber").context("an answer without a number")?;
        if self.json {
            let number: u64 = number.parse().context("an answer without a number")?;
            return say(&format!("{}\n", json!({ "sequenceNumber": number })));
        }
        eprintln!("sent {number} to {}", self.name);
        Ok(())
    }

    fn body(&self) -> anyhow::Result<Vec<u8>> {
        if let Some(text) = &self.message {
            return Ok(text.clone().into_bytes());
        }
        if let Some(file) = &self.file {
            return std::fs::read(file).with_context(|| format!("cannot read {}", file.display()));
        }
        let mut bytes = Vec::new();
        if self.stdin.is_some() {
            std::io::stdin().read_to_end(&mut bytes).context("cannot read stdin")?;
        }
        Ok(bytes)
    }
}

impl Queue {
    fn list(self) -> anyhow::Result<()> {
        let path = format!("/admin{}", of(&self.name));
        let document = self.service.resolve()?.ask(Method::Get, &path, &[], None)?.json()?;
        let part = |name: &str| document[name].as_array().context("an answer that is no list");
        let mut all = part("deadLetters")?.clone();
        all.extend(part("waiting")?.iter().cloned());
        if self.json {
            return say(&lines(&all));
        }
        for one in &mut all {
            if one["state"].is_null() {
                one["state"] = one["outcome"].clone();
            }
            if let Some(base64) = one["bodyBase64"].as_str() {
                one["body"] = json!(format!("base64:{base64}"));
            }
            if let Some(text) = one["body"].as_str()
                && text.chars().count() > BODY_CHARS_MAX
            {
                let text: String = text.chars().take(BODY_CHARS_MAX).collect();
                one["body"] = json!(text + "..");
            }
        }
        say(&table(&COLUMNS, &all))
    }

    fn purge(self) -> anyhow::Result<()> {
        let service = self.service.resolve()?;
        let document: Value = service.ask(Method::Delete, &of(&self.name), &[], None)?.json()?;
        if self.json {
            return say(&format!("{document}\n"));
        }
        eprintln!("purged {} of {}", document["totalMessagesPurged"], self.name);
        Ok(())
    }
}

impl Feedback {
    /// A batch is over only when it was printed: who reads nothing of it gets it again.
    fn run(self) -> anyhow::Result<()> {
        let service = self.service.resolve()?;
        let mut is_first = true;
        loop {
            let answer = service.ask(Method::Get, FEEDBACK, &[], None)?;
            let Some(lock) = answer.header("etag").map(|etag| etag.trim_matches('"').to_owned())
            else {
                return Ok(());
            };
            let document = answer.json()?;
            let ends = document.as_array().context("an answer that is no list")?;
            if self.json {
                say(&lines(ends))?;
            } else {
                let text = table(&ENDS, ends);
                let head = text.find('\n').map_or(0, |end| end + 1);
                say(if is_first { &text } else { &text[head..] })?;
            }
            is_first = false;
            service.ask(Method::Delete, &format!("{FEEDBACK}/{lock}"), &[], None)?;
        }
    }
}

impl Ack {
    fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Positive => "positive",
            Self::Negative => "negative",
            Self::Full => "full",
        }
    }
}

fn of(name: &DeviceId) -> String {
    format!("/devices/{}/commands", percent_encode(name.as_str()))
}

fn device(text: &str) -> Result<DeviceId, String> {
    DeviceId::parse(text).map_err(|why| format!("the name {why}"))
}

fn property(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    let is_good = |c: char| hub::telemetry::is_property_character(c) && !c.is_ascii_uppercase();
    if key.is_empty() || !key.chars().all(is_good) {
        return Err("the name has lower-case letters, digits and !#$%&'*+-.^_`|~".into());
    }
    Ok((key.to_owned(), value.to_owned()))
}

const FEEDBACK: &str = "/messages/serviceBound/feedback";
const ENDS: [(&str, &str); 4] = [
    ("MESSAGE", "/originalMessageId"),
    ("DEVICE", "/deviceId"),
    ("OUTCOME", "/statusCode"),
    ("ENDED", "/enqueuedTimeUtc"),
];
const BODY_CHARS_MAX: usize = 60;
const COLUMNS: [(&str, &str); 6] = [
    ("NUMBER", "/sequenceNumber"),
    ("STATE", "/state"),
    ("ENQUEUED", "/enqueuedTimeUtc"),
    ("EXPIRES", "/expiryTimeUtc"),
    ("ABANDONED", "/deliveryCount"),
    ("BODY", "/body"),
];
