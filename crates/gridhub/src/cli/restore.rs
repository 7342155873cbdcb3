//! `gridhub restore`: a backup back into a data directory. Owns the words; what is checked and put
//! in place belongs to `backup`.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use crate::backup::{Restored, restore};

/// Put a backup into an empty data directory.
#[derive(Args)]
pub struct Restore {
    /// What `gridhub backup` wrote
    file: PathBuf,
    /// Data directory: empty, or not there yet
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

impl Restore {
    /// Restores all of it or nothing.
    pub fn run(self) -> anyhow::Result<()> {
        let shown = self.file.display();
        let file = File::open(&self.file).with_context(|| format!("cannot read {shown}"))?;
        let data = std::path::absolute(&self.data)
            .with_context(|| format!("unusable path {}", self.data.display()))?;
        let restored = restore(BufReader::new(file), &data)
            .with_context(|| format!("cannot restore {shown}"))?;
        let Restored { summary, sessions, retained } = restored;
        if self.json {
            let line = json!({ "data": data.display().to_string(), "madeMs": summary.made_ms,
                               "segments": summary.segments, "bytes": summary.bytes,
                               "sessions": sessions, "retained": retained });
            println!("{line}");
        } else {
            let data = data.display();
            eprintln!("restored {sessions} sessions and {retained} retained messages to {data}");
        }
        Ok(())
    }
}
