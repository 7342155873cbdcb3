//! What happens to a client, as the engine tells it. Plain values: nothing is borrowed, so that
//! whoever hears may act on the engine at once.

use crate::mark::Mark;
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;

/// Which client of an engine.
pub type Key = usize;

/// One happening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Whose.
    pub key: Key,
    /// What.
    pub event: Event,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// CONNACK with success.
    Up {
        /// The server still had the session.
        session_present: bool,
    },
    /// CONNACK with anything else; the close follows.
    Refused(Reason),
    /// A PUBLISH for the first time (QoS 2), or any (QoS 0 and 1).
    Message(Message),
    /// One of our publishes is through: PUBACK or PUBCOMP, or an error.
    Done(PacketId, Reason),
    /// SUBACK, with the first filter's reason.
    Subscribed(Reason),
    /// UNSUBACK.
    Unsubscribed,
    /// PINGRESP: what was sent before it has been read.
    Pong,
    /// DISCONNECT of the server; the close follows.
    Told(Reason),
    /// The connection is gone.
    Closed(End),
}

/// A message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Nothing for a payload that is not ours or was damaged.
    pub mark: Option<Mark>,
    /// As delivered.
    pub qos: QoS,
    /// The DUP flag.
    pub dup: bool,
    /// The RETAIN flag.
    pub retain: bool,
    /// Correlation Data: a request to a device, or the answer to one of its own.
    pub correlation: Option<Correlation>,
    /// Whether it says that a request went wrong (iot-hub A13).
    pub refused: bool,
}

/// Correlation Data as the hub has it: 1 to 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correlation {
    bytes: [u8; 16],
    len: u8,
}

impl Correlation {
    /// Nothing for more bytes than the hub has.
    pub fn new(data: &[u8]) -> Option<Self> {
        let mut bytes = [0; 16];
        bytes.get_mut(..data.len())?.copy_from_slice(data);
        Some(Self { bytes, len: data.len() as u8 })
    }

    /// As it came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// We left, by DISCONNECT, and read to the end.
    Left,
    /// The server closed.
    Server,
    /// It broke, or never opened.
    Broken,
    /// What the server sent is not MQTT, or not for this client; the engine's faults have why.
    Wrong,
}
