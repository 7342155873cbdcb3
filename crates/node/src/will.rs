//! Wills (MQTT 5, 3.1.2.5): sent when a connection ends without DISCONNECT 0x00, after the delay
//! or with the session, whichever comes first. Permission is checked when it is sent.

use crate::effect::Notice;
use crate::ingress::{Verdict, Who};
use crate::meter::Meter;
use crate::session::Will;
use crate::shard::Shard;
use crate::source::{Source, deadline};
use crate::waiting::Completion;

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
        let client = self.homes.sessions.at(slot).map_or("", |s| s.client.as_str()).to_owned();
        self.homes.notice(Notice::Refused { client, reason, rule, why });
    }
}
