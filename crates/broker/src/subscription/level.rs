//! The text of one level of a filter, small.
//!
//! Owns how it is kept: most levels are short, and an allocation each would double what a node of
//! the tree costs. Refuses to know what the level means.

use super::slab::Slab;

/// A level's text: up to [`SHORT`] bytes in place, longer ones by number in a [`Slab`] that the
/// owner keeps. 16 bytes.
pub(super) enum Level {
    Short { len: u8, bytes: [u8; SHORT] },
    Long(u32),
}

impl Level {
    pub(super) fn new(text: &str, longs: &mut Slab<Box<str>>) -> Self {
        match u8::try_from(text.len()) {
            Ok(len) if text.len() <= SHORT => {
                let mut bytes = [0; SHORT];
                bytes[..text.len()].copy_from_slice(text.as_bytes());
                Self::Short { len, bytes }
            }
            _ => Self::Long(longs.insert(text.into())),
        }
    }

    #[inline]
    pub(super) fn bytes<'a>(&'a self, longs: &'a Slab<Box<str>>) -> &'a [u8] {
        match self {
            Self::Short { len, bytes } => &bytes[..usize::from(*len)],
            Self::Long(id) => longs.get(*id).map_or(&[], |text| text.as_bytes()),
        }
    }

    /// Gives back what the level holds in `longs`.
    pub(super) fn release(self, longs: &mut Slab<Box<str>>) {
        if let Self::Long(id) = self {
            longs.remove(id);
        }
    }
}

/// Fills the 16 bytes.
const SHORT: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_kept_and_given_back() {
        assert_eq!(size_of::<Level>(), 16);
        let mut longs = Slab::new();
        for len in [0, 1, 13, 14, 15, 255, 256, 65_535] {
            let text = "é".repeat(len / 2) + if len % 2 == 0 { "" } else { "x" };
            let level = Level::new(&text, &mut longs);
            assert_eq!(level.bytes(&longs), text.as_bytes());
            assert_eq!(longs.len(), usize::from(len > SHORT));
            level.release(&mut longs);
            assert_eq!(longs.len(), 0);
        }
    }
}
