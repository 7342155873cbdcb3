//! The client side of RFC 6455, as much as MQTT needs: the upgrade, masked binary frames out,
//! whole frames in. Refuses to know sockets and what the bytes inside mean.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::{Error, ErrorKind, Result};

/// One connection's framing.
#[derive(Debug, Default)]
pub struct WebSocket {
    upgraded: bool,
    /// Bytes of the upgrade's answer or of a frame that is not whole yet.
    unread: Vec<u8>,
    /// Control frames to answer with (pong, close), already framed.
    pub replies: Vec<u8>,
    /// The server has sent a close frame.
    pub closed: bool,
}

impl WebSocket {
    /// The request; `key` is a nonce of 16 bytes.
    pub fn request(host: &str, key: [u8; 16]) -> Vec<u8> {
        let key = STANDARD.encode(key);
        format!(
            "GET /mqtt HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: mqtt\r\n\r\n"
        )
        .into_bytes()
    }

    /// Takes bytes from the wire and appends the payloads of data frames to `into`. `key` is that
    /// of the request.
    ///
    /// # Errors
    /// When the upgrade is refused or the frames are wrong.
    pub fn take(&mut self, bytes: &[u8], key: [u8; 16], into: &mut Vec<u8>) -> Result<()> {
        self.unread.extend_from_slice(bytes);
        if !self.upgraded {
            let Some(end) = self.unread.windows(4).position(|w| w == b"\r\n\r\n") else {
                return Ok(());
            };
            check_answer(&self.unread[..end], key)?;
            self.unread.drain(..end + 4);
            self.upgraded = true;
        }
        let mut at = 0;
        while let Some(frame) = Frame::first(&self.unread[at..])? {
            let payload = &self.unread[at + frame.header..at + frame.header + frame.payload];
            match frame.opcode {
                CONTINUATION | BINARY => into.extend_from_slice(payload),
                CLOSE => {
                    self.closed = true;
                    push(CLOSE, payload, &mut self.replies);
                }
                PING => push(PONG, payload, &mut self.replies),
                PONG => {}
                _ => return Err(wrong("a frame that is neither binary nor control")),
            }
            at += frame.header + frame.payload;
        }
        self.unread.drain(..at);
        Ok(())
    }

    /// True once frames may be sent.
    pub fn is_upgraded(&self) -> bool {
        self.upgraded
    }

    /// Appends `payload` as one binary frame.
    pub fn frame(payload: &[u8], out: &mut Vec<u8>) {
        push(BINARY, payload, out);
    }
}

struct Frame {
    opcode: u8,
    header: usize,
    payload: usize,
}

impl Frame {
    /// The first frame, once it is whole. A server never masks (RFC 6455, 5.1).
    fn first(bytes: &[u8]) -> Result<Option<Self>> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        if second & 0x80 != 0 || first & 0x70 != 0 {
            return Err(wrong("a masked frame or reserved bits"));
        }
        let (header, payload) = match second & 0x7F {
            126 => match rest.first_chunk() {
                Some(len) => (4, usize::from(u16::from_be_bytes(*len))),
                None => return Ok(None),
            },
            127 => match rest.first_chunk().map(|len| u64::from_be_bytes(*len)) {
                Some(len) => (10, usize::try_from(len).map_err(|_| wrong("a giant frame"))?),
                None => return Ok(None),
            },
            len => (2, usize::from(len)),
        };
        let whole = bytes.len() >= header + payload;
        Ok(whole.then_some(Self { opcode: first & 0x0F, header, payload }))
    }
}

fn push(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    match payload.len() {
        len @ 0..126 => out.push(0x80 | len as u8),
        len @ 126..0x1_0000 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

fn check_answer(head: &[u8], key: [u8; 16]) -> Result<()> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("101") {
        return Err(wrong(&format!("the upgrade was refused: {status}")));
    }
    let headers: Vec<_> = lines.filter_map(|line| line.split_once(':')).collect();
    let is = |name: &str, value: &str| {
        headers.iter().any(|(n, v)| n.eq_ignore_ascii_case(name) && v.trim() == value)
    };
    let text = format!("{}{GUID}", STANDARD.encode(key));
    let accept = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()));
    if !is("sec-websocket-accept", &accept) || !is("sec-websocket-protocol", "mqtt") {
        return Err(wrong("the upgrade was answered with another key or protocol"));
    }
    Ok(())
}

fn wrong(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("WebSocket: {what}"))
}

const CONTINUATION: u8 = 0;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
/// Masking protects caches in between, of which a loopback has none; it must not be zero only so
/// that the server's unmasking is exercised.
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::*;

    /// Key and accept value of RFC 6455, 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
        Sec-WebSocket-Protocol: mqtt\r\n\r\n";

    fn key() -> [u8; 16] {
        STANDARD.decode(KEY).unwrap().try_into().unwrap()
    }

    #[test]
    fn takes_the_answer_and_frames_in_any_pieces() {
        let mut wire = ANSWER.as_bytes().to_vec();
        wire.extend_from_slice(&[0x02, 2, b'a', b'b', 0x89, 1, b'!', 0x80, 1, b'c']);
        wire.extend_from_slice(&[0x82, 126, 0, 126]);
        wire.extend_from_slice(&[b'd'; 126]);
        wire.extend_from_slice(&[0x88, 2, 3, 0xE8]);
        for step in [1, 3, wire.len()] {
            let (mut ws, mut got) = (WebSocket::default(), Vec::new());
            for piece in wire.chunks(step) {
                ws.take(piece, key(), &mut got).unwrap();
            }
            assert_eq!((got.len(), &got[..4]), (129, b"abcd".as_slice()));
            assert!(ws.is_upgraded() && ws.closed);
            assert_eq!(ws.replies[..2], [0x8A, 0x81], "a masked pong");
        }
    }

    #[test]
    fn refuses_what_a_server_may_not_send() {
        let refused = |wire: &[u8]| {
            let mut ws = WebSocket::default();
            ws.take(wire, key(), &mut Vec::new()).is_err()
        };
        assert!(refused(b"HTTP/1.1 404 Not Found\r\n\r\n"));
        assert!(refused(ANSWER.replace("s3pP", "s3pQ").as_bytes()));
        let after = |frame: &[u8]| refused(&[ANSWER.as_bytes(), frame].concat());
        assert!(after(&[0x81, 1, b'x']), "text");
        assert!(after(&[0x82, 0x81, 1, 2, 3, 4, b'x']), "masked");
    }

    #[test]
    fn a_frame_is_masked_and_says_its_length() {
        for (len, header) in [(1, 2), (126, 4), (70_000, 10)] {
            let mut out = Vec::new();
            WebSocket::frame(&vec![0; len], &mut out);
            assert_eq!(out.len(), header + 4 + len);
            assert_eq!((out[0], out[1] & 0x80), (0x82, 0x80));
            assert_eq!(out[header..header + 4], MASK);
            assert_eq!(out[header + 4], MASK[0], "zero under the mask is the mask");
        }
    }
}
