//! Quality of service: the three levels and their two bits. It refuses to know what each level
//! demands of a session.

/// Quality of service of a message or a subscription (MQTT 5, 4.3). Ordered from weak to strong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum QoS {
    /// Sent once, never acknowledged.
    #[default]
    AtMostOnce = 0,
    /// Acknowledged by PUBACK, may arrive twice.
    AtLeastOnce = 1,
    /// PUBREC, PUBREL, PUBCOMP: arrives once.
    ExactlyOnce = 2,
}

impl QoS {
    /// The level for the value 0, 1 or 2; `None` for anything else.
    #[inline]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }

    /// The value 0, 1 or 2 that goes on the wire.
    #[inline]
    pub const fn bits(self) -> u8 {
        self as u8
    }
}
