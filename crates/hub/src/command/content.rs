//! A command as it was sent: one run of bytes that is its record in the log, its place in memory
//! and what it is delivered from. Refuses to know what has become of it.
//!
//! ```text
//! u8        version
//! u8        the kind of record, 1
//! u8        ack (bits 0 and 1), a message id (2), correlation id (3), user id (4), content type
//!           (5), content encoding (6), creation time (7)
//! number    sequence number, from 1
//! number x2 enqueued, expires: wall milliseconds
//! texts     those that are there, in this order
//! number    creation time, if it is there: wall milliseconds
//! number    application properties, then name and value of each
//! bytes     body
//! ```

use std::borrow::Cow;
use std::sync::Arc;

use super::outcome::Ack;
use super::record::{ENQUEUED, VERSION};
use crate::Moment;
use crate::bytes::{BadRecord, Reader, Writer};
use crate::telemetry::{ApplicationProperties, Message, SystemProperties};

/// A command in its bytes: one allocation, shared by whoever has it. Made of a checked message or
/// of checked bytes, so it always reads.
#[derive(Clone, PartialEq, Eq)]
pub struct Content(Arc<[u8]>);

/// What a command says, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Command<'c> {
    /// `sequence-no`: of its device, from 1.
    pub sequence: u64,
    /// `enqueued-time`, wall milliseconds.
    pub enqueued_ms: u64,
    /// When it is over, wall milliseconds.
    pub expires_ms: u64,
    /// Which outcomes the sender wants to hear of.
    pub ack: Ack,
    /// `message-id`.
    pub message_id: Option<&'c str>,
    /// `correlation-id`.
    pub correlation_id: Option<&'c str>,
    /// `user-id`.
    pub user_id: Option<&'c str>,
    /// `Content Type`.
    pub content_type: Option<&'c str>,
    /// `content-encoding`.
    pub content_encoding: Option<&'c str>,
    /// `creation-time`, wall milliseconds.
    pub creation_ms: Option<u64>,
    /// Application properties.
    pub properties: Properties<'c>,
    /// The body.
    pub body: &'c [u8],
}

/// The application properties of a command: name and value, in the order of the sender.
#[derive(Debug, Clone, Copy)]
pub struct Properties<'c> {
    left: usize,
    bytes: &'c [u8],
}

impl<'c> Iterator for Properties<'c> {
    type Item = (&'c str, &'c str);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let mut r = Reader::new(self.bytes);
        let property = (r.text().ok()?, r.text().ok()?);
        self.bytes = r.rest;
        Some(property)
    }
}

impl<'c> Command<'c> {
    /// As a message, for whatever carries messages; without `to`, which names the device.
    pub fn message(&self) -> Message<'c> {
        let text = |text: Option<&'c str>| text.map(Cow::Borrowed);
        let system = SystemProperties {
            content_type: text(self.content_type),
            content_encoding: text(self.content_encoding),
            message_id: text(self.message_id),
            user_id: text(self.user_id),
            correlation_id: text(self.correlation_id),
            creation_time: self.creation_ms.map(Moment::at),
            expiry_time: Some(Moment::at(self.expires_ms)),
            ack: text(Some(self.ack.as_str())),
            ..SystemProperties::default()
        };
        let properties = self.properties.map(|(name, value)| (name.into(), value.into()));
        let application = ApplicationProperties::of(properties.collect());
        Message { body: self.body, system, application }
    }
}

impl Content {
    /// What it says.
    pub fn read(&self) -> Command<'_> {
        read(&self.0).expect("it was encoded or decoded before")
    }

    /// Its record in the log, which is all that it takes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn encode(command: &Command<'_>, properties: &[(&str, &str)]) -> Self {
        let texts = texts(command);
        let flags = texts.iter().enumerate().filter(|(_, text)| text.is_some());
        let flags = flags.fold(command.ack as u8, |flags, (n, _)| flags | FIRST_TEXT << n);
        let flags = flags | command.creation_ms.map_or(0, |_| CREATION);
        let mut bytes = Vec::with_capacity(command.body.len() + RECORD_BYTES_USUAL);
        let w = &mut Writer(&mut bytes);
        [VERSION, ENQUEUED, flags].into_iter().for_each(|byte| w.byte(byte));
        let numbers = [command.sequence, command.enqueued_ms, command.expires_ms];
        numbers.into_iter().for_each(|number| w.number(number));
        texts.into_iter().flatten().for_each(|text| w.text(text));
        command.creation_ms.into_iter().for_each(|number| w.number(number));
        w.number(properties.len() as u64);
        for (name, value) in properties {
            w.text(name);
            w.text(value);
        }
        w.bytes(command.body);
        Self(bytes.into())
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, BadRecord> {
        read(bytes).map(|_| Self(bytes.into()))
    }
}

/// Without the body, which is nobody's but the receiver's.
impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content({}, {} bytes)", self.read().sequence, self.0.len())
    }
}

fn texts<'c>(command: &Command<'c>) -> [Option<&'c str>; 5] {
    let Command { message_id, correlation_id, user_id, content_type, content_encoding, .. } =
        *command;
    [message_id, correlation_id, user_id, content_type, content_encoding]
}

fn read(bytes: &[u8]) -> Result<Command<'_>, BadRecord> {
    let r = &mut Reader::new(bytes);
    r.version(VERSION)?;
    if r.byte()? != ENQUEUED {
        return Err(BadRecord::Malformed("it is no command"));
    }
    let flags = r.byte()?;
    let (sequence, enqueued_ms, expires_ms) = (r.number()?, r.number()?, r.number()?);
    if sequence == 0 {
        return Err(BadRecord::Malformed("sequence numbers begin with 1"));
    }
    let mut texts = [None; 5];
    for (n, text) in texts.iter_mut().enumerate() {
        if flags & FIRST_TEXT << n != 0 {
            *text = Some(r.text()?);
        }
    }
    let [message_id, correlation_id, user_id, content_type, content_encoding] = texts;
    let creation_ms = if flags & CREATION == 0 { None } else { Some(r.number()?) };
    let left = r.count()?;
    let begin = r.rest;
    for _ in 0..left {
        let (_name, _value) = (r.text()?, r.text()?);
    }
    let properties = Properties { left, bytes: &begin[..begin.len() - r.rest.len()] };
    let body = r.bytes()?;
    r.end()?;
    let ack = [Ack::None, Ack::Positive, Ack::Negative, Ack::Full][usize::from(flags & 3)];
    Ok(Command {
        sequence,
        enqueued_ms,
        expires_ms,
        ack,
        message_id,
        correlation_id,
        user_id,
        content_type,
        content_encoding,
        creation_ms,
        properties,
        body,
    })
}

impl Properties<'_> {
    /// None.
    pub(super) const NONE: Self = Self { left: 0, bytes: &[] };
}

const FIRST_TEXT: u8 = 1 << 2;
const CREATION: u8 = 1 << 7;
/// Two ids, two times, three properties.
const RECORD_BYTES_USUAL: usize = 160;
