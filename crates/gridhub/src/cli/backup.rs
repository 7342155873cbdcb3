//! `gridhub backup`: the log of a data directory in one file. Asks the server that has the
//! directory; reads the directory itself where no process has it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;

use super::connection::ConnectionFlags;
use super::endpoint::HttpsEndpoint;
use super::http_client::{Method, ask};
use crate::backup::{Source, Summary, check};
use crate::config::Durability;
use crate::identity::lock::DirLock;
use crate::keep::open;
use crate::start::{LOG, NAMESPACE};

/// Copy what is kept into one file.
#[derive(Args)]
pub struct Backup {
    /// Where to write it; a file of that name must not be there
    file: PathBuf,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: ConnectionFlags<HttpsEndpoint>,
}

impl Backup {
    /// Writes the file, whole or not at all.
    pub fn run(self) -> anyhow::Result<()> {
        let shown = self.file.display();
        if self.file.symlink_metadata().is_ok() {
            bail!("{shown} is there already; name another file");
        }
        let summary = match self.directory()? {
            Some((directory, _lock)) => {
                let opened = open(&directory, Durability::Disk, NAMESPACE)?;
                let made_ms = super::wall_s() * 1000;
                let source = Source::new(opened.log.reader().pieces(), made_ms);
                write(&self.file, Chunks { source, chunk: Vec::new(), at: 0 })?
            }
            None => {
                let answer = ask(&self.connection.resolve()?, Method::Post, BACKUP)?;
                write(&self.file, answer.into_body())?
            }
        };
        let Summary { made_ms, segments, bytes } = summary;
        if self.json {
            let file = self.file.display().to_string();
            let line = json!({ "file": file, "madeMs": made_ms, "segments": segments,
                               "bytes": bytes });
            println!("{line}");
        } else {
            eprintln!("backed up {segments} segments, {bytes} bytes, to {shown}");
        }
        Ok(())
    }

    /// The log to read without a server, kept from others meanwhile; `None` where a server is to
    /// be asked.
    fn directory(&self) -> anyhow::Result<Option<(PathBuf, DirLock)>> {
        if self.connection.names_server() {
            return Ok(None);
        }
        let data = self.connection.directory()?.context(
            "there is no .gridhub here or in a parent directory; give --data DIR or --endpoint URL",
        )?;
        if !data.is_dir() {
            bail!("{} is no directory", data.display());
        }
        let log = data.join(LOG);
        // A directory that is none of ours gets no lock file.
        let taken = match log.is_dir() {
            true => DirLock::take(&data).map(Some),
            false => DirLock::watch(&data).map(|_| None),
        };
        match taken {
            Ok(Some(lock)) => Ok(Some((log, lock))),
            Ok(None) => bail!("{} holds no log", data.display()),
            // Whoever has it can be asked, if its address is known.
            Err(held) => match self.connection.resolve() {
                Ok(_) => Ok(None),
                Err(_) => Err(held.context("give --endpoint URL to ask the server")),
            },
        }
    }
}

/// Writes what comes beside its place, checks it meanwhile, and gives it its name at the end.
fn write(file: &Path, from: impl Read) -> anyhow::Result<Summary> {
    let mut name = file.as_os_str().to_owned();
    name.push(UNFINISHED);
    let beside = PathBuf::from(name);
    let written = (|| {
        let mut options = OpenOptions::new();
        let made = options.write(true).create(true).truncate(true).mode(0o600).open(&beside);
        let mut to = made.with_context(|| format!("cannot write {}", beside.display()))?;
        let summary = check(Tee { from, to: &mut to }).context("the backup is not whole")?;
        to.sync_all().and_then(|()| fs::rename(&beside, file)).context("cannot finish the file")?;
        Ok(summary)
    })();
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Reads, and writes what it reads to a file.
struct Tee<'a, R> {
    from: R,
    to: &'a mut File,
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = self.from.read(into)?;
        self.to.write_all(&into[..got])?;
        Ok(got)
    }
}

/// A source as a stream of bytes.
struct Chunks {
    source: Source,
    chunk: Vec<u8>,
    at: usize,
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.chunk.len() {
            (self.chunk, self.at) = (self.source.chunk()?.unwrap_or_default(), 0);
        }
        let got = (&self.chunk[self.at..]).read(into)?;
        self.at += got;
        Ok(got)
    }
}

const BACKUP: &str = "/admin/backup";
const UNFINISHED: &str = ".part";
