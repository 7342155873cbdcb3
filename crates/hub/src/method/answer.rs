//! What a device answers to a direct method, over MQTT 5 (iot-hub A11, A14.5) and MQTT 3.1.1 (D2).
//! Refuses to know who waits for it.

use super::limits::{ANSWER_DEPTH_MAX, PAYLOAD_BYTES_MAX};
use crate::json;
use crate::plane;

/// An answer, as good as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The method was run.
    Done {
        /// What the device made of it.
        status: i64,
        /// JSON; empty = null.
        payload: Box<[u8]>,
    },
    /// The device says that it cannot be asked now (`06A0`, `0603`).
    Unavailable,
    /// The answer makes no sense: why.
    Failed(&'static str),
}

impl Answer {
    /// From `$iothub/methods/res/{status}/?$rid={rid}`.
    pub fn of_mqtt311(status: i32, payload: &[u8]) -> Self {
        Self::done(status.into(), payload)
    }

    fn done(status: i64, payload: &[u8]) -> Self {
        let payload = payload.trim_ascii();
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Self::Failed("its payload is too long");
        }
        if !payload.is_empty() && json::parse(payload, ANSWER_DEPTH_MAX).is_err() {
            return Self::Failed("its payload is no JSON");
        }
        Self::Done { status, payload: payload.into() }
    }
}

/// From `$iothub/responses`. One that the plane could not read is [`Answer::Failed`] for who asked.
impl From<plane::Answer<'_>> for Answer {
    fn from(answer: plane::Answer<'_>) -> Self {
        match answer {
            plane::Answer::Done { code, payload } => Self::done(code.into(), payload),
            plane::Answer::Unavailable(_) => Self::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::Status;

    #[test]
    fn answers_are_told_apart_by_both_ways() {
        let done =
            |status, payload: &str| Answer::Done { status, payload: payload.as_bytes().into() };
        let failed = Answer::Failed;
        let five = |code, payload| Answer::from(plane::Answer::Done { code, payload });
        for (found, expected) in [
            (five(200, b"{\"a\":1.0}"), done(200, "{\"a\":1.0}")),
            (five(u32::MAX, b" "), done(4_294_967_295, "")),
            (plane::Answer::Unavailable(Status::SERVER_BUSY).into(), Answer::Unavailable),
            (five(200, b"text"), failed("its payload is no JSON")),
            (five(200, b"\"\xff\""), failed("its payload is no JSON")),
            (Answer::of_mqtt311(200, b"null"), done(200, "null")),
            (Answer::of_mqtt311(-7, b""), done(-7, "")),
            (Answer::of_mqtt311(200, b"{"), failed("its payload is no JSON")),
        ] {
            assert_eq!(found, expected);
        }
        let long = format!("\"{}\"", "x".repeat(PAYLOAD_BYTES_MAX - 2));
        assert_eq!(Answer::of_mqtt311(1, long.as_bytes()), done(1, &long));
        let longer = format!("{long} 1").into_bytes();
        assert_eq!(Answer::of_mqtt311(1, &longer), failed("its payload is too long"));
    }
}
