//! What a device answers to a direct method, over MQTT 5 (iot-hub A11, A14.5) and MQTT 3.1.1 (D2).
//! Refuses to know who waits for it.

use super::limits::{ANSWER_DEPTH_MAX, PAYLOAD_BYTES_MAX};
use crate::json;

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
    /// From `$iothub/responses`: its user properties `response-code` and `status`, as they are.
    pub fn of_mqtt5(response_code: Option<&str>, status: Option<&str>, payload: &[u8]) -> Self {
        match status.map(fails) {
            Some(None) => return Self::Failed("its status is none"),
            Some(Some(true)) => return Self::Unavailable,
            Some(Some(false)) | None => {}
        }
        let Some(code) = response_code else {
            return Self::Failed("it has no response-code");
        };
        let is_number = (1..=10).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_digit());
        match code.parse::<u32>() {
            Ok(status) if is_number => Self::done(status.into(), payload),
            _ => Self::Failed("its response-code is none"),
        }
    }

    /// From `$iothub/methods/res/{status}/?$rid={rid}`.
    pub fn of_mqtt311(status: &str, payload: &[u8]) -> Self {
        let is_number = status.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit());
        match status.parse::<i32>() {
            Ok(status) if is_number => Self::done(status.into(), payload),
            _ => Self::Failed("its status is none"),
        }
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

/// Whether a status (A13) says that something failed; `None` = it is none.
fn fails(status: &str) -> Option<bool> {
    let is_status = status.len() == 4 && status.bytes().all(|byte| byte.is_ascii_hexdigit());
    let bits = if is_status { u16::from_str_radix(status, 16).ok()? } else { return None };
    Some(bits >> 8 & 3 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let done =
            |status, payload: &str| Answer::Done { status, payload: payload.as_bytes().into() };
        let failed = Answer::Failed;
        let five = |code, status, payload: &str| Answer::of_mqtt5(code, status, payload.as_bytes());
        for (found, expected) in [
            (five(Some("200"), None, "{\"a\":1.0}"), done(200, "{\"a\":1.0}")),
            (five(Some("0"), Some("0000"), ""), done(0, "")),
            (five(Some("4294967295"), None, " "), done(4_294_967_295, "")),
            (five(Some("4294967296"), None, ""), failed("its response-code is none")),
            (five(Some("+1"), None, ""), failed("its response-code is none")),
            (five(Some(""), None, ""), failed("its response-code is none")),
            (five(None, None, ""), failed("it has no response-code")),
            (five(None, Some("0001"), ""), failed("it has no response-code")),
            (five(None, Some("06A0"), ""), Answer::Unavailable),
            (five(None, Some("0603"), ""), Answer::Unavailable),
            (five(None, Some("06a0"), ""), Answer::Unavailable),
            (five(Some("200"), Some("0100"), "x"), Answer::Unavailable),
            (five(None, Some("06A"), ""), failed("its status is none")),
            (five(None, Some("+6A0"), ""), failed("its status is none")),
            (five(Some("200"), None, "text"), failed("its payload is no JSON")),
            (Answer::of_mqtt5(Some("200"), None, b"\"\xff\""), failed("its payload is no JSON")),
            (Answer::of_mqtt311("200", b"null"), done(200, "null")),
            (Answer::of_mqtt311("-7", b""), done(-7, "")),
            (Answer::of_mqtt311("+7", b""), failed("its status is none")),
            (Answer::of_mqtt311("", b""), failed("its status is none")),
            (Answer::of_mqtt311("99999999999", b""), failed("its status is none")),
            (Answer::of_mqtt311("200", b"{"), failed("its payload is no JSON")),
        ] {
            assert_eq!(found, expected);
        }
        let long = format!("\"{}\"", "x".repeat(PAYLOAD_BYTES_MAX - 2));
        assert_eq!(Answer::of_mqtt311("1", long.as_bytes()), done(1, &long));
        let longer = format!("{long} 1").into_bytes();
        assert_eq!(Answer::of_mqtt311("1", &longer), failed("its payload is too long"));
    }
}
