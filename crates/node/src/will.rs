//! Wills (MQTT 5, 3.1.2.5): sent when a connection ends without DISCONNECT 0x00, after the delay
//! or with the session, whichever comes first. Permission is checked when it is sent.

use crate::channel::Sent;
use crate::effect::Notice;
use crate::ingress::{Verdict, Who};
use crate::meter::Meter;
use crate::session::Will;
use crate::shard::Shard;
use crate::source::{Source, deadline};
use crate::waiting::Completion;
use hub::classic;
use hub::identity::IdentityId;
use mqtt::message::Message;
use mqtt::reason::Reason;
use mqtt::wire::{Properties, Version, Will as WireWill};

impl Clone for Will {
    fn clone(&self) -> Self {
        Self { message: self.message.clone(), delay_s: self.delay_s, charge: None }
    }
}

impl Will {
    /// A copy for a session, charged to the budget while the session holds it.
    pub fn charged(&self, meter: &Meter) -> Self {
        let charge = Some(meter.charge(self.message.heap_bytes() + size_of::<Self>()));
        Self { charge, ..self.clone() }
    }
}

impl Shard {
    /// Sends the session's will, if it still has one.
    pub(crate) fn send_will(&mut self, slot: u32) {
        let Some(s) = self.homes.sessions.at_mut(slot) else { return };
        let Some(will) = s.will.take() else { return };
        let m = &will.message;
        // CONNECT has refused any other (A2, D1).
        if let Some(id) = s.device.as_ref().map(|device| device.id.clone()) {
            return self.send_device_will(slot, &id, m);
        }
        let zero_expiry = self.homes.limits.zero_expiry;
        let until = deadline(m.expiry_s(), zero_expiry, self.homes.now.wall_ms);
        let source =
            Source::borrowed(m.topic(), m.properties(), m.payload(), (m.qos(), m.retain()), until);
        let origin = self.homes.origin(slot);
        let verdict = self.publish(origin, Who::Session(slot), source, || Completion::None);
        let (reason, rule, why) = match verdict {
            Verdict::Told { .. } | Verdict::Waits => return,
            Verdict::Denied(d) => {
                self.homes.counters.publishes_denied.add(1);
                let name = self.name_of(slot);
                (d.reason(), d.rule(), d.why(&name, m.topic()))
            }
            Verdict::Refused(reason, why) => {
                self.homes.counters.publishes_refused.add(1);
                (reason, "will", why.to_owned())
            }
        };
        self.will_refused(slot, reason, rule, why);
    }

    /// The will of a device is telemetry that says that it is one (iot-hub A2).
    fn send_device_will(&mut self, slot: u32, id: &IdentityId, m: &Message) {
        let will = WireWill {
            qos: m.qos(),
            retain: m.retain(),
            topic: m.topic(),
            payload: m.payload(),
            delay_s: 0,
            expiry: None,
            properties: Properties::trusted(m.properties()),
        };
        let origin = self.homes.origin(slot);
        let session = self.homes.sessions.at(slot);
        let is_classic = session.is_some_and(|session| session.version == Version::V311);
        let device = session.and_then(|session| session.device.as_ref());
        let proved = device.and_then(|device| device.proved.as_ref());
        let auth_method = proved.filter(|_| is_classic).map(|proved| proved.auth_method(id));
        let read = match is_classic {
            true => {
                classic::will(id, &will).map_err(|no| (Reason::TOPIC_NAME_INVALID, no.to_string()))
            }
            false => hub::plane::will(&will).map_err(|no| (no.reason(), no.why().to_owned())),
        };
        let (reason, why) = match read {
            Ok(message) => {
                let sent = Sent { sender: id, auth_method, message: &message };
                match self.take_telemetry(origin, &sent, Completion::None) {
                    Ok(()) => return,
                    Err(not) => (not.status.ack_reason(), not.why.to_owned()),
                }
            }
            Err(refused) => refused,
        };
        self.homes.counters.publishes_refused.add(1);
        self.will_refused(slot, reason, "iot-hub A2", why);
    }

    fn will_refused(&mut self, slot: u32, reason: Reason, rule: &'static str, why: String) {
        let client = self.homes.sessions.at(slot).map_or("", |s| s.client.as_str()).to_owned();
        self.homes.notice(Notice::Refused { client, reason, rule, why });
    }
}
