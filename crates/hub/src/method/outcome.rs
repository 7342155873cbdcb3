//! What a service is told of a direct method (iot-hub B3, C9). Refuses to know who tells it.

use super::answer::Answer;
use crate::Moment;
use crate::errors::{ErrorCode, Refusal};
use crate::json::write_text;

/// What has become of a call.
pub type Outcome = Result<Reply, Failed>;

/// The device has answered: 200.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What the device made of it.
    pub status: i64,
    /// JSON; empty = null.
    pub payload: Box<[u8]>,
}

/// It has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Its code and sentence.
    pub refusal: Refusal,
    /// `info.timeout`: what was waited for in vain, in seconds.
    pub timeout_s: Option<u32>,
}

impl Reply {
    /// The body: `{"status","payload"}`, the payload as the device wrote it.
    pub fn body(&self) -> Vec<u8> {
        let payload: &[u8] = if self.payload.is_empty() { b"null" } else { &self.payload };
        [format!("{{\"status\":{},\"payload\":", self.status).as_bytes(), payload, b"}"].concat()
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, timeout_s: None }
    }
}

impl Failed {
    /// Nobody is there, and the connect timeout, if there was one, is over.
    pub fn not_online(connect_timeout_s: u32) -> Self {
        let text = "Timed out waiting for device to connect.";
        let refusal = Refusal::new(ErrorCode::DeviceNotOnline, text);
        Self { refusal, timeout_s: Some(connect_timeout_s) }
    }

    /// The response timeout is over.
    pub fn no_answer(response_timeout_s: u32) -> Self {
        let text = "Timed out waiting for the response from device.";
        let refusal = Refusal::new(ErrorCode::GatewayTimeout, text);
        Self { refusal, timeout_s: Some(response_timeout_s) }
    }

    /// The connection has gone, or the device says that it cannot serve.
    pub fn unavailable() -> Self {
        Refusal::new(ErrorCode::DeviceNotOnline, "Device unavailable.").into()
    }

    /// The device is disabled.
    pub fn disabled() -> Self {
        Refusal::new(ErrorCode::DeviceDisabled, "The device is disabled.").into()
    }

    /// The second body format of C9, which methods use. `tracking_id`: opaque.
    pub fn body(&self, tracking_id: &str, now_ms: u64) -> Vec<u8> {
        let code = self.refusal.code.number();
        let mut message = format!("{{\"errorCode\":{code},\"trackingId\":").into_bytes();
        write_text(tracking_id, &mut message);
        message.extend_from_slice(b",\"message\":");
        write_text(&self.refusal.message, &mut message);
        if let Some(s) = self.timeout_s {
            let clock = format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
            message.extend_from_slice(format!(",\"info\":{{\"timeout\":\"{clock}\"}}").as_bytes());
        }
        let now = Moment::at(now_ms);
        message.extend_from_slice(format!(",\"timestampUtc\":\"{now}\"}}").as_bytes());
        let mut out = b"{\"Message\":".to_vec();
        write_text(&String::from_utf8_lossy(&message), &mut out);
        out.extend_from_slice(b",\"ExceptionMessage\":\"\"}");
        out
    }
}

/// What an answer is to whom has asked.
impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Done { status, payload } => Ok(Reply { status, payload }),
            Answer::Unavailable => Err(Failed::unavailable()),
            Answer::Failed(why) => {
                let text = format!("The device gave an answer that cannot be passed on: {why}.");
                Err(Refusal::new(ErrorCode::GenericBadGateway, text).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_body_of_the_page() {
        for (status, payload, body) in [
            (200, "", r#"{"status":200,"payload":null}"#),
            (-1, "{\"a\": 1.0}", r#"{"status":-1,"payload":{"a": 1.0}}"#),
        ] {
            let outcome =
                Outcome::from(Answer::Done { status, payload: payload.as_bytes().into() });
            assert_eq!(String::from_utf8(outcome.unwrap().body()).unwrap(), body);
        }
    }

    #[test]
    fn failures_have_the_codes_of_the_table() {
        let failed = |answer| Outcome::from(answer).unwrap_err();
        for (failed, code) in [
            (Failed::not_online(0), 404_103),
            (Failed::no_answer(30), 504_101),
            (failed(Answer::Unavailable), 404_103),
            (failed(Answer::Failed("x")), 502_000),
            (Failed::disabled(), 403_012),
        ] {
            assert_eq!(failed.refusal.code.number(), code);
        }
        let expected = concat!(
            r#"{"Message":"{\"errorCode\":404103,\"trackingId\":\"t-1\",\"message\":\"Timed out "#,
            r#"waiting for device to connect.\",\"info\":{\"timeout\":\"00:01:10\"},"#,
            r#"\"timestampUtc\":\"2020-09-13T12:26:40.0000000Z\"}","ExceptionMessage":""}"#
        );
        let body = Failed::not_online(70).body("t-1", 1_600_000_000_000);
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    }
}
