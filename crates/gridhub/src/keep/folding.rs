//! What the log has, told record by record, becomes what it means on a thread of its own: reading
//! and checking bytes is as much work as understanding them.

use anyhow::Context;
use node::journal::Replay;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use store::log::{Kind, Record};
use store::op::{NamespaceId, Sequence};

/// The way to the thread.
pub(super) struct Folding {
    piece: Piece,
    pieces: SyncSender<Piece>,
    thread: JoinHandle<Folded>,
}

/// What became of all records, or the first one that means nothing.
type Folded = Result<Replay, String>;

/// Some records, one behind the other.
#[derive(Default)]
struct Piece {
    records: Vec<(Sequence, Kind, u32)>,
    payloads: Vec<u8>,
}

impl Folding {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn start() -> anyhow::Result<Self> {
        let (pieces, taken) = sync_channel(PIECES_MAX);
        let thread = std::thread::Builder::new().name("log-replay".into());
        let thread = thread.spawn(move || fold(&taken)).context("cannot start a thread")?;
        Ok(Self { piece: Piece::default(), pieces, thread })
    }

    /// The next record of the log.
    ///
    /// # Errors
    /// It is of another namespace than `namespace`.
    pub fn take(&mut self, record: &Record<'_>, namespace: NamespaceId) -> Result<(), String> {
        if record.namespace != namespace {
            let (at, other) = (record.sequence.0, record.namespace.0);
            return Err(format!("record {at}: it belongs to namespace {other}"));
        }
        // A record is below 4 GiB.
        let bytes = record.payload.len() as u32;
        self.piece.records.push((record.sequence, record.kind, bytes));
        self.piece.payloads.extend_from_slice(record.payload);
        if self.piece.payloads.len() >= PIECE_BYTES {
            self.send();
        }
        Ok(())
    }

    /// All records were told.
    ///
    /// # Errors
    /// One of them means nothing.
    pub fn finish(mut self) -> Folded {
        self.send();
        drop(self.pieces);
        self.thread.join().unwrap_or_else(|_| Err("the replay has panicked".to_owned()))
    }

    fn send(&mut self) {
        let piece = std::mem::take(&mut self.piece);
        // Whoever takes nothing more has found something bad, and tells at the end.
        let _ = self.pieces.send(piece);
    }
}

fn fold(pieces: &Receiver<Piece>) -> Folded {
    let mut replay = Replay::new();
    for Piece { records, payloads } in pieces {
        let mut rest = &payloads[..];
        for (at, kind, bytes) in records {
            let payload;
            (payload, rest) = rest.split_at(bytes as usize);
            replay.add(at, kind, payload).map_err(|error| format!("record {}: {error}", at.0))?;
        }
    }
    Ok(replay)
}

/// So much is handed over at once.
const PIECE_BYTES: usize = 256 * 1024;
/// So many pieces wait at most.
const PIECES_MAX: usize = 8;
