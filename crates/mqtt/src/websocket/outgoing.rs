//! Frames to a client: headers for MQTT bytes that wait elsewhere, pongs, the Close frame. Refuses
//! to know when the connection ends; no byte of MQTT is copied here.

use super::incoming::{BINARY, CLOSE, CONTROL_BYTES_MAX, FIN, PONG};

/// What is on its way to the socket.
pub(super) struct Outgoing {
    /// Bytes of our own: a control frame, or the header of a frame of MQTT bytes.
    own: [u8; OWN_BYTES_MAX],
    /// Which of them are not yet taken.
    from: u8,
    to: u8,
    /// MQTT bytes that the last header announced and that are not yet taken.
    announced: usize,
    /// What the latest ping asks back. RFC 6455, 5.5.3, lets the earlier ones go unanswered, so a
    /// peer that pings and does not read costs no more than this.
    pong: Option<Vec<u8>>,
    close: Close,
}

/// How far the closing handshake is on our side.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Close {
    No,
    /// Said once the MQTT bytes have gone, with this code if any.
    Due(Option<u16>),
    /// Nothing may follow (RFC 6455, 5.5.1).
    Said,
}

/// What goes to the socket next. Say with `Framing::wrote` how much of it went.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// Bytes of WebSocket.
    Frame(&'a [u8]),
    /// The first of the MQTT bytes that wait.
    Mqtt(&'a [u8]),
    /// Nothing waits.
    Nothing,
}

impl Outgoing {
    pub const fn new() -> Self {
        Self { own: [0; OWN_BYTES_MAX], from: 0, to: 0, announced: 0, pong: None, close: Close::No }
    }

    pub fn pong(&mut self, payload: Vec<u8>) {
        self.pong = Some(payload);
    }

    /// The first call counts.
    pub fn close(&mut self, code: Option<u16>) {
        if self.close == Close::No {
            self.close = Close::Due(code);
        }
    }

    pub fn is_waiting(&self) -> bool {
        self.from < self.to
            || matches!(self.close, Close::Due(_))
            || (self.pong.is_some() && self.close != Close::Said)
    }

    pub fn next<'a>(&'a mut self, mqtt: &'a [u8]) -> Next<'a> {
        if self.from == self.to {
            if self.announced > 0 {
                let n = self.announced.min(mqtt.len());
                return if n == 0 { Next::Nothing } else { Next::Mqtt(&mqtt[..n]) };
            }
            self.begin(mqtt.len());
        }
        match &self.own[usize::from(self.from)..usize::from(self.to)] {
            [] => Next::Nothing,
            own => Next::Frame(own),
        }
    }

    pub fn wrote(&mut self, n: usize) {
        if self.from < self.to {
            // Fewer than `OWN_BYTES_MAX`.
            self.from += n as u8;
        } else {
            self.announced -= n;
        }
    }

    /// Begins the next frame, if there is one.
    fn begin(&mut self, mqtt_bytes: usize) {
        (self.from, self.to) = (0, 0);
        if self.close == Close::Said {
            return;
        }
        if let Some(payload) = self.pong.take() {
            self.control(PONG, &payload);
        } else if mqtt_bytes > 0 {
            self.announced = mqtt_bytes.min(FRAME_BYTES_MAX);
            self.header(BINARY, self.announced as u64);
        } else if let Close::Due(code) = self.close {
            self.close = Close::Said;
            match code {
                Some(code) => self.control(CLOSE, &code.to_be_bytes()),
                None => self.control(CLOSE, &[]),
            }
        }
    }

    fn control(&mut self, opcode: u8, payload: &[u8]) {
        self.header(opcode, payload.len() as u64);
        self.put(payload);
    }

    /// RFC 6455, 5.2; a server masks nothing.
    fn header(&mut self, opcode: u8, length: u64) {
        match length {
            0..=CONTROL_BYTES_MAX => self.put(&[FIN | opcode, length as u8]),
            126..=0xFFFF => {
                self.put(&[FIN | opcode, 126]);
                self.put(&(length as u16).to_be_bytes());
            }
            _ => {
                self.put(&[FIN | opcode, 127]);
                self.put(&length.to_be_bytes());
            }
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        let to = usize::from(self.to);
        self.own[to..to + bytes.len()].copy_from_slice(bytes);
        // Fewer than `OWN_BYTES_MAX`.
        self.to += bytes.len() as u8;
    }
}

/// A control frame of the largest size.
const OWN_BYTES_MAX: usize = 2 + CONTROL_BYTES_MAX as usize;
/// Many clients hand a frame on only when it is whole: a long queue goes in several.
const FRAME_BYTES_MAX: usize = 64 * 1024;
