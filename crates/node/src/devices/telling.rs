//! What the hub publishes to a device (iot-hub A14): encoded, measured, written.

use super::session::Way;
use crate::counters::Loss;
use crate::link::LinkId;
use crate::shard::Shard;
use hub::plane::{Oversize, Status, ToClient, Told};
use mqtt::qos::QoS;
use mqtt::wire::{PublishOut, Version};

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is in the output.
    Yes,
    /// It is larger than the client takes.
    TooLarge,
    /// The client does not read, or is gone.
    No,
}

impl Shard {
    /// A response that says that it is done.
    pub(super) fn respond_success(&mut self, way: &Way, version: Option<u64>, payload: &[u8]) {
        let to = ToClient::Success { correlation: way.correlation, version };
        if self.tell_client(way.link, &to, payload) == Sent::TooLarge
            && let Oversize::Respond(_, status) = to.oversize()
        {
            self.respond_failure(way, status, "");
        }
    }

    /// A response that says why not.
    pub(super) fn respond_failure(&mut self, way: &Way, status: Status, why: &str) {
        let trace_id = self.ids.trace();
        let told = Told::of(status, &trace_id, why);
        let to = ToClient::Failure { correlation: way.correlation, told };
        // One that does not take even this gets nothing.
        let _ = self.tell_client(way.link, &to, &[]);
    }

    /// Publishes to a client at QoS 0.
    pub(super) fn tell_client(&mut self, link: LinkId, to: &ToClient<'_>, payload: &[u8]) -> Sent {
        if self.homes.links.get(link.slot, link.generation).is_none() {
            return Sent::No;
        }
        let output_max = self.homes.output_bytes_max;
        let Some((l, slot, session)) = self.homes.attached(link.slot) else { return Sent::No };
        let packet_max = session.packet_max as usize;
        let is_full = l.output.len() > output_max;
        let (mut properties, topic) = (Vec::new(), to.topic());
        if to.put_properties(&mut properties).is_err() {
            return Sent::TooLarge;
        }
        let packet = PublishOut {
            version: Version::V5,
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            topic: &topic,
            packet_id: 0,
            alias: 0,
            send_topic: true,
            subscription_ids: &[],
            properties: &properties,
            expiry: None,
            payload,
        };
        if packet.len() > packet_max {
            return Sent::TooLarge;
        }
        if is_full {
            self.homes.drop_one(slot, Loss::OutputFull);
            return Sent::No;
        }
        if let Some(out) = self.homes.output(link.slot) {
            packet.encode(out);
        }
        self.homes.counters.sent(Version::V5, QoS::AtMostOnce);
        Sent::Yes
    }
}
