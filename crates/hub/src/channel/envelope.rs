//! One message of the channel as the log keeps it. Refuses to know partitions and offsets, which
//! are its stream and its place there.
//!
//! What the hub stamps (iot-hub B4) follows from the fields of the head and is not kept as text.
//!
//! ```text
//! u8      version
//! number  when it was taken, wall milliseconds
//! text    device
//! text    module; "" = the device itself
//! number  generation
//! u8      source, by its place in `Source::ALL`
//! u8      how its sender had proved itself; 0 = not said
//! each system property: u8 name, text; then u8 0
//! list    of application properties: text name, text value
//! the rest is the body
//! ```

use crate::Moment;
use crate::bytes::{BadRecord, Reader, Writer};
use crate::identity::{Generation, IdentityId};
use crate::registry::Ids;
use crate::route::Source;
use crate::telemetry::{AuthMethod, Scope, Stamp, SystemName};

/// What every message has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'a> {
    /// When the hub took it, wall milliseconds.
    pub enqueued_ms: u64,
    /// Whose it is.
    pub ids: Ids<'a>,
    /// Which life of that id.
    pub generation: Generation,
    /// What kind of message it is.
    pub source: Source,
    /// How its sender had proved itself.
    pub auth_method: Option<AuthMethod>,
}

/// A message, borrowing from its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// What every message has.
    pub head: Head<'a>,
    /// What its sender, or the hub for an event, said under names that the hub has.
    pub system: Vec<(SystemName, &'a str)>,
    /// Application properties: name and value.
    pub properties: Vec<(&'a str, &'a str)>,
    /// Any bytes.
    pub body: &'a [u8],
}

/// The kind of its records.
pub const ENVELOPE: u8 = 32;

impl<'a> Head<'a> {
    /// Appends the payload up to where the body begins. `system` shows each system property; what
    /// follows from the head is left out.
    pub fn encode<'p>(
        &self,
        system: impl FnOnce(&mut dyn FnMut(SystemName, &str)),
        properties: impl ExactSizeIterator<Item = (&'p str, &'p str)>,
        out: &mut Vec<u8>,
    ) {
        let mut w = Writer(out);
        w.byte(VERSION);
        w.number(self.enqueued_ms);
        w.text(self.ids.device);
        w.text(self.ids.module.unwrap_or_default());
        w.number(self.generation.0);
        let source = Source::ALL.iter().position(|one| *one == self.source);
        // There are six of them.
        w.byte(source.unwrap_or_default() as u8);
        let method = METHODS.iter().position(|one| Some(*one) == self.auth_method);
        w.byte(method.map_or(0, |at| at as u8 + 1));
        system(&mut |name, value| {
            if let Some(at) = NAMES.iter().position(|one| *one == name) {
                w.byte(at as u8 + 1);
                w.text(value);
            }
        });
        w.byte(0);
        w.number(properties.len() as u64);
        for (name, value) in properties {
            w.text(name);
            w.text(value);
        }
    }

    /// Shows what the hub stamps on a message (iot-hub B4).
    pub fn stamp(&self, model_id: Option<&str>, show: impl FnMut(SystemName, &str)) {
        let stamp = Stamp {
            sender: &IdentityId::of(self.ids),
            generation: self.generation,
            auth_method: self.auth_method,
            enqueued: Moment::at(self.enqueued_ms),
            source: self.source.stamp(),
            model_id,
        };
        stamp.each(show);
    }

    /// Whether a property is kept as its text: others follow from the head.
    pub fn carries(name: SystemName) -> bool {
        NAMES.contains(&name)
    }

    fn decode(r: &mut Reader<'a>) -> Result<Self, BadRecord> {
        r.version(VERSION)?;
        let enqueued_ms = r.number()?;
        let (device, module) = (r.text()?, r.text()?);
        let module = Some(module).filter(|module| !module.is_empty());
        let generation = Generation(r.number()?);
        let source = *Source::ALL.get(usize::from(r.byte()?)).ok_or(UNKNOWN)?;
        let auth_method = match r.byte()? {
            0 => None,
            at => Some(*METHODS.get(usize::from(at) - 1).ok_or(UNKNOWN)?),
        };
        let ids = Ids { device, module };
        Ok(Self { enqueued_ms, ids, generation, source, auth_method })
    }
}

impl<'a> Envelope<'a> {
    /// Reads a payload.
    ///
    /// # Errors
    /// Bytes that [`Head::encode`] does not write.
    pub fn decode(payload: &'a [u8]) -> Result<Self, BadRecord> {
        let r = &mut Reader::new(payload);
        let head = Head::decode(r)?;
        let mut system = Vec::new();
        loop {
            match r.byte()? {
                0 => break,
                at => {
                    let name = *NAMES.get(usize::from(at) - 1).ok_or(UNKNOWN)?;
                    system.push((name, r.text()?));
                }
            }
        }
        let (count, mut properties) = (r.count()?, Vec::new());
        for _ in 0..count {
            properties.push((r.text()?, r.text()?));
        }
        Ok(Self { head, system, properties, body: r.rest })
    }

