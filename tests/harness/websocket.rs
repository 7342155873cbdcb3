//! A WebSocket client by hand over TLS: right and wrong handshakes, frames in any shape. Reads
//! frames by a reader of its own.
use crate::raw::{Packet, varint};
use crate::server::Server;
use crate::tls::{Proof, Tls, open};
use std::io::{ErrorKind, Read, Write};

/// A connection to the HTTPS listener.
pub struct WebSocket {
    tls: Tls,
    unread: Vec<u8>,
    /// MQTT bytes that are no whole packet yet.
    mqtt: Vec<u8>,
    /// Pongs that came between MQTT bytes.
    pub pongs: Vec<Vec<u8>>,
    /// The Close frame: its code, if it came with one.
    pub closed: Option<Option<u16>>,
}

/// An HTTP answer: status, head as it came, body.
#[derive(Debug)]
pub struct Answer {
    /// Such as 101.
    pub status: u16,
    /// In lower case.
    pub head: String,
    /// As text.
    pub body: String,
}

/// First bytes of whole frames, and of pieces.
pub mod first {
    /// A whole message of MQTT bytes.
    pub const BINARY: u8 = 0x82;
    /// The first of several frames.
    pub const BEGIN: u8 = 0x02;
    /// One in the middle.
    pub const MIDDLE: u8 = 0x00;
    /// The last one.
    pub const END: u8 = 0x80;
    /// Text.
    pub const TEXT: u8 = 0x81;
    /// Close.
    pub const CLOSE: u8 = 0x88;
    /// Ping.
    pub const PING: u8 = 0x89;
}

impl WebSocket {
    /// TLS, nothing sent.
    #[track_caller]
    pub fn tls(server: &Server) -> Self {
        Self::showing(server, &Proof::Nothing)
    }

    /// The same with a certificate.
    #[track_caller]
    pub fn showing(server: &Server, proof: &Proof) -> Self {
        let port = server.url().rsplit(':').next().and_then(|p| p.parse().ok());
        let tls = open(server, port.expect("a port"), proof);
        Self { tls, unread: Vec::new(), mqtt: Vec::new(), pongs: Vec::new(), closed: None }
    }

    /// A WebSocket on `path`, subprotocol `mqtt`.
    #[track_caller]
    pub fn open(server: &Server, path: &str) -> Self {
        let mut socket = Self::tls(server);
        socket.write(handshake(path, "").as_bytes());
        let answer = socket.answer();
        assert_eq!(answer.status, 101, "{answer:?}");
        socket
    }

    /// Connected and accepted: MQTT 5, clean start, the server's token as password.
    #[track_caller]
    pub fn v5(server: &Server, client_id: &str) -> Self {
        let mut socket = Self::open(server, "/mqtt");
        socket.send(&connect(server, client_id));
        let (first, body) = socket.packet();
        assert_eq!((first, body[1]), (0x20, 0), "CONNACK {body:02x?}");
        socket
    }

    /// Sends bytes as they are; a peer that closed already is found at the next read.
    pub fn write(&mut self, bytes: &[u8]) {
        let _ = self.tls.write_all(bytes).and_then(|()| self.tls.flush());
    }

    /// Sends `whole` in one TLS record and the first `n` bytes of a second one that holds `cut`.
    /// Gives what is left of it, for [`write_tcp`](Self::write_tcp).
    #[track_caller]
    pub fn write_cut(&mut self, whole: &[u8], cut: &[u8], n: usize) -> Vec<u8> {
        while self.tls.conn.is_handshaking() {
            self.tls.conn.complete_io(&mut self.tls.sock).expect("a TLS handshake");
        }
        let mut records = Vec::new();
        self.tls.conn.writer().write_all(whole).expect("a short text");
        self.tls.conn.write_tls(&mut records).expect("memory");
        let first = records.len();
        self.tls.conn.writer().write_all(cut).expect("a short frame");
        self.tls.conn.write_tls(&mut records).expect("memory");
        let rest = records.split_off(first + n);
        self.write_tcp(&records);
        rest
    }

    /// Sends bytes past TLS.
    #[track_caller]
    pub fn write_tcp(&mut self, bytes: &[u8]) {
        self.tls.sock.write_all(bytes).expect("the server is there");
    }

    /// Sends MQTT bytes in one frame.
    pub fn send(&mut self, mqtt: &[u8]) {
        self.write(&frame(first::BINARY, mqtt));
    }

