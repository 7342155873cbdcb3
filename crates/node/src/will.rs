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
use hub::identity::IdentityId;
use hub::plane::Topic;
use mqtt::message::Message;
use mqtt::reason::Reason;
use mqtt::wire::{Properties, Will as WireWill};

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
        let device = s.device.as_ref().map(|device| device.id.clone());
        if let Some(id) = device.filter(|_| Topic::of(m.topic()) == Topic::Telemetry) {
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
        let (reason, why) = match hub::plane::will(&will) {
            Ok(message) => {
                let sent = Sent { sender: id, auth_method: None, message: &message };
                match self.take_telemetry(origin, &sent, Completion::None) {
                    Ok(()) => return,
                    Err(not) => (not.status.ack_reason(), not.why.to_owned()),
                }
            }
            Err(refused) => (refused.reason(), refused.why().to_owned()),
        };
        self.homes.counters.publishes_refused.add(1);
        self.will_refused(slot, reason, "iot-hub A2", why);
    }

    fn will_refused(&mut self, slot: u32, reason: Reason, rule: &'static str, why: String) {
        let client = self.homes.sessions.at(slot).map_or("", |s| s.client.as_str()).to_owned();
        self.homes.notice(Notice::Refused { client, reason, rule, why });
    }
}
