//! Bytes to values: the other side of `writer`. Believes no length, allocates for no count before
//! the bytes are there, and takes each value in its one form only.

use super::session_id::SessionId;
use mqtt::packet_id::PacketId;
use mqtt::topic::TopicFilter;
use store::op::Sequence;

/// What is left of a payload.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

/// What is wrong with a payload; its kind is known to who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// This version is none that we read.
    Version(u8),
    /// What rule it breaks.
    Malformed(&'static str),
}

impl Fault {
    /// A list that is left out when there is nothing in it.
    pub const EMPTY: Self = Self::Malformed("a list that may be absent is empty");
}

impl<'a> Reader<'a> {
    pub fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    /// The version byte, which has to be `known`.
    pub fn version(&mut self, known: u8) -> Result<(), Fault> {
        match self.byte()? {
            version if version == known => Ok(()),
            other => Err(Fault::Version(other)),
        }
    }

    pub fn byte(&mut self) -> Result<u8, Fault> {
        let (&byte, rest) = self.rest.split_first().ok_or(SHORT)?;
        self.rest = rest;
        Ok(byte)
    }

    /// A byte of which only the bits of `known` may be set.
    pub fn flags(&mut self, known: u8) -> Result<u8, Fault> {
        match self.byte()? {
            flags if flags & !known == 0 => Ok(flags),
            _ => Err(Fault::Malformed("a flag is set that is none")),
        }
    }

    pub fn number(&mut self) -> Result<u64, Fault> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7F);
            if part > u64::MAX >> shift {
                return Err(Fault::Malformed("a number has more than 64 bits"));
            }
            value |= part << shift;
            if byte < 0x80 {
                return match byte {
                    0 if shift > 0 => Err(Fault::Malformed("a number is longer than it needs")),
                    _ => Ok(value),
                };
            }
        }
        Err(Fault::Malformed("a number has more than 64 bits"))
    }

    pub fn number_u32(&mut self) -> Result<u32, Fault> {
        u32::try_from(self.number()?).map_err(|_| Fault::Malformed("a number is too large"))
    }

    /// A sequence by its distance from `base`.
    pub fn distance(&mut self, base: Sequence) -> Result<Sequence, Fault> {
        let folded = self.number()?;
        let signed = (folded >> 1) ^ (folded & 1).wrapping_neg();
        Ok(Sequence(base.0.wrapping_add(signed)))
    }

    /// Wall milliseconds; `u64::MAX` = never.
    pub fn moment(&mut self) -> Result<u64, Fault> {
        Ok(self.number()?.wrapping_sub(1))
    }

    /// How many elements follow; each takes at least `bytes_min` (1 or more) bytes.
    pub fn count(&mut self, bytes_min: usize) -> Result<usize, Fault> {
        let count = usize::try_from(self.number()?).map_err(|_| SHORT)?;
        if count > self.rest.len() / bytes_min { Err(SHORT) } else { Ok(count) }
    }

    /// A list behind its length, of elements of `bytes_min` (1 or more) bytes at least.
    pub fn list<T>(
        &mut self,
        bytes_min: usize,
        mut each: impl FnMut(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let count = self.count(bytes_min)?;
        let mut list = Vec::with_capacity(count);
        for _ in 0..count {
            list.push(each(self)?);
        }
        Ok(list)
    }

    /// A valid topic filter; a shared one is `$share/{name}/{filter}`.
    pub fn filter(&mut self) -> Result<&'a str, Fault> {
        let filter = TopicFilter::parse(self.text()?);
        Ok(filter.map_err(|e| Fault::Malformed(e.what()))?.as_str())
    }

    pub fn filters(&mut self) -> Result<Vec<&'a str>, Fault> {
        self.list(FILTER_BYTES_MIN, Self::filter)
    }

    pub fn take(&mut self, len: u64) -> Result<&'a [u8], Fault> {
        let len = usize::try_from(len).map_err(|_| SHORT)?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(SHORT)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Bytes behind their length.
    pub fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let len = self.number()?;
        self.take(len)
    }

    /// UTF-8 behind its length in bytes.
    pub fn text(&mut self) -> Result<&'a str, Fault> {
        text(self.bytes()?)
    }

    pub fn session(&mut self) -> Result<SessionId, Fault> {
        self.number().map(SessionId)
    }

    pub fn sequence(&mut self) -> Result<Sequence, Fault> {
        self.number().map(Sequence)
    }

    pub fn packet_id(&mut self) -> Result<PacketId, Fault> {
        packet_id(self.number()?)
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Nothing may be left.
    pub fn end(&self) -> Result<(), Fault> {
        match self.rest {
            [] => Ok(()),
            _ => Err(Fault::Malformed("bytes follow the end")),
        }
    }
}

