//! Every bound of the MQTT 3.1.1 device API (iot-hub D1, D4).

/// The longest silence of a connection, milliseconds: half as long again as the Keep Alive, and
/// never longer than this. Then the connection is closed.
pub const SILENCE_MS_MAX: u64 = 1_767_000;

/// How long a connection with this Keep Alive may be silent, milliseconds; 0 asks for no limit and
/// gets the longest.
pub const fn silence_ms_max(keep_alive_s: u16) -> u64 {
    let wanted_ms = keep_alive_s as u64 * 1500;
    if wanted_ms == 0 || wanted_ms > SILENCE_MS_MAX { SILENCE_MS_MAX } else { wanted_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_bounded() {
        for (keep_alive_s, ms) in
            [(0, 1_767_000), (60, 90_000), (1177, 1_765_500), (1178, 1_767_000), (1179, 1_767_000)]
        {
            assert_eq!(silence_ms_max(keep_alive_s), ms);
        }
        assert_eq!(silence_ms_max(u16::MAX), SILENCE_MS_MAX);
    }
}
