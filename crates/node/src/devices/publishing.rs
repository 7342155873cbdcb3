//! PUBLISH of a device under `$iothub/` (iot-hub A10, A11, A14): what it asks for, and what it is
//! answered.

use super::asking::{Job, Wish};
use super::session::Way;
use crate::link::LinkId;
use crate::shard::Shard;
use crate::waiting::{Completion, Waiting};
use hub::plane::{
    Correlation, Interaction, Operation, Packet, ProblemInformation, Status, Told, Topic, Verdict,
    Violation, failure, fitting,
};
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::{AckKind, AckOut, Diagnostics, Publish, Version};

impl Shard {
    /// A PUBLISH of a device; whether it was the hub's.
    pub(crate) fn device_publish(
        &mut self,
        link: LinkId,
        slot: u32,
        p: &Publish<'_>,
        topic: &str,
    ) -> bool {
        let alone = self.devices.hub.as_ref().is_some_and(|hub| hub.is_alone());
        if Topic::of(topic) == Topic::Outside && !alone {
            return false;
        }
        let session = self.homes.sessions.at(slot);
        let Some(device) = session.and_then(|session| session.device.as_ref()) else {
            return false;
        };
        let id = device.id.clone();
        let operation = match Operation::read(topic, p) {
            Ok(operation) => operation,
            Err(Violation { mistake, correlation, why }) => {
                self.judge_device(link, p, mistake.verdict(p.qos), &why, correlation);
                return true;
            }
        };
        match operation {
            Operation::Telemetry(_) => {
                let verdict = failure(Interaction::MessageAck, Status::NOT_ALLOWED, p.qos);
                self.judge_device(link, p, verdict, NO_TELEMETRY, None);
            }
            Operation::GetTwin(correlation) => {
                self.wish(Job { id, wish: Wish::GetTwin(Way { link, correlation }) });
            }
            Operation::PatchReported { correlation, if_version, patch } => {
                let way = Way { link, correlation };
                self.wish(Job { id, wish: Wish::PatchReported(way, if_version, patch.into()) });
            }
            // Nothing was asked.
            Operation::Response(_) => {}
        }
        true
    }

    /// Does what a cell of A11 says.
    fn judge_device(
        &mut self,
        link: LinkId,
        p: &Publish<'_>,
        verdict: Verdict,
        why: &str,
        correlation: Option<Correlation>,
    ) {
        let client = self.homes.client_of(link.slot);
        let trace_id = self.ids.trace();
        let told = verdict.told(&trace_id, why);
        let reason = match verdict {
            Verdict::Disconnect { reason, .. } | Verdict::Ack { reason, .. } => reason,
            Verdict::Respond(status) => status.ack_reason(),
            Verdict::FailTarget | Verdict::Drop => Reason::IMPLEMENTATION_SPECIFIC_ERROR,
        };
        self.homes.refused(&client, reason, "iot-hub A11", format!("{why} (trace {trace_id})"));
        match verdict {
            Verdict::Disconnect { reason, .. } => self.end_device(link.slot, reason, told),
            Verdict::Ack { reason, .. } => self.answer_device(link, p, reason, told),
            Verdict::Respond(status) => {
                if let Some(correlation) = correlation {
                    self.respond_failure(&Way { link, correlation }, status, why);
                }
            }
            Verdict::FailTarget | Verdict::Drop => {}
        }
    }

    /// PUBACK with what A13 tells, behind those that wait for the log.
    fn answer_device(&mut self, link: LinkId, p: &Publish<'_>, reason: Reason, told: Told<'_>) {
        let Some(packet_id) = p.packet_id else { return };
        let max = self.packet_max(link.slot);
        let Some((l, slot, _)) = self.homes.attached(link.slot) else { return };
        let wanted = ProblemInformation::from(!l.flags.terse);
        let told = told.on(Packet::Ack, wanted);
        let user = told.user();
        let packet = |user: &[(&str, &str)]| {
            let diagnostics = Diagnostics { reason_string: None, user };
            let mut bytes = Vec::new();
            let ack = AckOut { packet_id, reason, diagnostics };
            let kind = if p.qos == QoS::ExactlyOnce { AckKind::PubRec } else { AckKind::PubAck };
            let _ = ack.encode(kind, Version::V5, usize::MAX, &mut bytes);
            bytes
        };
        let (_, user) = fitting(None, &user, max, |_, user| packet(user).len());
        let bytes = packet(user);
        let origin = self.homes.origin(slot);
        if self.perform.holds(origin) {
            let completion = Completion::Packet { link, bytes: bytes.into() };
            self.perform.keep_place(Waiting::answer(origin, completion));
        } else if let Some(out) = self.homes.output(link.slot) {
            out.extend_from_slice(&bytes);
        }
    }
}

const NO_TELEMETRY: &str = "this version of the hub takes no telemetry";
