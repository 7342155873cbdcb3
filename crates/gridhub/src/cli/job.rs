//! `gridhub job`: the same done to many devices. Owns flags and words; jobs are the service API's.

use anyhow::Context;
use clap::{ArgGroup, Args, Subcommand};
use hub::Moment;
use hub::job::JobId;
use serde_json::{Value, json};

use super::http_client::Method;
use super::method::{Call, document};
use super::pretty::{line, pretty};
use super::service::{Service, ServiceFlags};
use super::table::{lines, say, table};
use crate::config::duration::HumanDuration;
use crate::http::query::percent_encode;

/// What to do with jobs.
#[derive(Subcommand)]
pub enum Job {
    /// Write into the twins of many devices, or call a method of each
    Create(Create),
    /// All jobs: what waits, what runs, and what has ended within 30 days
    List(List),
    /// How far one job is, with all or with each of its devices
    Show(Show),
    /// End a job: nothing more is begun
    Cancel(Cancel),
}

/// A job.
#[derive(Args)]
#[command(group = ArgGroup::new("action").required(true))]
pub struct Create {
    /// Its id, which no job has yet
    #[arg(value_parser = id)]
    id: JobId,
    /// Which devices: a condition of queries such as "tags.floor = 3", or '*' for all
    #[arg(long = "where", value_name = "CONDITION")]
    condition: String,
    /// Merge this into their twins, such as '{"tags":{"floor":4}}'
    #[arg(long, value_name = "JSON", value_parser = document, group = "action")]
    #[arg(conflicts_with_all = ["payload", "timeout", "connect_timeout"])]
    twin: Option<String>,
    /// Call this method of each
    #[arg(long, value_name = "NAME", group = "action")]
    method: Option<String>,
    #[command(flatten)]
    call: Call,
    /// When it begins, such as 2026-11-22T10:00:00Z [default: at once]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    start: Option<Moment>,
    /// How long it may take, in whole seconds [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    max_time: Option<u64>,
    /// Print it as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceFlags,
}

/// All of them.
#[derive(Args)]
pub struct List {
    /// Only those: scheduled, queued, running, completed, failed or cancelled
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Print one line of JSON a job
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceFlags,
}

/// One, to look at.
#[derive(Args)]
pub struct Show {
    /// Its id
    #[arg(value_parser = id)]
    id: JobId,
    /// What became of each of its devices instead
    #[arg(long)]
    devices: bool,
    /// Print one line of JSON, or one a device
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceFlags,
}

/// One, to end.
#[derive(Args)]
pub struct Cancel {
    /// Its id
    #[arg(value_parser = id)]
    id: JobId,
    /// Print it as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceFlags,
}

impl Job {
    /// Asks the hub and prints what it says on stdout.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create(verb) => verb.run(),
            Self::List(verb) => verb.run(),
            Self::Show(verb) => verb.run(),
            Self::Cancel(Cancel { id, json, service }) => {
                let path = format!("{}/cancel", path(&id));
                let job = service.resolve()?.ask(Method::Post, &path, &[], None)?.bytes()?;
                told(&job, json, "cancelled")
            }
        }
    }
}

impl Create {
    fn run(self) -> anyhow::Result<()> {
        let (service, body) = (self.service.resolve()?, self.body());
        let asked = service.ask(Method::Put, &path(&self.id), &[], Some(body.as_bytes()))?;
        told(&asked.bytes()?, self.json, "created")
    }

    /// Documents go as they were written.
    fn body(&self) -> String {
        let action = match (&self.twin, &self.method) {
            (Some(twin), _) => format!("\"type\":\"scheduleUpdateTwin\",\"updateTwin\":{twin}"),
            (None, method) => format!(
                "\"type\":\"scheduleDeviceMethod\",\"cloudToDeviceMethod\":{}",
                self.call.body(method.as_deref().unwrap_or_default())
            ),
        };
        let start = self.start.map(|at| format!(",\"startTime\":{}", json!(at.to_string())));
        let most = self.max_time.map(|s| format!(",\"maxExecutionTimeInSeconds\":{s}"));
        let (start, most) = (start.unwrap_or_default(), most.unwrap_or_default());
        format!("{{{action},\"queryCondition\":{}{start}{most}}}", json!(self.condition))
    }
}

