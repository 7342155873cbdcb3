//! The packet identifier, never zero. It refuses to know which identifiers are in use.

use std::num::NonZeroU16;

/// Packet identifier of PUBLISH with QoS > 0, its acknowledgements, SUBSCRIBE and UNSUBSCRIBE
/// (MQTT 5, 2.2.1). Range 1 to 65,535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(NonZeroU16);

impl PacketId {
    /// The smallest identifier, 1.
    pub const FIRST: Self = Self(NonZeroU16::MIN);

    /// `None` for zero (MQTT 5, 2.2.1-3).
    #[inline]
    pub const fn new(value: u16) -> Option<Self> {
        match NonZeroU16::new(value) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The number, 1 to 65,535.
    #[inline]
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    /// The identifier after this one, with 1 after 65,535.
    #[inline]
    pub const fn next(self) -> Self {
        match self.0.checked_add(1) {
            Some(id) => Self(id),
            None => Self::FIRST,
        }
    }
}
