//! Both directions of one connection, and how it ends. Refuses to know sockets.

use super::close::{self, Code, Violation};
use super::incoming::{Event, Incoming};
use super::outgoing::{Next, Outgoing};
use crate::error::Wrong;

/// The WebSocket of one connection, from behind the handshake to the Close frames. It owns no
/// buffer that grows with what the peer sends: at most one ping and one unfinished control frame.
pub struct Framing {
    incoming: Incoming,
    outgoing: Outgoing,
    end: Option<End>,
}

/// Why nothing more is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The peer said Close.
    Closed,
    /// The peer broke a rule.
    Wrong(Wrong),
}

impl Framing {
    /// A WebSocket whose handshake is done.
    pub const fn new() -> Self {
        Self { incoming: Incoming::new(), outgoing: Outgoing::new(), end: None }
    }

    /// Takes in bytes of the peer, all of them. The MQTT bytes among them are moved to the front:
    /// gives how many. What is to be answered waits for [`next`](Self::next). Behind an
    /// [`end`](Self::end) nothing is heard.
    pub fn decode(&mut self, bytes: &mut [u8]) -> usize {
        let (mut at, mut mqtt) = (0, 0);
        while at < bytes.len() && self.end.is_none() {
            let read = self.incoming.read(bytes, at, mqtt);
            at += read.used;
            mqtt += read.mqtt;
            match read.event {
                None | Some(Event::Pong) => {}
                Some(Event::Ping(payload)) => self.outgoing.pong(payload),
                Some(Event::Close(payload)) => match close::read(&payload) {
                    Ok(code) => {
                        self.end = Some(End::Closed);
                        self.outgoing.close(code);
                    }
                    Err(violation) => self.violated(violation),
                },
                Some(Event::Wrong(violation)) => self.violated(violation),
            }
        }
        mqtt
    }

    fn violated(&mut self, violation: Violation) {
        self.end = Some(End::Wrong(violation.wrong));
        self.outgoing.close(Some(violation.code as u16));
    }

    /// Why nothing more is decoded, once it is so.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// Says Close once the MQTT bytes that wait have gone. What was decided before stays: the echo
    /// of the peer's code, or the code of its violation.
    pub fn close(&mut self, code: Code) {
        self.outgoing.close(Some(code as u16));
    }

    /// Whether bytes of ours wait, MQTT bytes aside.
    pub fn is_waiting(&self) -> bool {
        self.outgoing.is_waiting()
    }

    /// What goes to the socket next, when `mqtt` is what waits. Bytes that were given as
    /// [`Next::Mqtt`] must come again, first, until [`wrote`](Self::wrote) has told of them.
    pub fn next<'a>(&'a mut self, mqtt: &'a [u8]) -> Next<'a> {
        self.outgoing.next(mqtt)
    }

    /// The socket took `n` bytes of what [`next`](Self::next) gave last.
    pub fn wrote(&mut self, n: usize) {
        self.outgoing.wrote(n);
    }
}

impl Default for Framing {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
#[path = "framing_tests.rs"]
mod tests;
