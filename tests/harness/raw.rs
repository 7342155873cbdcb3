//! A socket that speaks exactly the bytes it is given, and reads packets by crate `mqtt`'s framing.
use crate::server::Server;
use crate::tls::{self, Proof, Tls};
use crate::until::DEADLINE;
use std::io::{ErrorKind, Read, Result as IoResult, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// A connection to one of the MQTT listeners.
pub struct Raw {
    socket: Stream,
    unread: Vec<u8>,
}

/// What carries the bytes.
enum Stream {
    Plain(TcpStream),
    Tls(Box<Tls>),
}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref(),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> IoResult<()> {
        match self {
            Self::Plain(tcp) => tcp.write_all(bytes),
            Self::Tls(tls) => tls.write_all(bytes).and_then(|()| tls.flush()),
        }
    }
}

/// How a wait for the close ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The server closed.
    Closed,
    /// It did not.
    Silent,
}

/// One packet as it came: first byte and body.
pub type Packet = (u8, Vec<u8>);

impl Raw {
    /// Connected, nothing sent.
    #[track_caller]
    pub fn open(server: &Server) -> Self {
        let socket = TcpStream::connect(server.text("mqtt")).expect("the listener accepts");
        socket.set_read_timeout(Some(DEADLINE)).expect("a socket option");
        socket.set_nodelay(true).expect("a socket option");
        Self { socket: Stream::Plain(socket), unread: Vec::new() }
    }

    /// Connected to the TLS listener, nothing sent.
    #[track_caller]
    pub fn tls(server: &Server, proof: &Proof) -> Self {
        let socket = Stream::Tls(Box::new(tls::open(server, server.port("mqtts"), proof)));
        Self { socket, unread: Vec::new() }
    }

    /// Connected and accepted, MQTT 5, clean start, this client id.
    #[track_caller]
    pub fn v5(server: &Server, client_id: &str) -> Self {
        let mut raw = Self::open(server);
        raw.send(&connect(5, 0x02, client_id, &[]));
        let (first, body) = raw.packet();
        assert_eq!((first, body[1]), (0x20, 0), "CONNACK {body:02x?}");
        raw
    }

    /// Connected and accepted, MQTT 3.1.1, clean session, this client id.
    #[track_caller]
    pub fn v311(server: &Server, client_id: &str) -> Self {
        let mut raw = Self::open(server);
        raw.send(&connect(4, 0x02, client_id, &[]));
        assert_eq!(raw.packet(), (0x20, vec![0, 0]));
        raw
    }

    /// Sends bytes; a peer that closed already is found at the next read.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes);
    }

    /// Closes without DISCONNECT.
    pub fn drop_connection(self) {
        let _ = self.socket.tcp().shutdown(Shutdown::Both);
    }

    /// The next packet.
    #[track_caller]
    pub fn packet(&mut self) -> Packet {
        self.receive().expect("a packet, but the server closed")
    }

    /// The next packet, or nothing when the server closed.
    #[track_caller]
    pub fn receive(&mut self) -> Option<Packet> {
        self.read().unwrap_or_else(|e| panic!("neither a packet nor a close: {e}"))
    }

    fn read(&mut self) -> std::io::Result<Option<Packet>> {
        loop {
            if let Some(frame) = mqtt::wire::frame(&self.unread, PACKET_MAX).expect("framing") {
                let packet = (frame.first, frame.body.to_vec());
                let length = frame.len;
                self.unread.drain(..length);
                return Ok(Some(packet));
            }
            let mut buffer = [0; 4096];
            match self.socket.read(&mut buffer) {
                Ok(0) => return Ok(None),
                Ok(n) => self.unread.extend_from_slice(&buffer[..n]),
                Err(e) if ENDED.contains(&e.kind()) => return Ok(None),
                Err(e) => return Err(e),
            }
        }
    }

    /// Waits for the close and returns what came before it.
    #[track_caller]
    pub fn closed(&mut self) -> Vec<Packet> {
        std::iter::from_fn(|| self.receive()).collect()
    }

    /// What came until the close, or until the server kept silent for too long.
    pub fn outcome(&mut self, patience: Duration) -> (Vec<Packet>, End) {
        self.socket.tcp().set_read_timeout(Some(patience)).expect("a socket option");
        let mut packets = Vec::new();
        loop {
            match self.read() {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => return (packets, End::Closed),
                Err(_) => return (packets, End::Silent),
            }
        }
    }

    /// The server must send DISCONNECT with this reason, then close.
    #[track_caller]
    pub fn disconnected(&mut self, reason: u8) {
        let packets = self.closed();
        let reasons: Vec<_> = packets.iter().map(|(first, body)| (*first, body.first())).collect();
        assert_eq!(reasons.last(), Some(&(0xE0, Some(&reason))), "{packets:02x?}");
    }

    /// PINGREQ and its answer: all that was sent before has been handled.
    #[track_caller]
    pub fn ping(&mut self) {
        self.send(&[0xC0, 0]);
        assert_eq!(self.packet(), (0xD0, vec![]));
    }
}

