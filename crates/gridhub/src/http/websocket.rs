//! The opening handshake of MQTT over WebSocket (RFC 6455, 4.2; MQTT 5, 6; event-grid 1, iot-hub
//! D5). Owns what is asked of a request and the answer. Refuses to know frames and sockets.

use std::net::TcpStream;
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::{Body, Bytes};
use hyper::header::{
    AsHeaderName, CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version};
use rustls::ServerConnection;

use super::error::{Hint, HttpError};
use super::router::{HUB_WEBSOCKET, WEBSOCKET};

/// A connection behind its handshake, out of HTTP's hands.
pub struct Upgraded {
    /// Not blocking, in nobody's poll.
    pub socket: TcpStream,
    /// May hold bytes, decrypted or not.
    pub tls: Box<ServerConnection>,
    /// Decrypted bytes that came with the request.
    pub early: Bytes,
    /// How long ago it began (core.md 6).
    pub waited: Duration,
}

/// Whether a request is for this page: `/` has other things to show as well.
pub fn is_asked<T>(request: &Request<T>) -> bool {
    match request.uri().path() {
        WEBSOCKET | HUB_WEBSOCKET => true,
        "/" => names(request.headers(), UPGRADE, "websocket"),
        _ => false,
    }
}

/// 101, and the connection is a WebSocket.
///
/// # Errors
/// 405, 426 and 400, by what keeps the request from being a handshake for MQTT.
pub fn answer<T: Body, B: Default>(request: &Request<T>) -> Result<Response<B>, HttpError> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(HttpError::method_not_allowed("GET"));
    }
    if request.version() != Version::HTTP_11 {
        return Err(upgrade_required(
            "MQTT over WebSocket is served here, over HTTP/1.1 only (RFC 8441 is off)",
        ));
    }
    if !names(headers, UPGRADE, "websocket") || !names(headers, CONNECTION, "upgrade") {
        return Err(upgrade_required(
            "MQTT over WebSocket is served here: ask with 'Connection: Upgrade' and \
             'Upgrade: websocket'",
        ));
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(upgrade_required("Sec-WebSocket-Version must be 13"));
    }
    let accept = accept(headers)?;
    if !request.body().is_end_stream() {
        return Err(HttpError::bad_request("InvalidHandshake", "a handshake has no body"));
    }
    check_protocol(headers)?;
    let mut response = Response::new(B::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    // MQTT 5, 6.0.0-4. No extension is named, so none is agreed.
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(MQTT));
    Ok(response)
}

/// The proof that the key was read (RFC 6455, 4.2.2).
fn accept(headers: &HeaderMap) -> Result<HeaderValue, HttpError> {
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Err(bad_key("there must be one Sec-WebSocket-Key"));
    };
    if STANDARD.decode(key).map_or(0, |nonce| nonce.len()) != NONCE_BYTES {
        return Err(bad_key("Sec-WebSocket-Key must be 16 bytes in base64"));
    }
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(key.as_bytes());
    context.update(GUID);
    let accept = STANDARD.encode(context.finish());
    Ok(HeaderValue::try_from(accept).expect("base64 is a header value"))
}

/// The client must offer `mqtt` (MQTT 5, 6.0.0-3); other offers beside it do no harm.
fn check_protocol(headers: &HeaderMap) -> Result<(), HttpError> {
    let offers = |name: &str| tokens(headers, SEC_WEBSOCKET_PROTOCOL).any(|offer| offer == name);
    if offers(MQTT) {
        return Ok(());
    }
    let why = if offers(MQTT_3_1) {
        "subprotocol 'mqttv3.1' is MQTT 3.1, which is not served: offer 'mqtt' and speak 3.1.1 or 5"
    } else {
        "Sec-WebSocket-Protocol must offer 'mqtt'"
    };
    Err(HttpError::bad_request("UnsupportedSubprotocol", why))
}

/// Whether a header's list names `token`, in either case.
fn names(headers: &HeaderMap, header: impl AsHeaderName, token: &str) -> bool {
    tokens(headers, header).any(|found| found.eq_ignore_ascii_case(token))
}

