//! `gridhub fault`: what goes wrong on purpose. Owns flags and words; which faults there can be and
//! where they strike is the server's, at `/admin/faults`.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Map, Value, json};

use super::connection::ConnectionFlags;
use super::endpoint::HttpsEndpoint;
use super::http_client::{Method, Payload, Request, ask, send};
use super::listing::Listing;
use super::table::say;
use crate::config::duration::HumanDuration;

/// What to do with faults.
#[derive(Subcommand)]
pub enum Fault {
    /// Let operations of devices fail, come late, or lose what they acknowledge
    Add(Add),
    /// All faults, and how often each has struck
    List(Listing),
    /// Take one fault away, or all
    Clear(Clear),
}

/// A fault. It lasts until it is used up, cleared, or the server ends.
#[derive(Args)]
#[command(group = ArgGroup::new("effect").required(true))]
pub struct Add {
    /// connect, send-telemetry, get-twin, patch-twin-reported, receive-commands, receive-methods or
    /// receive-desired
    operation: String,
    /// Devices and modules (DEVICE/MODULE), '*' for any part
    #[arg(long, value_name = "PATTERN", default_value = "*")]
    device: String,
    /// The outcome, four hex digits such as 0501 (throttled) or 0603 (server busy)
    #[arg(long, value_name = "STATUS", group = "effect")]
    status: Option<String>,
    /// How much later it happens, by the server's clock
    #[arg(long, value_name = "DURATION", group = "effect")]
    delay: Option<HumanDuration>,
    /// It is acknowledged, and what that stands for is lost, or the connection ends behind it
    #[arg(long, group = "effect")]
    drop_after_ack: bool,
    /// How often [default: until it is cleared]
    #[arg(long, value_name = "N")]
    count: Option<u32>,
    /// How likely each time, more than 0 and at most 1
    #[arg(long, value_name = "P")]
    probability: Option<f64>,
    /// Print the fault as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionFlags<HttpsEndpoint>,
}

/// Faults to take away.
#[derive(Args)]
pub struct Clear {
    /// Number of the fault [default: all]
    id: Option<u32>,
    #[command(flatten)]
    connection: ConnectionFlags<HttpsEndpoint>,
}

impl Fault {
    /// Asks the server and prints what it says on stdout.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Add(verb) => verb.run(),
            Self::List(listing) => listing.run((FAULTS, "faults"), &COLUMNS, row),
            Self::Clear(Clear { id: None, connection }) => {
                let answer = ask(&connection.resolve()?, Method::Delete, FAULTS)?.json()?;
                eprintln!("cleared {}", answer["cleared"]);
                Ok(())
            }
            Self::Clear(Clear { id: Some(id), connection }) => {
                ask(&connection.resolve()?, Method::Delete, &format!("{FAULTS}/{id}"))?;
                eprintln!("cleared fault {id}");
                Ok(())
            }
        }
    }
}

impl Add {
    fn run(self) -> anyhow::Result<()> {
        let mut wanted = Map::new();
        let mut put = |name: &str, value: Value| wanted.insert(name.to_owned(), value);
        put("operation", json!(self.operation));
        put("devices", json!(self.device));
        self.status.iter().for_each(|status| drop(put("status", json!(status))));
        self.delay.iter().for_each(|delay| drop(put("delay", json!(delay))));
        self.count.iter().for_each(|count| drop(put("count", json!(count))));
        self.probability.iter().for_each(|p| drop(put("probability", json!(p))));
        if self.drop_after_ack {
            put("dropAfterAck", json!(true));
        }
        let connection = self.connection.resolve()?;
        let authorization = format!("Bearer {}", connection.token);
        let body = Value::Object(wanted).to_string();
        let request = Request {
            authorization: &authorization,
            headers: &[],
            payload: Payload::Json(body.as_bytes()),
            patience: Duration::ZERO,
        };
        let fault = send(&connection, Method::Post, FAULTS, request)?.json()?;
        if self.json {
            return say(&format!("{fault}\n"));
        }
        eprintln!("added fault {}", fault["id"]);
        Ok(())
    }
}

/// As the table shows it: the effect in one word.
fn row(fault: &Value) -> Value {
    let mut row = fault.clone();
    row["effect"] = match (&fault["status"], &fault["delay"]) {
        (Value::String(status), _) => json!(format!("status {status}")),
        (_, Value::String(delay)) => json!(format!("delay {delay}")),
        _ => json!("drop-after-ack"),
    };
    row
}

const FAULTS: &str = "/admin/faults";
const COLUMNS: [(&str, &str); 7] = [
    ("ID", "/id"),
    ("OPERATION", "/operation"),
    ("DEVICES", "/devices"),
    ("EFFECT", "/effect"),
    ("PROBABILITY", "/probability"),
    ("STRUCK", "/struck"),
    ("LEFT", "/left"),
];

#[cfg(test)]
mod tests {
    use super::super::table::table;
    use super::*;

    #[test]
    fn a_table_has_a_line_a_fault() {
        let faults = [
            json!({"id": 1, "operation": "get-twin", "devices": "*", "status": "0501",
                   "count": 2, "probability": 1.0, "struck": 2, "left": 0}),
            json!({"id": 2, "operation": "connect", "devices": "a*", "delay": "1m30s",
                   "count": null, "probability": 0.5, "struck": 0, "left": null}),
            json!({"id": 3, "operation": "connect", "devices": "b", "dropAfterAck": true,
                   "count": null, "probability": 1.0, "struck": 0, "left": null}),
        ];
        let all: Vec<Value> = faults.iter().map(row).collect();
        assert_eq!(
            table(&COLUMNS, &all),
            "ID  OPERATION  DEVICES  EFFECT          PROBABILITY  STRUCK  LEFT\n\
             1   get-twin   *        status 0501     1.0          2       0\n\
             2   connect    a*       delay 1m30s     0.5          0       -\n\
             3   connect    b        drop-after-ack  1.0          0       -\n"
        );
    }
}
