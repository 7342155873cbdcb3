//! Messages as lines of files (iot-hub B4): the form that the cloud writes to storage. A batch
//! lasts before it counts as taken.

use super::batch::Batch;
use super::lines::{Lines, Rotation};
use super::sink::Refusal;
use std::path::PathBuf;

/// A directory of files.
#[derive(Debug, Clone)]
pub struct FileSettings {
    /// Where.
    pub directory: PathBuf,
    /// A file that would get more bytes is followed by another.
    pub rotate_bytes: u64,
    /// So is one that is so old.
    pub rotate_after_ms: u64,
    /// So many are kept; 0 = all.
    pub keep_files: usize,
}

/// The files of one endpoint.
pub struct FileSink {
    settings: FileSettings,
    /// Absent while a thread has it.
    lines: Option<Lines>,
}

impl FileSink {
    /// Without touching anything.
    pub fn new(settings: FileSettings) -> Self {
        Self { settings, lines: None }
    }

    /// Makes the last file whole that an earlier process has left.
    pub async fn begin(&mut self) {
        let mut lines = self.settings.lines();
        let mend = move || {
            if let Err(error) = lines.mend() {
                // The first batch tries again, and says why it is not taken.
                tracing::warn!(%error, "the last file of an endpoint cannot be opened");
            }
            lines
        };
        self.lines = tokio::task::spawn_blocking(mend).await.ok();
    }

    /// Writes a batch.
    ///
    /// # Errors
    /// The disk does not take it.
    pub async fn take(&mut self, batch: &Batch, now_ms: u64) -> Result<(), Refusal> {
        let mut lines = self.lines.take().unwrap_or_else(|| self.settings.lines());
        let batch = batch.clone();
        let write = move || {
            let written = lines.append(&batch.storage_lines(), now_ms);
            (lines, written)
        };
        let written = tokio::task::spawn_blocking(write).await;
        let (lines, written) = written.map_err(|_| Refusal::later("the server shuts down"))?;
        self.lines = Some(lines);
        match written {
            Ok(_) => Ok(()),
            Err(error) => {
                let directory = self.settings.directory.display();
                Err(Refusal::later(format!("cannot write to {directory}: {error}")))
            }
        }
    }
}

impl FileSettings {
    fn lines(&self) -> Lines {
        let Self { rotate_bytes, rotate_after_ms, keep_files, .. } = *self;
        let rotation =
            Rotation { bytes: rotate_bytes, after_ms: rotate_after_ms, keep: keep_files };
        Lines::new(self.directory.clone(), rotation)
    }
}
