//! A client's frames, in pieces of any size: payload to MQTT bytes, control frames to events.
//! Refuses to know what is answered.

use super::close::{Code, Violation};
use crate::error::Wrong;

/// How far the stream of frames has been read.
pub(super) struct Incoming {
    state: State,
    message: Message,
}

/// What stands between MQTT bytes: a control frame with its payload, or something wrong.
pub(super) enum Event {
    Ping(Vec<u8>),
    Pong,
    Close(Vec<u8>),
    Wrong(Violation),
}

/// How far one piece was read.
pub(super) struct Read {
    /// Bytes of the piece that are used up.
    pub used: usize,
    /// MQTT bytes, moved to where the reader asked.
    pub mqtt: usize,
    /// Why no farther, if not for want of bytes.
    pub event: Option<Event>,
}

enum State {
    Head { bytes: [u8; HEAD_BYTES_MAX], have: usize },
    Data { left: u64, mask: [u8; 4] },
    Control { opcode: u8, left: usize, mask: [u8; 4], payload: Vec<u8> },
}

/// Whether a message in several frames has begun. Control frames may stand between them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Message {
    Whole,
    Unfinished,
}

/// A frame's header, checked.
struct Head {
    opcode: u8,
    message: Message,
    length: u64,
    mask: [u8; 4],
}

impl Incoming {
    pub const fn new() -> Self {
        Self { state: State::HEAD, message: Message::Whole }
    }

    /// Reads `bytes[from..]` up to the next event. MQTT bytes are moved down to `bytes[to..]`; `to`
    /// must not be above `from`.
    pub fn read(&mut self, bytes: &mut [u8], from: usize, to: usize) -> Read {
        let (mut at, mut end) = (from, to);
        let mut event = None;
        while at < bytes.len() && event.is_none() {
            match &mut self.state {
                State::Head { bytes: head, have } => {
                    head[*have] = bytes[at];
                    (*have, at) = (*have + 1, at + 1);
                    match Head::read(&head[..*have], self.message) {
                        Ok(None) => {}
                        Ok(Some(head)) => event = self.begin(&head),
                        Err(violation) => event = Some(Event::Wrong(violation)),
                    }
                }
                State::Data { left, mask } => {
                    let n = (bytes.len() - at).min(usize::try_from(*left).unwrap_or(usize::MAX));
                    bytes.copy_within(at..at + n, end);
                    unmask(&mut bytes[end..end + n], mask);
                    *left -= n as u64;
                    (at, end) = (at + n, end + n);
                    if *left == 0 {
                        self.state = State::HEAD;
                    }
                }
                State::Control { opcode, left, mask, payload } => {
                    let n = (bytes.len() - at).min(*left);
                    unmask(&mut bytes[at..at + n], mask);
                    payload.extend_from_slice(&bytes[at..at + n]);
                    *left -= n;
                    at += n;
                    if *left == 0 {
                        event = Some(Event::control(*opcode, std::mem::take(payload)));
                        self.state = State::HEAD;
                    }
                }
            }
        }
        Read { used: at - from, mqtt: end - to, event }
    }

    /// A header is whole. Gives the frame if it is a control frame without payload.
    fn begin(&mut self, head: &Head) -> Option<Event> {
        self.message = head.message;
        let Head { opcode, length, mask, .. } = *head;
        self.state = match (is_control(opcode), length) {
            (false, 0) => State::HEAD,
            (false, left) => State::Data { left, mask },
            (true, 0) => {
                self.state = State::HEAD;
                return Some(Event::control(opcode, Vec::new()));
            }
            (true, _) => {
                // At most 125: `Head::read` has looked.
                let left = length as usize;
                State::Control { opcode, left, mask, payload: Vec::with_capacity(left) }
            }
        };
        None
    }
}

impl State {
    const HEAD: Self = Self::Head { bytes: [0; HEAD_BYTES_MAX], have: 0 };
}

impl Event {
    fn control(opcode: u8, payload: Vec<u8>) -> Self {
        match opcode {
            PING => Self::Ping(payload),
            PONG => Self::Pong,
            _ => Self::Close(payload),
        }
    }
}

