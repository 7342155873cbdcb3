//! The forms that all bytes of a twin share: unsigned LEB128 in its shortest form, and things
//! behind their length. Refuses to know what they stand for; believes no length.

use super::refused::BadTwin;

/// What is left of some bytes.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The version byte, which has to be `known`.
    pub fn version(&mut self, known: u8) -> Result<(), BadTwin> {
        match self.byte()? {
            version if version == known => Ok(()),
            other => Err(BadTwin::Version(other)),
        }
    }

    #[inline]
    pub fn byte(&mut self) -> Result<u8, BadTwin> {
        let (&byte, rest) = self.rest.split_first().ok_or(SHORT)?;
        self.rest = rest;
        Ok(byte)
    }

    #[inline]
    pub fn number(&mut self) -> Result<u64, BadTwin> {
        match self.rest {
            [byte @ 0..=0x7F, rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_number(),
        }
    }

    fn long_number(&mut self) -> Result<u64, BadTwin> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7F);
            if part > u64::MAX >> shift {
                return Err(BadTwin::Malformed("a number has more than 64 bits"));
            }
            value |= part << shift;
            if byte < 0x80 {
                return match byte {
                    0 if shift > 0 => Err(BadTwin::Malformed("a number is longer than it needs")),
                    _ => Ok(value),
                };
            }
        }
        Err(BadTwin::Malformed("a number has more than 64 bits"))
    }

    /// Bytes behind their length.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], BadTwin> {
        let len = usize::try_from(self.number()?).map_err(|_| SHORT)?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(SHORT)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Nothing may be left.
    pub fn end(&self) -> Result<(), BadTwin> {
        match self.rest {
            [] => Ok(()),
            _ => Err(BadTwin::Malformed("bytes follow the end")),
        }
    }
}

pub(super) fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7F {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(super) fn text(bytes: &[u8]) -> Result<&str, BadTwin> {
    std::str::from_utf8(bytes).map_err(|_| BadTwin::Malformed("a text is not UTF-8"))
}

const SHORT: BadTwin = BadTwin::Malformed("it ends too early");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip_and_have_one_form() {
        for value in [0, 1, 0x7F, 0x80, 0x3FFF, 0x4000, 1 << 52, u64::MAX] {
            let mut bytes = Vec::new();
            put_number(&mut bytes, value);
            let mut r = Reader::new(&bytes);
            assert_eq!((r.number(), r.end()), (Ok(value), Ok(())));
        }
        let many = [0xFF; 11];
        for bytes in [&[][..], &[0x80], &[0x80, 0], &many[..]] {
            assert!(Reader::new(bytes).number().is_err(), "{bytes:?}");
        }
        assert!(Reader::new(&[5, b'a']).bytes().is_err());
    }
}
