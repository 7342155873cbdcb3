//! What the hub publishes to a device (iot-hub A14, D2): encoded, measured, written.

use super::After;
use super::session::{Hears, To, Way};
use crate::counters::Loss;
use crate::link::LinkId;
use crate::shard::Shard;
use hub::Moment;
use hub::classic::{ToDevice, TwinStatus, twin_error};
use hub::errors::{ErrorCode, Refusal};
use hub::plane::{Status, ToClient, Told};
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
        let sent = match &way.to {
            To::Correlation(correlation) => {
                let to = ToClient::Success { correlation: *correlation, version };
                self.tell_client(way.link, &to, payload)
            }
            To::Rid(rid) => {
                let status = if version.is_some() { TwinStatus::Patched } else { TwinStatus::Read };
                self.tell_twin_response(
                    way.link,
                    &ToDevice::TwinResponse { status, rid, version },
                    payload,
                )
            }
        };
        if sent == Sent::TooLarge {
            self.respond_failure(way, Status::SERVER_ERROR, "the response is larger than you take");
        }
        self.answered(way);
    }

    /// A response that says why not. One that does not take even this gets nothing.
    pub(super) fn respond_failure(&mut self, way: &Way, status: Status, why: &str) {
        let trace_id = self.ids.trace();
        let _ = match &way.to {
            To::Correlation(correlation) => {
                let told = Told::of(status, &trace_id, why);
                let to = ToClient::Failure { correlation: *correlation, told };
                self.tell_client(way.link, &to, &[])
            }
            To::Rid(rid) => {
                let status = classic_status(status);
                let body = match status {
                    TwinStatus::Bad => {
                        let refusal = Refusal::new(ErrorCode::ArgumentInvalid, why);
                        twin_error(&refusal, &trace_id, Moment::at(self.homes.now.wall_ms))
                    }
                    _ => Vec::new(),
                };
                let to = ToDevice::TwinResponse { status, rid, version: None };
                self.tell_twin_response(way.link, &to, &body)
            }
        };
        self.answered(way);
    }

    fn answered(&mut self, way: &Way) {
        if way.after == After::Ends {
            self.cut(way.link);
        }
    }

    /// To a client of MQTT 5, at QoS 0.
    pub(super) fn tell_client(&mut self, link: LinkId, to: &ToClient<'_>, payload: &[u8]) -> Sent {
        let mut properties = Vec::new();
        match to.put_properties(&mut properties) {
            Ok(()) => self.tell_at(link, (Version::V5, &to.topic()), &properties, payload),
            Err(_) => Sent::TooLarge,
        }
    }

    /// To a client of MQTT 3.1.1, at QoS 0.
    pub(super) fn tell_device(&mut self, link: LinkId, to: &ToDevice<'_>, payload: &[u8]) -> Sent {
        match to.topic() {
            Ok(topic) => self.tell_at(link, (Version::V311, &topic), &[], payload),
            Err(_) => Sent::TooLarge,
        }
    }

    /// Only to who has subscribed: over MQTT 3.1.1 nothing else comes.
    fn tell_twin_response(&mut self, link: LinkId, to: &ToDevice<'_>, payload: &[u8]) -> Sent {
        let hears = |hears: &Hears| hears.responses();
        match self.device_at(link).is_some_and(|device| hears(&device.hears)) {
            true => self.tell_device(link, to, payload),
            false => Sent::No,
        }
    }

    fn tell_at(
        &mut self,
        link: LinkId,
        (version, topic): (Version, &str),
        properties: &[u8],
        payload: &[u8],
    ) -> Sent {
        let output_max = self.homes.output_bytes_max;
        if self.homes.links.get(link.slot, link.generation).is_none() {
            return Sent::No;
        }
        let Some((l, slot, session)) = self.homes.attached(link.slot) else { return Sent::No };
        let packet_max = session.packet_max as usize;
        let is_full = l.output.len() > output_max;
        let packet = PublishOut {
            version,
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            topic,
            packet_id: 0,
            alias: 0,
            send_topic: true,
            subscription_ids: &[],
            properties,
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
        self.homes.counters.sent(version, QoS::AtMostOnce);
        Sent::Yes
    }
}

/// D2 has fewer.
fn classic_status(status: Status) -> TwinStatus {
    match status {
        Status::BAD_REQUEST => TwinStatus::Bad,
        Status::PRECONDITION_FAILED => TwinStatus::VersionDiffers,
        Status::THROTTLED | Status::QUOTA_EXCEEDED => TwinStatus::Throttled,
        Status::SERVER_BUSY => TwinStatus::Busy,
        _ => TwinStatus::Failed,
    }
}
