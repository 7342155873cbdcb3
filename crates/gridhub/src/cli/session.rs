//! `gridhub session`: who has a session, every bound of one and how full it is, and ending them
//! (product 5). Owns the words; what is told comes from `/admin/sessions`.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::connection::ConnectionFlags;
use super::endpoint::HttpsEndpoint;
use super::http_client::{Method, ask};
use super::listing::Listing;
use super::table::{say, shown, word};
use crate::http::query::percent_encode;

/// What to do with sessions.
#[derive(Subcommand)]
pub enum Session {
    /// All sessions, those of absent clients too
    List(Listing),
    /// One session: every bound and how full it is
    Show(Show),
    /// End the connection of a client; its session stays
    Disconnect(One),
    /// End a session and forget what waits in it
    Delete(One),
}

/// One session, to look at.
#[derive(Args)]
pub struct Show {
    /// Client identifier
    name: String,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionFlags<HttpsEndpoint>,
}

/// One session, to end.
#[derive(Args)]
pub struct One {
    /// Client identifier
    name: String,
    #[command(flatten)]
    connection: ConnectionFlags<HttpsEndpoint>,
}

impl Session {
    /// Asks the server and prints what it says on stdout.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List(listing) => listing.run((SESSIONS, "sessions"), &COLUMNS, Value::clone),
            Self::Show(Show { name, json, connection }) => {
                let session = ask(&connection.resolve()?, Method::Get, &path(&name))?.json()?;
                say(&if json { format!("{session}\n") } else { page(&session) })
            }
            Self::Disconnect(One { name, connection }) => {
                let target = format!("{}/disconnect", path(&name));
                ask(&connection.resolve()?, Method::Post, &target)?;
                eprintln!("disconnected {}", shown(&name));
                Ok(())
            }
            Self::Delete(One { name, connection }) => {
                ask(&connection.resolve()?, Method::Delete, &path(&name))?;
                eprintln!("deleted the session of {}", shown(&name));
                Ok(())
            }
        }
    }
}

fn path(name: &str) -> String {
    format!("{SESSIONS}/{}", percent_encode(name))
}

/// All that is told, a line each; bounds with how full they are.
fn page(session: &Value) -> String {
    let mut text = String::new();
    let mut put = |name: &str, value: String| {
        let _ = writeln!(text, "{name:TITLE_WIDTH$}{value}");
    };
    for (field, value) in session.as_object().into_iter().flatten() {
        match (field.as_str(), value) {
            ("bounds" | "subscriptions" | "droppedBy", _) => {}
            ("sessionExpirySeconds", Value::Null) => put("sessionExpirySeconds", "never".into()),
            (_, Value::Array(all)) if all.is_empty() => put(field, "-".into()),
            (_, Value::Array(all)) => {
                put(field, all.iter().map(word).collect::<Vec<_>>().join(", "));
            }
            (_, value) => put(field, word(value)),
        }
    }
    for (why, count) in session["droppedBy"].as_object().into_iter().flatten() {
        put("dropped", format!("{count} ({why})"));
    }
    for (bound, value) in session["bounds"].as_object().into_iter().flatten() {
        put(bound, fill(value));
    }
    for subscription in session["subscriptions"].as_array().into_iter().flatten() {
        let (filter, qos) = (word(&subscription["filter"]), &subscription["qos"]);
        put("subscription", format!("{filter} (QoS {qos})"));
    }
    text
}

/// `3 of 100 (3 %)`.
fn fill(bound: &Value) -> String {
    let (used, max) = (&bound["used"], &bound["max"]);
    let share = match (used.as_u64(), max.as_u64()) {
        (Some(used), Some(max)) if max > 0 => {
            format!(" ({} %)", u128::from(used) * 100 / u128::from(max))
        }
        _ => String::new(),
    };
    format!("{used} of {max}{share}")
}

const SESSIONS: &str = "/admin/sessions";
const TITLE_WIDTH: usize = 22;
/// Titles, and where what stands below them lies.
const COLUMNS: [(&str, &str); 6] = [
    ("CLIENT ID", "/clientId"),
    ("NAME", "/name"),
    ("CONNECTED", "/connected"),
    ("DURABLE", "/durable"),
    ("SUBSCRIPTIONS", "/subscriptions"),
    ("QUEUED", "/queuedMessages"),
];

#[cfg(test)]
mod tests {
    use super::super::table::{lines, table};
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_has_a_line_a_session_and_no_control_characters() {
        let sessions = [
            json!({"clientId": "a-long-one", "name": "n", "connected": true, "durable": false,
                   "subscriptions": 2, "queuedMessages": 0}),
            json!({"clientId": "b\u{1b}[2J", "name": "n", "connected": false, "durable": true,
                   "subscriptions": 1, "queuedMessages": 17}),
        ];
        assert_eq!(
            table(&COLUMNS, &sessions),
            "CLIENT ID   NAME  CONNECTED  DURABLE  SUBSCRIPTIONS  QUEUED\n\
             a-long-one  n     yes        no       2              0\n\
             b\\u{1b}[2J  n     no         yes      1              17\n"
        );
        assert_eq!(lines(&sessions).lines().count(), 2);
    }

    #[test]
    fn a_page_shows_every_bound_and_how_full_it_is() {
        let session = json!({
            "clientId": "a", "durable": true, "sessionExpirySeconds": null, "willTopic": null,
            "pausedBy": [], "dropped": 4, "droppedBy": {"queue_full": 4},
            "subscriptions": [{"filter": "x/#", "qos": 1}],
            "bounds": {"queueMessages": {"used": 3, "max": 100}, "none": {"used": 0, "max": 0}},
        });
        let text = page(&session);
        for line in [
            "clientId              a",
            "sessionExpirySeconds  never",
            "pausedBy              -",
            "dropped               4 (queue_full)",
            "queueMessages         3 of 100 (3 %)",
            "none                  0 of 0",
            "subscription          x/# (QoS 1)",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }
}
