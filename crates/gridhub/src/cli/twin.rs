//! `gridhub twin`: what is known and wanted of a device. Owns flags and words; twins are the
//! service API's.

use std::io::Read;
use std::path::PathBuf;

use anyhow::Context;
use clap::{ArgGroup, Args, Subcommand};
use hub::identity::IdentityId;

use super::http_client::Method;
use super::pretty::{line, pretty};
use super::service::{ServiceFlags, if_match, name, path};
use super::table::say;

/// What to do with twins. A module is named DEVICE/MODULE.
#[derive(Subcommand)]
pub enum Twin {
    /// One twin
    Show(Show),
    /// Merge tags and desired properties into it; null removes a key
    Patch(Write),
    /// Put tags and desired properties in the place of those that are there
    Replace(Write),
}

/// One, to look at.
#[derive(Args)]
pub struct Show {
    /// DEVICE or DEVICE/MODULE
    #[arg(value_parser = name)]
    name: IdentityId,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceFlags,
}

/// One, to write into.
#[derive(Args)]
#[command(group = ArgGroup::new("document").required(true))]
pub struct Write {
    /// DEVICE or DEVICE/MODULE
    #[arg(value_parser = name)]
    name: IdentityId,
    /// Such as '{"tags":{"floor":3},"properties":{"desired":{"interval":10}}}'; - reads stdin
    #[arg(value_name = "JSON", group = "document")]
    text: Option<String>,
    /// The same from a file
    #[arg(short, long, value_name = "FILE", group = "document")]
    file: Option<PathBuf>,
    /// Only in the state of this etag
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
    /// Print the twin after it as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceFlags,
}

impl Twin {
    /// Asks the hub and prints the twin on stdout.
    pub fn run(self) -> anyhow::Result<()> {
        let (document, json) = match self {
            Self::Show(Show { name, json, service }) => {
                let path = path(TWINS, &name);
                (service.resolve()?.ask(Method::Get, &path, &[], None)?.bytes()?, json)
            }
            Self::Patch(write) => (write.run(Method::Patch)?, write.json),
            Self::Replace(write) => (write.run(Method::Put)?, write.json),
        };
        say(&if json { line(&document)? } else { pretty(&document)? })
    }
}

impl Write {
    fn run(&self, method: Method) -> anyhow::Result<Vec<u8>> {
        let body = self.body()?;
        let headers = [("if-match", &*if_match(self.if_match.as_deref()))];
        let path = path(TWINS, &self.name);
        self.service.resolve()?.ask(method, &path, &headers, Some(&body))?.bytes()
    }

    fn body(&self) -> anyhow::Result<Vec<u8>> {
        let mut body = Vec::new();
        match (self.text.as_deref(), &self.file) {
            (Some("-"), _) => drop(std::io::stdin().read_to_end(&mut body).context("stdin")?),
            (Some(text), _) => body.extend_from_slice(text.as_bytes()),
            (None, Some(file)) => {
                body = std::fs::read(file)
                    .with_context(|| format!("cannot read {}", file.display()))?;
            }
            (None, None) => {}
        }
        Ok(body)
    }
}

const TWINS: &str = "/twins";