    /// The value of a system property that its sender said.
    pub fn said(&self, name: SystemName) -> Option<&'a str> {
        self.system.iter().find(|(one, _)| *one == name).map(|(_, value)| *value)
    }
}

/// When a message was taken: as `Envelope::decode`, of its beginning only.
///
/// # Errors
/// Bytes that no message begins with.
pub fn enqueued_ms(payload: &[u8]) -> Result<u64, BadRecord> {
    let r = &mut Reader::new(payload);
    r.version(VERSION)?;
    r.number()
}

const VERSION: u8 = 1;
const UNKNOWN: BadRecord = BadRecord::Malformed("a name, source or method is none");
/// Their places lie in files: they never change.
const METHODS: [AuthMethod; 5] = [
    AuthMethod::Policy,
    AuthMethod::Key(Scope::Device),
    AuthMethod::Key(Scope::Module),
    AuthMethod::Certificate(Scope::Device),
    AuthMethod::Certificate(Scope::Module),
];
/// Likewise. Those that follow from the head are not among them.
const NAMES: [SystemName; 16] = [
    SystemName::ContentType,
    SystemName::ContentEncoding,
    SystemName::MessageId,
    SystemName::UserId,
    SystemName::CorrelationId,
    SystemName::CreationTime,
    SystemName::ExpiryTime,
    SystemName::To,
    SystemName::Output,
    SystemName::Schema,
    SystemName::InterfaceId,
    SystemName::Subject,
    SystemName::Ack,
    SystemName::DiagnosticId,
    SystemName::DiagnosticContext,
    SystemName::ModelId,
];

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::chance::Chance;

    pub fn encoded(envelope: &Envelope<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let properties = envelope.properties.iter().copied();
        let system = |show: &mut dyn FnMut(SystemName, &str)| {
            envelope.system.iter().for_each(|(name, value)| show(*name, value));
        };
        envelope.head.encode(system, properties, &mut bytes);
        bytes.extend_from_slice(envelope.body);
        bytes
    }

    pub fn of_device(module: Option<&'static str>) -> Envelope<'static> {
        Envelope {
            head: Head {
                enqueued_ms: 1_600_000_000_000,
                ids: Ids { device: "d1", module },
                generation: Generation(7),
                source: Source::DeviceMessages,
                auth_method: module.map(|_| AuthMethod::Key(Scope::Module)),
            },
            system: vec![
                (SystemName::ContentType, "application/json"),
                (SystemName::MessageId, "m-1"),
            ],
            properties: vec![("a", "1"), ("", "é")],
            body: br#"{"t" : 21.5}"#,
        }
    }

    #[test]
    fn every_message_comes_back() {
        let mut all = vec![of_device(None), of_device(Some("m"))];
        for source in Source::ALL {
            let mut one = of_device(None);
            (one.head.source, one.system, one.properties, one.body) = (source, vec![], vec![], b"");
            all.push(one);
        }
        for method in METHODS {
            let mut one = of_device(None);
            one.head.auth_method = Some(method);
            one.system = NAMES.map(|name| (name, "v")).into();
            all.push(one);
        }
        for envelope in all {
            let bytes = encoded(&envelope);
            assert_eq!(Envelope::decode(&bytes), Ok(envelope.clone()));
            assert_eq!(enqueued_ms(&bytes), Ok(envelope.head.enqueued_ms));
            let head = bytes.len() - envelope.body.len();
            for end in 0..head {
                assert!(Envelope::decode(&bytes[..end]).is_err(), "{envelope:?} {end}");
            }
        }
    }

    #[test]
    fn what_follows_from_the_head_is_left_out() {
        let mut bytes = Vec::new();
        let head = of_device(None).head;
        let stamps = |show: &mut dyn FnMut(SystemName, &str)| {
            show(SystemName::DeviceId, "d1");
            show(SystemName::EnqueuedTime, "now");
            show(SystemName::UserId, "u");
        };
        head.encode(stamps, [].into_iter(), &mut bytes);
        assert_eq!(Envelope::decode(&bytes).unwrap().system, [(SystemName::UserId, "u")]);
    }

    #[test]
    fn bytes_from_elsewhere_never_panic_and_have_one_form() {
        let mut chance = Chance::new(9);
        for _ in 0..3_000 {
            let mut bytes = encoded(&of_device(Some("m")));
            let at = chance.below(bytes.len());
            bytes[at] ^= 1 << chance.below(8);
            if let Ok(read) = Envelope::decode(&bytes) {
                assert_eq!(encoded(&read), bytes);
            }
        }
    }
}
