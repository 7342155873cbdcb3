//! Variable Byte Integers (MQTT 5, 1.5.5). It refuses to know what they measure.

/// The value at the start of `bytes` and how many bytes it takes, 1 to 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Varint {
    /// `value` in `size` bytes.
    Is { value: u32, size: usize },
    /// The bytes end inside the number.
    Incomplete,
    /// A fourth byte with the continuation bit.
    TooLong,
}

/// Reads without judging whether the shortest form was used.
#[inline]
pub(crate) fn read(bytes: &[u8]) -> Varint {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7F) << (7 * index);
        if byte < 0x80 {
            return Varint::Is { value, size: index + 1 };
        }
    }
    if bytes.len() < 4 { Varint::Incomplete } else { Varint::TooLong }
}

/// Bytes of the shortest form, 1 to 4.
#[inline]
pub(crate) const fn size(value: u32) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x1F_FFFF => 3,
        _ => 4,
    }
}

/// The shortest form; the first `size(value)` bytes count.
#[inline]
pub(crate) const fn bytes(value: u32) -> [u8; 4] {
    let low = [
        (value & 0x7F) as u8,
        ((value >> 7) & 0x7F) as u8,
        ((value >> 14) & 0x7F) as u8,
        ((value >> 21) & 0x7F) as u8,
    ];
    match size(value) {
        1 => low,
        2 => [low[0] | 0x80, low[1], 0, 0],
        3 => [low[0] | 0x80, low[1] | 0x80, low[2], 0],
        _ => [low[0] | 0x80, low[1] | 0x80, low[2] | 0x80, low[3]],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_round_trip_in_the_shortest_form() {
        for (value, wanted) in [
            (0, 1),
            (127, 1),
            (128, 2),
            (16_383, 2),
            (16_384, 3),
            (2_097_151, 3),
            (2_097_152, 4),
            (268_435_455, 4),
        ] {
            let encoded = bytes(value);
            assert_eq!(size(value), wanted);
            assert_eq!(read(&encoded[..wanted]), Varint::Is { value, size: wanted });
        }
        assert_eq!(read(&[]), Varint::Incomplete);
        assert_eq!(read(&[0x80, 0x80, 0x80]), Varint::Incomplete);
        assert_eq!(read(&[0xFF; 4]), Varint::TooLong);
    }
}