impl Head {
    /// The header once it is whole (RFC 6455, 5.2). What is wrong is found with the first byte
    /// that shows it.
    fn read(bytes: &[u8], message: Message) -> Result<Option<Self>, Violation> {
        let (first, rest) = bytes.split_first().map_or((0, bytes), |(first, rest)| (*first, rest));
        let message = kind(first, message)?;
        let Some((second, rest)) = rest.split_first() else { return Ok(None) };
        let opcode = first & OPCODE;
        let short = second & !MASKED;
        if second & MASKED == 0 {
            return Err(NOT_MASKED);
        }
        if is_control(opcode) && u64::from(short) > CONTROL_BYTES_MAX {
            return Err(LONG_CONTROL);
        }
        let width = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some((long, mask)) = rest.split_at_checked(width) else { return Ok(None) };
        let Ok(mask) = <[u8; 4]>::try_from(mask) else { return Ok(None) };
        let length = match width {
            0 => u64::from(short),
            _ => long.iter().fold(0, |length, byte| (length << 8) | u64::from(*byte)),
        };
        if length >> 63 != 0 {
            return Err(TOP_BIT);
        }
        let least = match width {
            0 => 0,
            2 => 126,
            _ => 1 << 16,
        };
        if length < least {
            return Err(NOT_MINIMAL);
        }
        Ok(Some(Self { opcode, message, length, mask }))
    }
}

/// What a frame's first byte may be, and whether a message is unfinished behind it.
fn kind(first: u8, message: Message) -> Result<Message, Violation> {
    if first & RESERVED != 0 {
        return Err(RESERVED_BITS);
    }
    let fin = first & FIN != 0;
    let after = if fin { Message::Whole } else { Message::Unfinished };
    match (first & OPCODE, message) {
        (CONTINUATION, Message::Unfinished) | (BINARY, Message::Whole) => Ok(after),
        (CONTINUATION, Message::Whole) => Err(NOTHING_BEGUN),
        (BINARY, Message::Unfinished) => Err(NOT_FINISHED),
        (TEXT, _) => Err(NOT_BINARY),
        (CLOSE | PING | PONG, _) if fin => Ok(message),
        (CLOSE | PING | PONG, _) => Err(FRAGMENTED_CONTROL),
        _ => Err(UNKNOWN_OPCODE),
    }
}

fn is_control(opcode: u8) -> bool {
    opcode & 0x8 != 0
}

/// Takes the mask off, and turns it to where the next piece begins.
fn unmask(bytes: &mut [u8], mask: &mut [u8; 4]) {
    let [a, b, c, d] = *mask;
    let wide = [a, b, c, d, a, b, c, d];
    let turn = bytes.len() % mask.len();
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ u64::from_ne_bytes(wide)).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(wide) {
        *byte ^= mask;
    }
    mask.rotate_left(turn);
}

/// Two bytes, a length of eight, a mask.
const HEAD_BYTES_MAX: usize = 14;
/// RFC 6455, 5.5.
pub(super) const CONTROL_BYTES_MAX: u64 = 125;
pub(super) const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0F;
const MASKED: u8 = 0x80;
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
pub(super) const BINARY: u8 = 0x2;
pub(super) const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
pub(super) const PONG: u8 = 0xA;

const NOT_MASKED: Violation = Violation::protocol("RFC 6455, 5.1", "a frame without a mask");
const RESERVED_BITS: Violation = Violation::protocol(
    "RFC 6455, 5.2",
    "a frame with reserved bits: no extension was agreed, compression neither",
);
const UNKNOWN_OPCODE: Violation =
    Violation::protocol("RFC 6455, 5.2", "a frame with an unknown opcode");
const NOT_MINIMAL: Violation =
    Violation::protocol("RFC 6455, 5.2", "a frame length in more bytes than it needs");
const TOP_BIT: Violation =
    Violation::protocol("RFC 6455, 5.2", "a frame length with its highest bit set");
const LONG_CONTROL: Violation =
    Violation::protocol("RFC 6455, 5.5", "a control frame of more than 125 bytes");
const FRAGMENTED_CONTROL: Violation =
    Violation::protocol("RFC 6455, 5.5", "a control frame in fragments");
const NOTHING_BEGUN: Violation =
    Violation::protocol("RFC 6455, 5.4", "a continuation frame where no message has begun");
const NOT_FINISHED: Violation =
    Violation::protocol("RFC 6455, 5.4", "a new message before the end of the one before");
const NOT_BINARY: Violation = Violation {
    code: Code::UnsupportedData,
    wrong: Wrong::protocol("MQTT 5, 6.0.0-1", "a text frame: MQTT goes in binary frames"),
};
