//! PUBLISH of a device (iot-hub A10, A11, A14, D2, D4): what it asks for, and what it is answered.

use super::asking::{Job, Wish};
use super::faults::FAULT;
use super::session::{Hears, To, Way};
use super::{After, Metered, Strikes};
use crate::channel::{NotTaken, Sent};
use crate::link::LinkId;
use crate::shard::Shard;
use crate::waiting::{Completion, Waiting};
use hub::fault::{self, Effect};
use hub::identity::IdentityId;
use hub::method::{Answer, Rid};
use hub::plane::{
    Correlation, Interaction, Mistake, Operation, Packet, ProblemInformation, Status, Told, Topic,
    Verdict, Violation, failure, fitting,
};
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::{AckKind, AckOut, Diagnostics, Publish, Version};

/// A PUBLISH of a device.
pub(crate) struct Said<'p> {
    pub link: LinkId,
    pub slot: u32,
    pub p: &'p Publish<'p>,
    /// Its topic name, or the one that its alias stands for.
    pub topic: &'p str,
    /// The whole packet.
    pub bytes: &'p [u8],
    /// Why its connection publishes too fast, if it does.
    pub too_fast: Option<&'static str>,
    pub strikes: Strikes,
}

impl Shard {
    /// A PUBLISH of a device; whether it was the hub's.
    pub(crate) fn device_publish(&mut self, said: &Said<'_>) -> bool {
        let alone = self.devices.is_alone();
        let session = self.homes.sessions.at(said.slot);
        let Some(device) = session.and_then(|session| session.device.as_ref()) else {
            return false;
        };
        let id = device.id.clone();
        match device.hears {
            Hears::Classic(_) => self.classic_publish(said, id),
            Hears::Plane(_) if Topic::of(said.topic) == Topic::Outside && !alone => false,
            Hears::Plane(_) => {
                self.plane_publish(said, id);
                true
            }
        }
    }

    fn plane_publish(&mut self, said: &Said<'_>, id: IdentityId) {
        let Said { link, p, .. } = *said;
        let operation = match Operation::read(said.topic, p) {
            Ok(operation) => operation,
            Err(Violation { mistake, correlation, why }) => {
                let verdict = mistake.verdict(p.qos);
                if let (Verdict::FailTarget, Some(correlation)) = (verdict, &correlation) {
                    let failed = Answer::Failed("it says neither response-code nor status");
                    let _ =
                        self.method_answered(link, &id, Rid::of_correlation(correlation), failed);
                }
                return self.judge_device(link, p, verdict, &why, correlation);
            }
        };
        let kind = kind_of(&operation);
        if let Some((status, why)) =
            kind.and_then(|(_, kind)| self.throttle_publish(said, &id, kind))
        {
            return self.fail_operation(said, &id, &operation, (status, why));
        }
        let struck = self.strike_publish(said, &id, kind.map(|(operation, _)| operation));
        match struck {
            Some(Effect::Delay(by_ms)) => self.put_publish_off(by_ms, said),
            Some(Effect::Status(status)) => {
                self.fail_operation(said, &id, &operation, (status, FAULT));
            }
            Some(Effect::DropAfterAck) => self.operate(said, id, operation, After::Ends),
            None => self.operate(said, id, operation, After::Stays),
        }
    }

    /// Why a PUBLISH has to wait, if it has to.
    pub(super) fn throttle_publish(
        &mut self,
        said: &Said<'_>,
        id: &IdentityId,
        kind: Metered,
    ) -> Option<(Status, &'static str)> {
        if said.strikes == Strikes::Has {
            // It was counted when it came.
            return None;
        }
        if let Some(why) = said.too_fast {
            return Some((Status::THROTTLED, why));
        }
        let throttled = self.throttle(kind, id, said.p.payload.len())?;
        Some((throttled.status(), throttled.why()))
    }

    /// What strikes a PUBLISH that asks for this operation.
    pub(super) fn strike_publish(
        &mut self,
        said: &Said<'_>,
        id: &IdentityId,
        operation: Option<fault::Operation>,
    ) -> Option<Effect> {
        let operation = operation.filter(|_| said.strikes == Strikes::May)?;
        self.strike(operation, id, said.bytes.len(), |_| true)
    }

    /// Does what is asked for. Telemetry behind which the connection would end is lost instead.
    fn operate(&mut self, said: &Said<'_>, id: IdentityId, operation: Operation<'_>, after: After) {
        let Said { link, slot, p, .. } = *said;
        match operation {
            Operation::Telemetry(message) => {
                let packet_id = p.packet_id.filter(|_| p.qos > QoS::AtMostOnce);
                let acknowledge = |packet_id| Completion::Telemetry { link, packet_id };
                let completion = packet_id.map_or(Completion::None, acknowledge);
                // Until it is acknowledged it counts against the Receive Maximum (A9).
                self.owes_telemetry(link, packet_id, 1);
                if after == After::Ends {
                    return self.lose_telemetry(slot, completion);
                }
                let origin = self.homes.origin(slot);
                let sent = Sent { sender: &id, auth_method: None, message: &message };
                let taken = self.take_telemetry(origin, &sent, completion);
                if let Err(NotTaken { status, why }) = taken {
                    self.owes_telemetry(link, packet_id, -1);
                    let verdict = failure(Interaction::MessageAck, status, p.qos);
                    self.judge_device(link, p, verdict, why, None);
                }
            }
            Operation::GetTwin(correlation) => {
                let way = Way { link, to: To::Correlation(correlation), after };
                self.wish(Job { id, wish: Wish::GetTwin(way) });
            }
            Operation::PatchReported { correlation, if_version, patch } => {
                let way = Way { link, to: To::Correlation(correlation), after };
                self.wish(Job { id, wish: Wish::PatchReported(way, if_version, patch.into()) });
            }
            Operation::Response(response) => {
                let rid = Rid::of_correlation(&response.correlation);
                if !self.method_answered(link, &id, rid, response.answer.into()) {
                    let verdict = Mistake::UnknownCorrelation.verdict(p.qos);
                    self.judge_device(link, p, verdict, LATE, None);
                }
            }
        }
    }

