//! `gridhub query`: what the twins of the hub say, page by page. Owns flags and words; the language
//! is the service API's.

use clap::Args;
use serde_json::json;

use super::http_client::Method;
use super::pretty::{line, pretty};
use super::service::ServiceFlags;
use super::table::say;

/// Query the twins of devices and modules.
#[derive(Args)]
pub struct Query {
    /// Such as "SELECT * FROM devices WHERE tags.floor = 3"
    #[arg(value_name = "SELECT")]
    text: String,
    /// Print one line of JSON a row
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceFlags,
}

impl Query {
    /// Prints all rows.
    pub fn run(self) -> anyhow::Result<()> {
        let service = self.service.resolve()?;
        let body = json!({ "query": self.text }).to_string();
        service.rows(Method::Post, "/devices/query", Some(body.as_bytes()), |row| {
            say(&if self.json { line(row)? } else { pretty(row)? })
        })
    }
}