impl List {
    fn run(self) -> anyhow::Result<()> {
        let path = match &self.status {
            None => format!("{JOBS}/query"),
            Some(status) => format!("{JOBS}/query?jobStatus={}", percent_encode(status)),
        };
        let all = rows(&self.service.resolve()?, (Method::Get, &path), None)?;
        say(&if self.json { lines(&all) } else { table(&COLUMNS, &all) })
    }
}

impl Show {
    fn run(self) -> anyhow::Result<()> {
        let service = self.service.resolve()?;
        if self.devices {
            let query = format!("SELECT * FROM devices.jobs WHERE jobId = {}", quoted(&self.id));
            let body = json!({ "query": query }).to_string();
            let mut all = rows(&service, (Method::Post, "/devices/query"), Some(body.as_bytes()))?;
            if self.json {
                return say(&lines(&all));
            }
            all.iter_mut().for_each(|row| row["said"] = said(row));
            return say(&table(&OF_DEVICES, &all));
        }
        let job = service.ask(Method::Get, &path(&self.id), &[], None)?.bytes()?;
        say(&if self.json { line(&job)? } else { pretty(&job)? })
    }
}

/// A job after something was done to it.
fn told(job: &[u8], json: bool, what: &str) -> anyhow::Result<()> {
    if json {
        return say(&line(job)?);
    }
    let job: Value = serde_json::from_slice(job).context("the server's answer is no JSON")?;
    let text = |name: &str| job[name].as_str().unwrap_or_default().to_owned();
    eprintln!("{what} {}, which is {}", text("jobId"), text("status"));
    Ok(())
}

fn rows(
    service: &Service,
    (method, path): (Method, &str),
    body: Option<&[u8]>,
) -> anyhow::Result<Vec<Value>> {
    let mut all = Vec::new();
    service.rows(method, path, body, |row| {
        all.push(serde_json::from_slice(row).context("the server's answer is no JSON")?);
        Ok(())
    })?;
    Ok(all)
}

/// What a device has answered, or why it has failed, in a word.
fn said(row: &Value) -> Value {
    match (&row["error"]["description"], &row["outcome"]["deviceMethodResponse"]) {
        (Value::String(why), _) => json!(why),
        (_, Value::Object(response)) => {
            json!(format!("{} {}", response["status"], response["payload"]))
        }
        _ => Value::Null,
    }
}

fn path(id: &JobId) -> String {
    format!("{JOBS}/{}", percent_encode(id.as_str()))
}

/// As a text of the query language.
fn quoted(id: &JobId) -> String {
    format!("'{}'", id.as_str().replace('\\', "\\\\").replace('\'', "\\'"))
}

fn id(text: &str) -> Result<JobId, String> {
    JobId::parse(text).map_err(|refusal| refusal.message.into())
}

fn moment(text: &str) -> Result<Moment, String> {
    let moment = Moment::parse(text).filter(|moment| *moment != Moment::NEVER);
    moment.ok_or_else(|| "it is a time like 2026-11-22T10:00:00Z".into())
}

fn seconds(text: &str) -> Result<u64, String> {
    let duration = text.parse::<HumanDuration>()?.get();
    match duration.subsec_nanos() {
        0 => Ok(duration.as_secs()),
        _ => Err("it is whole seconds".into()),
    }
}

const JOBS: &str = "/jobs/v2";
const COLUMNS: [(&str, &str); 7] = [
    ("JOB", "/jobId"),
    ("TYPE", "/type"),
    ("STATUS", "/status"),
    ("START", "/startTime"),
    ("DEVICES", "/deviceJobStatistics/deviceCount"),
    ("SUCCEEDED", "/deviceJobStatistics/succeededCount"),
    ("FAILED", "/deviceJobStatistics/failedCount"),
];
const OF_DEVICES: [(&str, &str); 4] =
    [("DEVICE", "/deviceId"), ("STATUS", "/status"), ("ENDED", "/endTimeUtc"), ("ANSWER", "/said")];
