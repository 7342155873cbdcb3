//! What every payload begins with, so that each message is known again: who sent it, which of
//! theirs it is, when. Refuses to know what should arrive where; that is the ledger's.

/// The front of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Which stream of messages: one publisher and topic.
    pub stream: u32,
    /// Its place in the stream, from 0.
    pub sequence: u64,
    /// When it was due to be sent, in microseconds since the run began.
    pub due_us: u64,
}

impl Mark {
    /// Fills `payload` to `bytes` (at least [`Mark::BYTES`]): the mark, then filler that depends
    /// on the mark.
    pub fn write(self, bytes: usize, payload: &mut Vec<u8>) {
        payload.clear();
        payload.extend_from_slice(MAGIC);
        payload.extend_from_slice(&self.stream.to_be_bytes());
        payload.extend_from_slice(&self.sequence.to_be_bytes());
        payload.extend_from_slice(&self.due_us.to_be_bytes());
        payload.resize(bytes.max(Self::BYTES), self.filler());
    }

    /// Reads it back; `None` if it is no payload of ours or a byte of it has changed.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let rest = payload.strip_prefix(MAGIC)?;
        let (stream, rest) = rest.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (due_us, rest) = rest.split_first_chunk()?;
        let mark = Self {
            stream: u32::from_be_bytes(*stream),
            sequence: u64::from_be_bytes(*sequence),
            due_us: u64::from_be_bytes(*due_us),
        };
        let filler = mark.filler();
        rest.iter().all(|byte| *byte == filler).then_some(mark)
    }

    fn filler(self) -> u8 {
        (self.sequence as u8) ^ (self.stream as u8)
    }

    /// Bytes of the smallest payload.
    pub const BYTES: usize = MAGIC.len() + 4 + 8 + 8;
}

const MAGIC: &[u8] = b"load";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote_and_sees_a_changed_byte() {
        let mark = Mark { stream: 7, sequence: 1 << 40, due_us: 12 };
        let mut payload = Vec::new();
        mark.write(64, &mut payload);
        assert_eq!((payload.len(), Mark::read(&payload)), (64, Some(mark)));
        payload[63] ^= 1;
        assert_eq!(Mark::read(&payload), None);
        mark.write(0, &mut payload);
        assert_eq!((payload.len(), Mark::read(&payload)), (Mark::BYTES, Some(mark)));
        assert_eq!(Mark::read(b"load"), None);
        assert_eq!(Mark::read(b"something else that is long enough"), None);
    }
}
