//! A copy of the log in one file, made while the server runs or without one, and put back into an
//! empty directory.
//!
//! Owns the file's format and both ways. Refuses to know what a record means, and leaves out
//! everything of a data directory but its log: keys and certificates are not in a backup.

pub mod frame;
mod restore;
mod source;

pub use restore::{Restored, restore};
pub use source::Source;

use anyhow::{Context, bail};
use frame::{Decoder, Frame};
use std::io::Read;

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// When it was made, in wall milliseconds.
    pub made_ms: u64,
    /// Files of the log.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// One step of a backup that is read.
enum Part<'a> {
    /// A file of the log begins.
    File(&'a str),
    /// The next bytes of it.
    Data(&'a [u8]),
}

/// Reads a backup to its end and checks all of it.
///
/// # Errors
/// What is wrong, with its offset.
pub fn check(from: impl Read) -> anyhow::Result<Summary> {
    read(from, |_| Ok(()))
}

/// Reads a backup to its end; every part is checked before it comes to `each`.
fn read(
    from: impl Read,
    mut each: impl FnMut(Part<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<Summary> {
    let (mut decoder, made_ms) = Decoder::begin(from)?;
    let mut summary = Summary { made_ms, segments: 0, bytes: 0 };
    let (mut last, mut left) = (String::new(), 0);
    loop {
        let (offset, frame) = decoder.next()?;
        match frame {
            Frame::Data(data) => {
                left = u64::checked_sub(left, data.len() as u64)
                    .with_context(|| format!("at offset {offset}: more than the file has"))?;
                summary.bytes += data.len() as u64;
                each(Part::Data(data))?;
            }
            _ if left > 0 => bail!("at offset {offset}: {left} bytes of {last} are missing"),
            Frame::File(name, bytes) => {
                // Names sort like the log: none comes twice, and none leads anywhere else.
                if !store::log::is_piece(name) || name <= last.as_str() {
                    bail!("at offset {offset}: '{}' is no file of a log here", name.escape_debug());
                }
                (last, left) = (name.to_owned(), bytes);
                summary.segments += 1;
                each(Part::File(name))?;
            }
            Frame::End if summary.segments == 0 => bail!("at offset {offset}: it holds no log"),
            Frame::End => {
                decoder.end()?;
                return Ok(summary);
            }
        }
    }
}