    /// An operation has the outcome that a bound or a fault gives it.
    fn fail_operation(
        &mut self,
        said: &Said<'_>,
        id: &IdentityId,
        operation: &Operation<'_>,
        (status, why): (Status, &'static str),
    ) {
        let Said { link, p, .. } = *said;
        match operation {
            Operation::GetTwin(correlation) | Operation::PatchReported { correlation, .. } => {
                let (to, after) = (To::Correlation(*correlation), After::Stays);
                self.respond_denied(id, &Way { link, to, after }, (status, why));
            }
            Operation::Telemetry(_) | Operation::Response(_) => {
                let verdict = failure(Interaction::MessageAck, status, p.qos);
                self.judge_device(link, p, verdict, why, None);
            }
        }
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
                    let to = To::Correlation(correlation);
                    let after = After::Stays;
                    self.respond_failure(&Way { link, to, after }, status, why);
                }
            }
            Verdict::FailTarget | Verdict::Drop => {}
        }
    }

    /// Telemetry that the disk has not taken (A13): the device may send it again.
    pub(crate) fn telemetry_unstored(&mut self, link: LinkId, packet_id: PacketId, why: &str) {
        if self.homes.links.get(link.slot, link.generation).is_none() {
            return;
        }
        let client = self.homes.client_of(link.slot);
        if self.homes.links.at(link.slot).is_some_and(|l| l.version == Version::V311) {
            // It has no other way to be told (D4).
            self.homes.refused(&client, Reason::QUOTA_EXCEEDED, "disk", why.to_owned());
            return self.disconnect(link.slot, Reason::QUOTA_EXCEEDED, "telemetry was not stored");
        }
        self.owes_telemetry(link, Some(packet_id), -1);
        let verdict = failure(Interaction::MessageAck, Status::SERVER_BUSY, QoS::AtLeastOnce);
        let trace_id = self.ids.trace();
        if let Verdict::Ack { reason, .. } = verdict {
            self.homes.refused(&client, reason, "disk", format!("{why} (trace {trace_id})"));
            let told = verdict.told(&trace_id, why);
            self.answer_packet((link, packet_id, QoS::AtLeastOnce), reason, told);
        }
    }

    /// So many acknowledgements more or less are owed.
    fn owes_telemetry(&mut self, link: LinkId, packet_id: Option<PacketId>, more: i16) {
        if let (Some(_), Some((l, ..))) = (packet_id, self.homes.attached(link.slot)) {
            l.uncommitted = l.uncommitted.saturating_add_signed(more);
        }
    }

    /// PUBACK with what A13 tells, behind those that wait for the log.
    pub(super) fn answer_device(
        &mut self,
        link: LinkId,
        p: &Publish<'_>,
        reason: Reason,
        told: Told<'_>,
    ) {
        if let Some(packet_id) = p.packet_id {
            self.answer_packet((link, packet_id, p.qos), reason, told);
        }
    }

    fn answer_packet(
        &mut self,
        (link, packet_id, qos): (LinkId, PacketId, QoS),
        reason: Reason,
        told: Told<'_>,
    ) {
        let max = self.packet_max(link.slot);
        let Some((l, slot, _)) = self.homes.attached(link.slot) else { return };
        let (version, wanted) = (l.version, ProblemInformation::from(!l.flags.terse));
        let told = told.on(Packet::Ack, wanted);
        let user = told.user();
        let packet = |user: &[(&str, &str)]| {
            let diagnostics = Diagnostics { reason_string: None, user };
            let mut bytes = Vec::new();
            let ack = AckOut { packet_id, reason, diagnostics };
            let kind = if qos == QoS::ExactlyOnce { AckKind::PubRec } else { AckKind::PubAck };
            let _ = ack.encode(kind, version, usize::MAX, &mut bytes);
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

fn kind_of(operation: &Operation<'_>) -> Option<Kind> {
    match operation {
        Operation::Telemetry(_) => Some(TELEMETRY),
        Operation::GetTwin(_) => Some(GET_TWIN),
        Operation::PatchReported { .. } => Some(PATCH_REPORTED),
        // It is a method's, and that is struck and counted where the method is.
        Operation::Response(_) => None,
    }
}

/// As what faults and bounds know an operation.
pub(super) type Kind = (fault::Operation, Metered);

pub(super) const TELEMETRY: Kind = (fault::Operation::SendTelemetry, Metered::Telemetry);
pub(super) const GET_TWIN: Kind = (fault::Operation::GetTwin, Metered::TwinReads);
pub(super) const PATCH_REPORTED: Kind = (fault::Operation::PatchTwinReported, Metered::TwinUpdates);
const LATE: &str = "nobody waits for this response";
