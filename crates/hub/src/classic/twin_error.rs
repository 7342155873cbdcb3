//! The body of a twin's response with status 400 (iot-hub D2). Refuses to know what was wrong.

use crate::Moment;
use crate::errors::Refusal;
use crate::json::write_text;

/// `{"errorCode":400004,"trackingId":"..","message":"..","timestampUtc":".."}`. `tracking_id` is
/// opaque, and new for each.
pub fn twin_error(refusal: &Refusal, tracking_id: &str, now: Moment) -> Vec<u8> {
    let mut body =
        format!("{{\"errorCode\":{},\"trackingId\":", refusal.code.number()).into_bytes();
    write_text(tracking_id, &mut body);
    body.extend_from_slice(b",\"message\":");
    write_text(&refusal.message, &mut body);
    body.extend_from_slice(b",\"timestampUtc\":");
    write_text(now.text().as_str(), &mut body);
    body.push(b'}');
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::ErrorCode;

    #[test]
    fn a_body_as_sdks_know_it() {
        let refusal = Refusal::new(ErrorCode::ArgumentInvalid, "key 'a\"b'");
        let body = twin_error(&refusal, "t-G:1", Moment::at(0));
        let text = "{\"errorCode\":400004,\"trackingId\":\"t-G:1\",\"message\":\"key 'a\\\"b'\",\
                    \"timestampUtc\":\"1970-01-01T00:00:00.0000000Z\"}";
        assert_eq!(String::from_utf8(body).unwrap(), text);
    }
}