/// A packet from its first byte and body.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    varint(&mut out, body.len());
    out.extend_from_slice(body);
    out
}

/// A variable byte integer.
pub fn varint(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = u8::try_from(value % 128).expect("below 128");
        value /= 128;
        out.push(if value > 0 { low | 0x80 } else { low });
        if value == 0 {
            return;
        }
    }
}

/// A length-prefixed string.
pub fn string(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short string");
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

/// A CONNECT of protocol level 4 or 5 with these flags, keep-alive 60, and properties for 5.
pub fn connect(level: u8, flags: u8, client_id: &str, properties: &[u8]) -> Vec<u8> {
    connect_with(level, flags, properties, &[client_id])
}

/// The same with more strings behind the client identifier: user name, password, as flagged.
pub fn connect_with(level: u8, flags: u8, properties: &[u8], strings: &[&str]) -> Vec<u8> {
    let mut body = [&string("MQTT")[..], &[level, flags, 0, 60]].concat();
    if level == 5 {
        varint(&mut body, properties.len());
        body.extend_from_slice(properties);
    }
    for text in strings {
        body.extend(string(text));
    }
    packet(0x10, &body)
}

/// Properties Authentication Method and Authentication Data.
pub fn authentication(method: &str, data: &str) -> Vec<u8> {
    [&[0x15][..], &string(method), &[0x16], &string(data)].concat()
}

/// An AUTH with this reason.
pub fn auth(reason: u8, properties: &[u8]) -> Vec<u8> {
    let mut body = vec![reason];
    varint(&mut body, properties.len());
    body.extend_from_slice(properties);
    packet(0xF0, &body)
}

/// A SUBSCRIBE of MQTT 3.1.1 to one filter.
pub fn subscribe_v311(id: u16, filter: &str, qos: u8) -> Vec<u8> {
    packet(0x82, &[&id.to_be_bytes()[..], &string(filter), &[qos]].concat())
}

/// A PUBLISH; `id` 0 for QoS 0. For MQTT 5 pass the properties, for 3.1.1 nothing.
pub fn publish(first: u8, topic: &str, id: u16, properties: Option<&[u8]>, load: &[u8]) -> Vec<u8> {
    let mut body = string(topic);
    if id != 0 {
        body.extend(id.to_be_bytes());
    }
    if let Some(properties) = properties {
        varint(&mut body, properties.len());
        body.extend_from_slice(properties);
    }
    body.extend_from_slice(load);
    packet(first, &body)
}

/// A SUBSCRIBE of MQTT 5 to one filter.
pub fn subscribe(id: u16, filter: &str, options: u8) -> Vec<u8> {
    let body = [&id.to_be_bytes()[..], &[0], &string(filter), &[options]].concat();
    packet(0x82, &body)
}

const PACKET_MAX: usize = 16 << 20;
/// Ways to find that the other side is gone. TLS without close_notify is an unexpected end.
const ENDED: [ErrorKind; 4] = [
    ErrorKind::ConnectionReset,
    ErrorKind::ConnectionAborted,
    ErrorKind::BrokenPipe,
    ErrorKind::UnexpectedEof,
];