    /// Reads an HTTP answer.
    #[track_caller]
    pub fn answer(&mut self) -> Answer {
        let end = loop {
            if let Some(at) = self.unread.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.more(), "the server closed instead of answering");
        };
        let head = String::from_utf8(self.unread.drain(..end).collect()).expect("a head is text");
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
        let head = head.to_lowercase();
        let length = head.lines().find_map(|l| l.strip_prefix("content-length: "));
        let length = length.map_or(0, |l| l.parse::<usize>().expect("a length"));
        while self.unread.len() < length {
            assert!(self.more(), "the server closed within its answer");
        }
        let body = String::from_utf8(self.unread.drain(..length).collect()).expect("text");
        Answer { status, head, body }
    }

    /// The next MQTT packet, or nothing when Close came or the server closed.
    #[track_caller]
    pub fn receive(&mut self) -> Option<Packet> {
        loop {
            if let Some(f) = mqtt::wire::frame(&self.mqtt, PACKET_MAX).expect("framing") {
                let (packet, length) = ((f.first, f.body.to_vec()), f.len);
                self.mqtt.drain(..length);
                return Some(packet);
            }
            if self.closed.is_some() {
                return None;
            }
            match self.frame()? {
                (0x82, payload) => self.mqtt.extend(payload),
                (0x8A, payload) => self.pongs.push(payload),
                (0x88, payload) => {
                    assert!(payload.is_empty() || payload.len() >= 2, "{payload:02x?}");
                    let code = payload.get(..2).map(|c| u16::from_be_bytes([c[0], c[1]]));
                    self.closed = Some(code);
                }
                other => panic!("a frame that no server sends here: {other:02x?}"),
            }
        }
    }

    /// The next MQTT packet.
    #[track_caller]
    pub fn packet(&mut self) -> Packet {
        self.receive().unwrap_or_else(|| panic!("a packet, but closed: {:?}", self.closed))
    }

    /// MQTT packets up to the Close frame, and its code; behind it the server must close, too.
    #[track_caller]
    pub fn end(&mut self) -> (Vec<Packet>, Option<u16>) {
        let packets = std::iter::from_fn(|| self.receive()).collect();
        let code = self.closed.expect("a Close frame before the end");
        self.write(&frame(first::CLOSE, &code.map_or_else(Vec::new, |c| c.to_be_bytes().into())));
        assert!(self.frame().is_none(), "a frame behind Close");
        (packets, code)
    }

    /// PINGREQ and its answer: all that was sent before has been handled.
    #[track_caller]
    pub fn ping(&mut self) {
        self.send(&[0xC0, 0]);
        assert_eq!(self.packet(), (0xD0, vec![]));
    }

    /// The next frame as it came: first byte and payload. A server never masks.
    #[track_caller]
    fn frame(&mut self) -> Option<Packet> {
        loop {
            if let Some((frame, length)) = whole(&self.unread) {
                self.unread.drain(..length);
                return Some(frame);
            }
            if !self.more() {
                assert!(self.unread.is_empty(), "the end within a frame");
                return None;
            }
        }
    }

    /// Reads once; false at the end.
    #[track_caller]
    fn more(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match self.tls.read(&mut buffer) {
            Ok(n) => {
                self.unread.extend_from_slice(&buffer[..n]);
                n > 0
            }
            Err(e) if ENDED.contains(&e.kind()) => false,
            Err(e) => panic!("neither bytes nor a close: {e}"),
        }
    }
}

/// A right handshake for subprotocol `mqtt`; `more` are whole header lines.
pub fn handshake(path: &str, more: &str) -> String {
    request(path, &format!("sec-websocket-version: 13\r\nsec-websocket-protocol: mqtt\r\n{more}"))
}

/// A handshake with the headers that nobody leaves out, and `more`.
pub fn request(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

/// A CONNECT of MQTT 5 with the server's token as password.
pub fn connect(server: &Server, client_id: &str) -> Vec<u8> {
    crate::raw::connect_with(5, 0xC2, &[], &[client_id, "any", &server.token()])
}

/// A frame as a client sends it.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        n @ 0..=125 => out.push(0x80 | u8::try_from(n).expect("small")),
        n @ 126..=0xFFFF => {
            out.push(0x80 | 126);
            out.extend(u16::try_from(n).expect("small").to_be_bytes());
        }
        n => {
            out.push(0x80 | 127);
            out.extend((n as u64).to_be_bytes());
        }
    }
    out.extend(MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

/// The first frame of these bytes, and its length, if it is whole.
fn whole(bytes: &[u8]) -> Option<(Packet, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    assert_eq!(second & 0x80, 0, "a server masks nothing");
    let (from, length) = match second {
        126 => (4, u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
        short => (2, u64::from(short)),
    };
    let to = from + usize::try_from(length).expect("a frame that fits");
    Some(((first, bytes.get(from..to)?.to_vec()), to))
}

/// A PUBLISH of MQTT 5 of QoS 0 with so many payload bytes.
pub fn large(topic: &str, bytes: usize) -> Vec<u8> {
    let body = [&crate::raw::string(topic)[..], &[0], &vec![b'x'; bytes]].concat();
    let mut packet = vec![0x30];
    varint(&mut packet, body.len());
    packet.extend(body);
    packet
}

const MASK: [u8; 4] = [0xA5, 0x0F, 0x00, 0xFF];
const PACKET_MAX: usize = 16 << 20;
/// Ways to find that the other side is gone. TLS without close_notify is an unexpected end.
const ENDED: [ErrorKind; 4] = [
    ErrorKind::ConnectionReset,
    ErrorKind::ConnectionAborted,
    ErrorKind::BrokenPipe,
    ErrorKind::UnexpectedEof,
];
