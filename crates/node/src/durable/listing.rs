//! What lies in streams by number: to read over what was dropped, and to count what an earlier run
//! has left, without the messages.
//!
//! Owns the reading thread's half. Refuses to know what was dropped and whose it was: a message
//! that its own session published may not be for it (No Local, MQTT 5, 3.8.3.1-3), which whoever
//! has the subscriptions decides.

use super::{LIVE_BYTES, LIVE_MESSAGES};
use crate::journal::{Entry, Publisher, SessionId};
use store::disk::File;
use store::log::{Credit, Cursor, ReadEnd, Reader, Record, StreamId};
use store::op::Sequence;

/// A read of numbers.
#[derive(Clone, Copy)]
pub(crate) struct Listing {
    pub aim: Aim,
    /// What this session has published is told apart: it has No Local somewhere.
    pub own: Option<SessionId>,
}

/// What numbers are wanted for.
#[derive(Clone, Copy)]
pub(crate) enum Aim {
    /// To go over so many messages that were dropped.
    LetGo(u64),
    /// To know how many there are up to a sequence, besides so many that are counted.
    Count { up_to: Sequence, so_far: u64 },
}

/// A message.
pub(crate) struct Listed {
    pub sequence: Sequence,
    /// The streams of one that the session itself has published.
    pub own_in: Option<Vec<StreamId>>,
}

impl Listing {
    /// Reads on; blocks for the disk.
    pub fn list<F: File>(
        self,
        reader: &Reader<F>,
        cursor: &mut Cursor,
    ) -> Result<(Vec<Listed>, ReadEnd), String> {
        let mut all = Vec::new();
        let max = match self.aim {
            Aim::LetGo(dropped) => usize::try_from(dropped).unwrap_or(NUMBERS).min(NUMBERS),
            Aim::Count { .. } => NUMBERS,
        };
        let Some(own) = self.own else {
            let plain = |sequence| all.push(Listed { sequence, own_in: None });
            let end = reader.list(cursor, max, plain).map_err(|damage| damage.to_string())?;
            return Ok((all, end));
        };
        let credit = Credit { records: max.min(LIVE_MESSAGES), bytes: LIVE_BYTES };
        let mut bad = None;
        let end = reader.read(cursor, credit, |record| match is_by(record, own) {
            Ok(is_own) => {
                let own_in = is_own.then(|| record.streams().collect());
                all.push(Listed { sequence: record.sequence, own_in });
            }
            Err(why) => bad = Some(why),
        });
        match (end, bad) {
            (Err(damage), _) => Err(damage.to_string()),
            (Ok(_), Some(bad)) => Err(bad),
            (Ok(end), None) => Ok((all, end)),
        }
    }
}

fn is_by(record: &Record<'_>, session: SessionId) -> Result<bool, String> {
    match Entry::decode(record.kind, record.payload) {
        Ok(Entry::Message(message)) => Ok(match message.publisher {
            Publisher::Session(id) | Publisher::Exchange(id, _) => id == session,
            Publisher::Passing | Publisher::Request(_) => false,
        }),
        Ok(_) => Err(format!("record {} in a stream is no message", record.sequence.0)),
        Err(error) => Err(format!("record {}: {error}", record.sequence.0)),
    }
}

/// Numbers of one read: as many bytes of memory as messages of one read may have.
const NUMBERS: usize = LIVE_BYTES / size_of::<Listed>();
