//! `gridhub repair`: what is wrong with the log of a data directory, and what can be done. Owns
//! the words; what is found and done belongs to `store::log::repair`.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use store::log::repair::{Finding, Report, Verdict, What, apply, examine};

use crate::disk::{FileDisk, Usage};
use crate::identity::lock::DirLock;
use crate::start::LOG;

/// Look for damage in a log, and mend it
#[derive(Args)]
pub struct Repair {
    /// Data directory; its log is in DIR/log
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    #[command(flatten)]
    mode: Mode,
    /// Print one line of JSON a finding, then one about the whole
    #[arg(long)]
    json: bool,
}

/// One of the two has to be said.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Mode {
    /// Tell what is wrong and what would be done; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do what can be done; damaged files are kept as copies
    #[arg(long)]
    apply: bool,
}

impl Repair {
    /// Prints what it finds on stdout. Fails if the log cannot be started afterwards.
    pub fn run(self) -> anyhow::Result<()> {
        let log = self.data.join(LOG);
        let shown = log.display();
        if !log.is_dir() {
            bail!("{} holds no log: {shown} is no directory", self.data.display());
        }
        let context = || format!("cannot repair {shown}");
        let (report, kept) = if self.mode.apply {
            let _lock = DirLock::take(&self.data)?;
            let disk = FileDisk::open(&log, Usage::Full).with_context(context)?;
            let mended = apply(&disk).with_context(context)?;
            (mended.report, mended.kept)
        } else {
            let _lock = DirLock::watch(&self.data)?;
            let disk = FileDisk::open(&log, Usage::Inspect).with_context(context)?;
            (examine(&disk).with_context(context)?, Vec::new())
        };
        self.tell(&report, &kept);
        match (report.verdict(), self.mode.apply) {
            (Verdict::Sound, _) | (Verdict::Damaged, true) => Ok(()),
            (Verdict::Damaged, false) => {
                bail!("{shown} is damaged; --apply mends it, as told above, and keeps copies")
            }
            (Verdict::Beyond, _) => {
                bail!(
                    "{shown} cannot be repaired as it is, for the reasons above; nothing was done"
                )
            }
        }
    }

    fn tell(&self, report: &Report, kept: &[String]) {
        for finding in &report.findings {
            let Finding { file, offset, what } = finding;
            if self.json {
                let (kind, lost) = (kind(what), lost(what));
                println!(
                    "{}",
                    json!({ "file": file, "offset": offset, "kind": kind, "lost_max": lost,
                            "text": text(what) })
                );
            } else {
                println!("{file} at offset {offset}: {}", text(what));
            }
        }
        let (segments, records, lost) = (report.segments, report.records, report.lost());
        if self.json {
            let line = json!({ "segments": segments, "records": records, "lost_max": lost,
                               "kept": kept });
            println!("{line}");
            return;
        }
        println!("{segments} segments, {records} records can be read");
        if lost > 0 {
            println!("at most {lost} records that were acknowledged are lost");
        }
        for file in kept {
            println!("kept as it was: {file}");
        }
    }
}

fn kind(what: &What) -> &'static str {
    match what {
        What::Leftover => "leftover",
        What::Unsealed => "unsealed",
        What::Torn => "torn",
        What::Head => "head",
        What::Footer => "footer",
        What::Lost { .. } => "lost",
        What::Beyond(_) => "beyond",
    }
}

fn lost(what: &What) -> u64 {
    if let What::Lost { records, .. } = what { *records } else { 0 }
}

fn text(what: &What) -> String {
    match what {
        What::Leftover => "a file of unfinished work; it is removed".into(),
        What::Unsealed => "a segment without its footer: each start reads it whole".into(),
        What::Torn => "an end that was never acknowledged; it is cut off here".into(),
        What::Head => "the head cannot be read; it is written again".into(),
        What::Footer => {
            "the footer cannot be read; it is made again, and records that were released may \
             come back as held"
                .into()
        }
        What::Lost { records, until } => format!(
            "damage up to offset {until}; at most {records} records that were acknowledged are lost"
        ),
        What::Beyond(why) => why.clone(),
    }
}
