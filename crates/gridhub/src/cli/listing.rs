//! All that a server has of something, as a table or as lines. Refuses to know what it is.

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use super::connection::ConnectionFlags;
use super::endpoint::HttpsEndpoint;
use super::http_client::{Method, ask};
use super::table::{lines, say, table};

/// How all of it is shown.
#[derive(Args)]
pub struct Listing {
    /// Print one line of JSON each
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionFlags<HttpsEndpoint>,
}

impl Listing {
    /// Asks for the document at `path` and prints its member `name`, an array; `row` makes of each
    /// what stands in the table.
    ///
    /// # Errors
    /// When the server does not answer so.
    pub fn run<const N: usize>(
        &self,
        (path, name): (&str, &str),
        columns: &[(&str, &str); N],
        row: impl Fn(&Value) -> Value,
    ) -> anyhow::Result<()> {
        let answer = ask(&self.connection.resolve()?, Method::Get, path)?.json()?;
        let all = answer[name].as_array().with_context(|| format!("an answer without {name}"))?;
        if self.json {
            return say(&lines(all));
        }
        say(&table(columns, &all.iter().map(row).collect::<Vec<_>>()))
    }
}
