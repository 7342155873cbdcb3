//! Correlation Data: which request a response is to (iot-hub A11). Refuses to know requests.

use std::fmt;

use super::limits::CORRELATION_BYTES_MAX;

/// 1 to 16 bytes, whatever they are.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Correlation {
    bytes: [u8; CORRELATION_BYTES_MAX],
    len: u8,
}

/// Why Correlation Data is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCorrelation {
    /// There is none, or it is empty, which counts as none.
    #[error("the request has no Correlation Data")]
    Missing,
    /// It is longer than 16 bytes.
    #[error("Correlation Data has {0} bytes, and may have {CORRELATION_BYTES_MAX}")]
    TooLong(usize),
}

impl Correlation {
    /// Takes the property of a PUBLISH.
    ///
    /// # Errors
    /// When it is absent, empty or too long.
    pub fn of(data: Option<&[u8]>) -> Result<Self, NoCorrelation> {
        let data = data.filter(|data| !data.is_empty()).ok_or(NoCorrelation::Missing)?;
        let mut bytes = [0; CORRELATION_BYTES_MAX];
        let place = bytes.get_mut(..data.len()).ok_or(NoCorrelation::TooLong(data.len()))?;
        place.copy_from_slice(data);
        Ok(Self { bytes, len: data.len() as u8 })
    }

    /// The hub's own, for a method request: eight bytes of a number that it does not use twice.
    pub fn numbered(number: u64) -> Self {
        let mut bytes = [0; CORRELATION_BYTES_MAX];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Self { bytes, len: 8 }
    }

    /// The number of [`numbered`](Self::numbered); `None` for what cannot be one.
    pub fn number(&self) -> Option<u64> {
        self.as_bytes().try_into().ok().map(u64::from_be_bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for Correlation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_to_sixteen_bytes() {
        let bytes: Vec<u8> = (0..17).collect();
        for len in 1..=16 {
            let correlation = Correlation::of(Some(&bytes[..len])).unwrap();
            assert_eq!(correlation.as_bytes(), &bytes[..len]);
        }
        assert_eq!(Correlation::of(None), Err(NoCorrelation::Missing));
        assert_eq!(Correlation::of(Some(&[])), Err(NoCorrelation::Missing));
        assert_eq!(Correlation::of(Some(&bytes)), Err(NoCorrelation::TooLong(17)));
    }

    #[test]
    fn the_hubs_own_are_numbers() {
        for number in [0, 1, u64::MAX] {
            let own = Correlation::numbered(number);
            assert_eq!(Correlation::of(Some(own.as_bytes())).unwrap().number(), Some(number));
        }
        for other in [&[1][..], &[0; 7], &[0; 9], &[0; 16]] {
            assert_eq!(Correlation::of(Some(other)).unwrap().number(), None);
        }
    }
}
