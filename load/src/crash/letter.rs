//! What a message of the run looks like: size and content follow from the seed, its stream and its
//! number, so that a repetition is the same bytes.

use super::chance::Chance;
use super::ledger::{Content, Ledger};
use crate::mark::Mark;

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// For subscribers.
    Deliver,
    /// To be retained; now and then cleared.
    Retain,
}

/// One message of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The stream's number.
    pub stream: u32,
    /// Its number in the stream.
    pub sequence: u64,
}

impl Letter {
    /// The next message of a stream, entered in the ledger.
    pub fn next(ledger: &mut Ledger, seed: u64, stream: u32, purpose: Purpose) -> Self {
        let mut chance = Chance::of(seed, ledger.sent(stream), &ledger.source(stream).topic);
        let clears = purpose == Purpose::Retain && chance.one_in(CLEARS_ONE_IN);
        let content = if clears { Content::Nothing } else { Content::Marked };
        Self { stream, sequence: ledger.send(stream, content) }
    }

    /// Its bytes.
    pub fn payload(self, ledger: &Ledger, seed: u64) -> Vec<u8> {
        let mut payload = Vec::new();
        if ledger.content(self.stream, self.sequence) == Content::Marked {
            let topic = &ledger.source(self.stream).topic;
            let bytes = Chance::of(seed, !self.sequence, topic).between(BYTES.0, BYTES.1);
            let mark = Mark { stream: self.stream, sequence: self.sequence, due_us: 0 };
            mark.write(bytes as usize, &mut payload);
        }
        payload
    }
}

const CLEARS_ONE_IN: u64 = 4;
const BYTES: (u64, u64) = (32, 600);
