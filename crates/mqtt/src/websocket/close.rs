//! Why a WebSocket is closed: the codes that we send and those that a peer may send.

use crate::error::Wrong;

/// A close code that we say (RFC 6455, 7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The MQTT connection ended as it should.
    Normal = 1000,
    /// The server stops.
    GoingAway = 1001,
    /// The peer broke the rules of WebSocket or MQTT.
    ProtocolError = 1002,
    /// A text frame: MQTT takes binary ones only (MQTT 5, 6.0.0-1).
    UnsupportedData = 1003,
    /// Text that is no UTF-8.
    InvalidPayload = 1007,
}

/// A frame against the rules: the code for the peer, the rule for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub code: Code,
    pub wrong: Wrong,
}

impl Violation {
    /// Answered with 1002.
    pub const fn protocol(clause: &'static str, what: &'static str) -> Self {
        Self { code: Code::ProtocolError, wrong: Wrong::protocol(clause, what) }
    }
}

/// Reads the payload of a Close frame (RFC 6455, 5.5.1): the code to echo, none where there was
/// none.
pub(super) fn read(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(None) } else { Err(HALF_A_CODE) };
    };
    let code = u16::from_be_bytes(*code);
    if !is_sendable(code) {
        return Err(NO_CODE);
    }
    if std::str::from_utf8(reason).is_err() {
        return Err(REASON);
    }
    Ok(Some(code))
}

/// RFC 6455, 7.4 and the registry that it opens; 1004 to 1006 and 1015 are never on the wire.
fn is_sendable(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

const HALF_A_CODE: Violation =
    Violation::protocol("RFC 6455, 5.5.1", "a Close frame with half a close code");
const NO_CODE: Violation =
    Violation::protocol("RFC 6455, 7.4", "a close code that must not be sent");
const REASON: Violation = Violation {
    code: Code::InvalidPayload,
    wrong: Wrong::protocol("RFC 6455, 8.1", "the reason in a Close frame is no UTF-8"),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_payloads() {
        let bad = Err(Code::ProtocolError);
        let rows = [
            (&b""[..], Ok(None)),
            (b"\x03", bad),
            (b"\x03\xe8", Ok(Some(1000))),
            (b"\x03\xe9bye", Ok(Some(1001))),
            (b"\x03\xe7", bad),
            (b"\x03\xec", bad),
            (b"\x03\xed", bad),
            (b"\x03\xf7", bad),
            (b"\x0b\xb7", bad),
            (b"\x0b\xb8\xc3\xa4", Ok(Some(3000))),
            (b"\x13\x88", bad),
            (b"\x03\xe8\xc3", Err(Code::InvalidPayload)),
        ];
        for (payload, want) in rows {
            assert_eq!(read(payload).map_err(|v| v.code), want, "{payload:02x?}");
        }
    }
}