pub(super) fn text(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|_| Fault::Malformed("a text is not UTF-8"))
}

/// A packet identifier, 1 to 65,535 (MQTT 5, 2.2.1).
pub(super) fn packet_id(number: u64) -> Result<PacketId, Fault> {
    let id = u16::try_from(number).ok().and_then(PacketId::new);
    id.ok_or(Fault::Malformed("a packet identifier is 0 or above 65,535"))
}

/// Its length and one character.
const FILTER_BYTES_MIN: usize = 2;
const SHORT: Fault = Fault::Malformed("it ends too early");

#[cfg(test)]
mod tests {
    use super::super::writer::Writer;
    use super::*;

    fn written(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut Writer(&mut bytes));
        bytes
    }

    #[test]
    fn numbers_round_trip_at_their_borders() {
        for (value, len) in
            [(0, 1), (0x7F, 1), (0x80, 2), (0x3FFF, 2), (0x4000, 3), (u64::MAX >> 1, 9)]
        {
            let bytes = written(|w| w.number(value));
            assert_eq!((bytes.len(), Reader::new(&bytes).number()), (len, Ok(value)));
        }
        let bytes = written(|w| w.number(u64::MAX));
        assert_eq!((bytes.len(), Reader::new(&bytes).number()), (10, Ok(u64::MAX)));
    }

    #[test]
    fn distances_and_moments_round_trip_and_are_short_where_it_counts() {
        for base in [0, 1, 1_000, u64::MAX] {
            for value in [0, 1, 999, 1_001, 1 << 63, u64::MAX] {
                let bytes = written(|w| w.distance(Sequence(value), Sequence(base)));
                let read = Reader::new(&bytes).distance(Sequence(base));
                assert_eq!(read, Ok(Sequence(value)), "{value} from {base}");
            }
        }
        assert_eq!(written(|w| w.distance(Sequence(999), Sequence(1_000))), [1]);
        for (at_ms, len) in [(u64::MAX, 1), (0, 1), (1_800_000_000_000, 6), (u64::MAX - 1, 10)] {
            let bytes = written(|w| w.moment(at_ms));
            assert_eq!((bytes.len(), Reader::new(&bytes).moment()), (len, Ok(at_ms)));
        }
    }

    #[test]
    fn what_is_not_written_so_is_refused() {
        let number = |bytes: &[u8]| Reader::new(bytes).number().is_err();
        for bytes in [&[][..], &[0x80], &[0x80, 0], &[0xFF, 0x80, 0]] {
            assert!(number(bytes), "{bytes:?}");
        }
        assert!(number(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2]));
        assert!(number(&[0x80; 11]));
        assert!(Reader::new(&[5, b'a']).bytes().is_err(), "a length beyond the end");
        assert!(Reader::new(&[2, 0xC3, 0x28]).text().is_err());
        assert!(Reader::new(&[3, 0, 0]).count(1).is_err(), "more elements than bytes");
        assert!(Reader::new(&[0]).packet_id().is_err());
        assert!(Reader::new(&[0x80, 0x80, 4]).packet_id().is_err());
        assert!(Reader::new(&[0]).end().is_err());
    }
}