/// The elements of a header that may be split over lines.
fn tokens(headers: &HeaderMap, header: impl AsHeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(header).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

fn bad_key(why: &'static str) -> HttpError {
    HttpError::bad_request("InvalidHandshake", why)
}

fn upgrade_required(why: &'static str) -> HttpError {
    HttpError::new(StatusCode::UPGRADE_REQUIRED, "UpgradeRequired", why).with(Hint::WebSocket)
}

const MQTT: &str = "mqtt";
const MQTT_3_1: &str = "mqttv3.1";
const NONCE_BYTES: usize = 16;
/// RFC 6455, 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    /// Names and values of headers.
    type Changes = &'static [(&'static str, &'static str)];

    /// A right handshake for `path` with these headers changed; an empty value removes one.
    fn asked(method: &str, path: &str, changes: Changes) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(method).uri(path);
        let headers = request.headers_mut().unwrap();
        let right = [
            ("host", "localhost:443"),
            ("origin", "https://localhost:443"),
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-protocol", "mqtt"),
            ("sec-websocket-extensions", "permessage-deflate"),
        ];
        for (name, value) in right.iter().chain(changes) {
            headers.remove(*name);
            for line in value.split('\n').filter(|line| !line.is_empty()) {
                headers.append(*name, line.parse().unwrap());
            }
        }
        request.body(Full::default()).unwrap()
    }

    #[test]
    fn a_right_handshake_is_answered_as_the_standards_example() {
        let rows: [(&str, Changes); 6] = [
            ("/mqtt", &[]),
            ("/", &[]),
            ("/$iothub/websocket?iothub-no-client-cert=true", &[]),
            ("/mqtt", &[("upgrade", "h2c, WebSocket"), ("connection", "upgrade")]),
            ("/mqtt", &[("sec-websocket-protocol", "mqttv3.1, mqtt")]),
            ("/mqtt", &[("sec-websocket-protocol", "chat\nmqtt")]),
        ];
        for (path, changes) in rows {
            let request = asked("GET", path, changes);
            assert!(is_asked(&request), "{path}");
            let response: Response<Bytes> = answer(&request).expect(path);
            assert_eq!(response.status(), 101);
            let headers = response.headers();
            // RFC 6455, 1.3.
            assert_eq!(headers["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
            assert_eq!(headers["sec-websocket-protocol"], "mqtt");
            assert_eq!(
                (&headers["upgrade"], &headers["connection"]),
                (&HeaderValue::from_static("websocket"), &HeaderValue::from_static("Upgrade"),)
            );
            assert!(!headers.contains_key("sec-websocket-extensions"));
        }
    }

    #[test]
    fn what_is_no_handshake_for_mqtt_is_told_why() {
        let rows: [(&str, Changes, u16, &str); 14] = [
            ("POST", &[], 405, "GET"),
            ("GET", &[("upgrade", "")], 426, "Upgrade: websocket"),
            ("GET", &[("upgrade", "h2c")], 426, "Upgrade: websocket"),
            ("GET", &[("connection", "keep-alive")], 426, "Connection: Upgrade"),
            ("GET", &[("sec-websocket-version", "")], 426, "13"),
            ("GET", &[("sec-websocket-version", "8")], 426, "13"),
            ("GET", &[("sec-websocket-key", "")], 400, "one Sec-WebSocket-Key"),
            ("GET", &[("sec-websocket-key", "c2hvcnQ=")], 400, "16 bytes"),
            ("GET", &[("sec-websocket-key", "no base64 at all!!")], 400, "16 bytes"),
            (
                "GET",
                &[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==\ndGhlIHNhbXBsZSBub25jZQ==")],
                400,
                "one Sec-WebSocket-Key",
            ),
            ("GET", &[("sec-websocket-protocol", "")], 400, "must offer 'mqtt'"),
            ("GET", &[("sec-websocket-protocol", "MQTT")], 400, "must offer 'mqtt'"),
            ("GET", &[("sec-websocket-protocol", "AMQPWSB10")], 400, "must offer 'mqtt'"),
            ("GET", &[("sec-websocket-protocol", "mqttv3.1")], 400, "3.1.1"),
        ];
        for (method, changes, status, word) in rows {
            let answered = answer::<_, Bytes>(&asked(method, "/mqtt", changes));
            let error = answered.expect_err(word);
            assert_eq!(error.status, status, "{changes:?}");
            assert!(error.message.contains(word), "{changes:?}: {}", error.message);
            let response: Response<Bytes> = error.response();
            let version = response.headers().get("sec-websocket-version");
            assert_eq!(version.is_some_and(|v| v == "13"), status == 426, "{changes:?}");
        }
        let mut old = asked("GET", "/mqtt", &[]);
        for version in [Version::HTTP_10, Version::HTTP_2] {
            *old.version_mut() = version;
            assert_eq!(answer::<_, Bytes>(&old).expect_err("old").status, 426);
        }
        let body = asked("GET", "/mqtt", &[]).map(|_| Full::<Bytes>::from("body"));
        assert_eq!(answer::<_, Bytes>(&body).expect_err("a body").status, 400);
    }

    #[test]
    fn the_root_and_other_paths_stay_http() {
        assert!(!is_asked(&asked("GET", "/", &[("upgrade", "")])));
        assert!(is_asked(&asked("GET", "/mqtt", &[("upgrade", "")])));
        assert!(!is_asked(&asked("GET", "/mqtt/messages", &[])));
        assert!(!is_asked(&asked("GET", "/elsewhere", &[])));
    }
}
