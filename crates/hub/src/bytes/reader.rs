//! Bytes to values, the other side of `writer`. Believes no length, allocates for no count before
//! the bytes are there, and takes each value in its one form only.

/// What is left of a record.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub rest: &'a [u8],
}

/// What is wrong with the bytes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// This version is none that we read.
    #[error("its version {0} is not known here")]
    Version(u8),
    /// What rule it breaks.
    #[error("{0}")]
    Malformed(&'static str),
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The version byte, which has to be `known`.
    pub fn version(&mut self, known: u8) -> Result<(), BadRecord> {
        match self.byte()? {
            version if version == known => Ok(()),
            other => Err(BadRecord::Version(other)),
        }
    }

    #[inline]
    pub fn byte(&mut self) -> Result<u8, BadRecord> {
        let (&byte, rest) = self.rest.split_first().ok_or(SHORT)?;
        self.rest = rest;
        Ok(byte)
    }

    #[inline]
    pub fn number(&mut self) -> Result<u64, BadRecord> {
        match self.rest {
            [byte @ 0..=0x7F, rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_number(),
        }
    }

    fn long_number(&mut self) -> Result<u64, BadRecord> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7F);
            if part > u64::MAX >> shift {
                return Err(BadRecord::Malformed("a number has more than 64 bits"));
            }
            value |= part << shift;
            if byte < 0x80 {
                return match byte {
                    0 if shift > 0 => Err(BadRecord::Malformed("a number is longer than it needs")),
                    _ => Ok(value),
                };
            }
        }
        Err(BadRecord::Malformed("a number has more than 64 bits"))
    }

    /// Wall milliseconds; `None` = never.
    pub fn moment(&mut self) -> Result<Option<u64>, BadRecord> {
        Ok(self.number()?.checked_sub(1))
    }

    /// How many elements follow; each takes one byte at least.
    pub fn count(&mut self) -> Result<usize, BadRecord> {
        let count = usize::try_from(self.number()?).map_err(|_| SHORT)?;
        if count > self.rest.len() { Err(SHORT) } else { Ok(count) }
    }

    /// Bytes behind their length.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], BadRecord> {
        let len = usize::try_from(self.number()?).map_err(|_| SHORT)?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(SHORT)?;
        self.rest = rest;
        Ok(taken)
    }

    /// UTF-8 behind its length in bytes.
    pub fn text(&mut self) -> Result<&'a str, BadRecord> {
        text(self.bytes()?)
    }

    /// Nothing may be left.
    pub fn end(&self) -> Result<(), BadRecord> {
        match self.rest {
            [] => Ok(()),
            _ => Err(BadRecord::Malformed("bytes follow the end")),
        }
    }
}

/// Bytes that have to be UTF-8.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, BadRecord> {
    std::str::from_utf8(bytes).map_err(|_| BadRecord::Malformed("a text is not UTF-8"))
}

const SHORT: BadRecord = BadRecord::Malformed("it ends too early");

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
    fn numbers_and_moments_round_trip_at_their_borders() {
        for (value, len) in [
            (0, 1),
            (1, 1),
            (0x7F, 1),
            (0x80, 2),
            (0x3FFF, 2),
            (0x4000, 3),
            (1 << 52, 8),
            (u64::MAX, 10),
        ] {
            let bytes = written(|w| w.number(value));
            let mut r = Reader::new(&bytes);
            assert_eq!((bytes.len(), r.number(), r.end()), (len, Ok(value), Ok(())));
        }
        for (at_ms, len) in [(None, 1), (Some(0), 1), (Some(1_800_000_000_000), 6)] {
            let bytes = written(|w| w.moment(at_ms));
            assert_eq!((bytes.len(), Reader::new(&bytes).moment()), (len, Ok(at_ms)));
        }
    }

    #[test]
    fn what_is_not_written_so_is_refused() {
        for bytes in [&[][..], &[0x80], &[0x80, 0], &[0xFF, 0x80, 0], &[0x80; 11], &[0xFF; 11]] {
            assert!(Reader::new(bytes).number().is_err(), "{bytes:?}");
        }
        assert!(
            Reader::new(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2])
                .number()
                .is_err()
        );
        assert!(Reader::new(&[5, b'a']).bytes().is_err(), "a length beyond the end");
        assert!(Reader::new(&[2, 0xC3, 0x28]).text().is_err());
        assert!(Reader::new(&[3, 0, 0]).count().is_err(), "more elements than bytes");
        assert_eq!(Reader::new(&[2]).version(1), Err(BadRecord::Version(2)));
        assert!(Reader::new(&[0]).end().is_err());
    }
}
