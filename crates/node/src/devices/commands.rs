//! Commands (iot-hub B2): a service sends, the device gets them in order when it listens, and says
//! what becomes of each.

use super::asking::{Commands, Received, Sending};
use super::methods::number;
use super::session::{DeviceSession, Hears};
use crate::door::Reply;
use crate::journal::Entry;
use crate::link::LinkId;
use crate::record::What;
use crate::session::Session;
use crate::shard::Shard;
use crate::waiting::Completion;
use hub::classic::ToDevice;
use hub::command::{Claim, Delivery, Holder, LockLost, Queue, Record, Settlement, Step};
use hub::errors::{ErrorCode, Refusal};
use hub::identity::{Generation, IdentityId, not_found};
use hub::plane::{Command, ToClient};
use hub::registry::{Entry as DeviceEntry, Ids, Of};
use hub::telemetry::Message;
use hub::{LockToken, Moment};
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::wire::{Ack as PubAck, PublishOut, Version};
use std::borrow::Cow;
use store::log::Need;
use store::op::Sequence;

/// A fact of a queue that is on its way to the log.
pub(crate) struct CommandWritten {
    id: IdentityId,
    generation: Generation,
    record: Record,
    then: Then,
}

/// Who is told.
enum Then {
    Nobody,
    Sent(u64, Reply<Result<u64, Refusal>>),
    Purged(u32, Reply<Result<u32, Refusal>>),
    Settled(Reply<Result<(), Refusal>>),
}

impl Shard {
    /// A service sends a command.
    pub(super) fn send_command(
        &mut self,
        id: IdentityId,
        sending: &Sending,
        reply: Reply<Result<u64, Refusal>>,
    ) {
        let Sending { body, system, application } = sending;
        let (system, application) = (system.clone(), application.clone());
        let message = Message { body, system, application };
        if id.module.is_some() {
            let text = "commands are for devices, a module has none";
            return reply(Err(Refusal::new(ErrorCode::ArgumentInvalid, text)));
        }
        let (now_ms, settings) = (self.homes.now.wall_ms, self.command_settings());
        let Some(queue) = self.queue(&id) else { return reply(Err(not_found(&id))) };
        match queue.enqueue(&message, &settings, now_ms) {
            Ok(record) => {
                let number = match &record {
                    Record::Enqueued(content) => content.read().sequence,
                    Record::Abandoned { sequence, .. } => *sequence,
                    Record::Ended(ended) => ended.last_sequence,
                };
                self.write_command(id, record.into(), Then::Sent(number, reply));
            }
            Err(refusal) => reply(Err(refusal)),
        }
    }

    /// A service ends what waits.
    pub(super) fn purge_commands(&mut self, id: IdentityId, reply: Reply<Result<u32, Refusal>>) {
        let now_ms = self.homes.now.wall_ms;
        let Some(queue) = self.queue(&id) else { return reply(Err(not_found(&id))) };
        let Some(step) = queue.purge(now_ms) else { return reply(Ok(0)) };
        let count = match &step.record {
            Record::Ended(ended) => u32::try_from(ended.sequences.len()).unwrap_or(u32::MAX),
            Record::Enqueued(_) | Record::Abandoned { .. } => 0,
        };
        self.write_command(id, step, Then::Purged(count, reply));
    }

    /// A device that comes by HTTP gets its next command (D6).
    pub(super) fn receive_command(
        &mut self,
        id: &IdentityId,
        lock_ms: u64,
        reply: Reply<Result<Option<Received>, Refusal>>,
    ) {
        let now_ms = self.homes.now.wall_ms;
        let token = LockToken(u128::from(self.ids.number()) << 64 | u128::from(self.ids.number()));
        let Some(queue) = self.queue(id) else { return reply(Err(not_found(id))) };
        let delivery = queue.deliver(Holder::Lock(token), lock_ms, now_ms, |_| true);
        let deadline = queue.deadline();
        let received = delivery.map(|delivery| Received { token, delivery });
        self.hand_out(id, received, reply);
        self.await_device_id(id, deadline);
    }

    /// It says what becomes of it.
    pub(super) fn settle_command(
        &mut self,
        id: IdentityId,
        token: LockToken,
        how: Settlement,
        reply: Reply<Result<(), Refusal>>,
    ) {
        match self.settled(&id, Claim::Locked(token), how) {
            Ok(step) => self.write_command(id, step, Then::Settled(reply)),
            Err(lost) => reply(Err(lost.into())),
        }
    }

    /// The commands of a device, to be looked at.
    pub(super) fn commands_shown(&self, id: &IdentityId) -> Result<Commands, Refusal> {
        let (_, known) = self.devices.known.get(Ids::from(id)).ok_or_else(|| not_found(id))?;
        let queue = known.commands().into_iter();
        let dead = queue.clone().flat_map(|queue| queue.dead_letters()).cloned().collect();
        Ok(Commands { waiting: queue.flat_map(|queue| queue.waiting()).collect(), dead })
    }

    /// What waits goes to a device that listens, as much as its window takes.
    pub(super) fn deliver_commands(&mut self, id: &IdentityId) {
        let Some((link, hears)) = self.online(id) else { return };
        let Some(qos) = hears.commands() else { return };
        let (now_ms, lock_ms) = (self.homes.now.wall_ms, self.command_settings().lock_ms);
        if self.devices.later.holds_commands(id, link) {
            return;
        }
        while let Some(max) = self.room(link, qos) {
            let Some(queue) = self.queue(id) else { return };
            let holder = Holder::Connection(number(link));
            let fits = |command: &hub::command::Command<'_>| {
                encode(id, &hears, command, (0, qos), 0).is_some_and(|bytes| bytes.len() <= max)
            };
            let delivery = queue.deliver(holder, lock_ms, now_ms, fits);
            let deadline = queue.deadline();
            self.await_device_id(id, deadline);
            let Some(delivery) = delivery else { return };
            let Some(delivery) = self.unless_late(id, (link, qos), delivery) else { return };
            self.send_to(link, id, &hears, &delivery, qos);
        }
    }

    /// PUBACK of a device: whether it was to a command.
    pub(crate) fn command_answered(&mut self, link: LinkId, a: &PubAck<'_>) -> bool {
        let Some((_, _, session)) = self.homes.attached(link.slot) else { return false };
        let Some(device) = &mut session.device else { return false };
        let Some(place) = device.sent.iter().position(|(id, _)| *id == a.packet_id) else {
            return false;
        };
        let (_, sequence) = device.sent.remove(place);
        let how = match device.hears {
            Hears::Plane(_) => Settlement::of(a.reason, a.properties),
            Hears::Classic(_) => Settlement::Complete,
        };
        let id = device.id.clone();
        // It was sent, so it is there.
        let _ = session.outbound.puback(a.packet_id);
        let Some(how) = self.settlement(&id, how) else {
            self.cut(link);
            return true;
        };
        let claim = Claim::Sent { connection: number(link), sequence };
        // After its lock another may have it by now.
        if let Ok(step) = self.settled(&id, claim, how) {
            self.write_command(id.clone(), step, Then::Nobody);
        }
        self.deliver_commands(&id);
        true
    }

    /// A connection has ended: what it had been sent waits again.
    pub(super) fn commands_lost(&mut self, slot: u32, id: &IdentityId, link: LinkId) {
        if let Some(session) = self.homes.sessions.at_mut(slot) {
            session.forget_commands();
        }
        let Some((_, known)) = self.devices.known.get_mut(Ids::from(id)) else { return };
        if let Some(queue) = known.commands_mut() {
            queue.disconnected(number(link));
        }
    }

    /// Locks and commands may have ended.
    pub(super) fn commands_due(&mut self, id: &IdentityId) {
        let now_ms = self.homes.now.wall_ms;
        let Some((_, known)) = self.devices.known.get_mut(Ids::from(id)) else { return };
        let Some(queue) = known.commands_mut() else { return };
        let step = queue.turn(now_ms);
        let deadline = queue.deadline();
        if let Some(step) = step {
            self.write_command(id.clone(), step, Then::Nobody);
        }
        self.await_device_id(id, deadline);
        self.deliver_commands(id);
    }

    /// A fact of a queue.
    pub(crate) fn command_written(&mut self, written: CommandWritten, at: Sequence) {
        let CommandWritten { id, generation, record, then } = written;
        let dead_max = self.command_settings().dead_letters_max;
        let known = self.devices.known.get_mut(Ids::from(&id));
        let known = known.filter(|(identity, _)| identity.generation() == generation);
        let Some(queue) = known.and_then(|(_, known)| known.commands_mut()) else {
            // The device is gone, and its commands with it.
            if at.0 > 0 {
                self.perform.need(Need::Release(at));
            }
            return then.refuse(&not_found(&id));
        };
        let mut needs = Vec::new();
        queue.heard(&record, at, dead_max, &mut needs);
        let deadline = queue.deadline();
        if at.0 > 0 {
            needs.into_iter().for_each(|need| self.perform.need(need));
        }
        match then {
            Then::Nobody => {}
            Then::Sent(number, reply) => reply(Ok(number)),
            Then::Purged(count, reply) => reply(Ok(count)),
            Then::Settled(reply) => reply(Ok(())),
        }
        self.await_device_id(&id, deadline);
        self.deliver_commands(&id);
    }

    /// It could not be made a fact.
    pub(crate) fn command_unwritten(&mut self, written: CommandWritten, why: &'static str) {
        let CommandWritten { id, record, then, .. } = written;
        if let Some((_, known)) = self.devices.known.get_mut(Ids::from(&id))
            && let Some(queue) = known.commands_mut()
        {
            queue.lost(&record);
        }
        then.refuse(&Refusal::new(ErrorCode::ServiceUnavailable, why));
    }

    /// To the log: a fact of a queue, and beside it what senders are told of it.
    fn write_command(&mut self, id: IdentityId, step: Step, then: Then) {
        let Step { record, reports } = step;
        let Some((identity, _)) = self.devices.known.get(Ids::from(&id)) else {
            return then.refuse(&not_found(&id));
        };
        let generation = identity.generation();
        let mut payload = Vec::new();
        let of = Of { ids: Ids::from(&id), generation };
        let entry = Entry::Device(DeviceEntry::Command(of, Cow::Borrowed(&record)));
        entry.encode(&mut payload);
        let kind = entry.kind();
        let device = id.device.clone();
        let written = CommandWritten { id, generation, record, then };
        if self.perform.keeps() {
            let done = Completion::Command(Box::new(written));
            self.perform.write_payload((kind, &payload), What::Own, done);
        } else {
            self.command_written(written, Sequence(0));
        }
        self.report_ends(&device, generation, reports);
    }

    fn settled(
        &mut self,
        id: &IdentityId,
        claim: Claim,
        how: Settlement,
    ) -> Result<Step, LockLost> {
        let (now_ms, settings) = (self.homes.now.wall_ms, self.command_settings());
        let queue = self.queue(id).ok_or(LockLost)?;
        queue.settle(claim, how, &settings, now_ms)
    }

    /// The largest packet that a connection takes now; `None` = it has enough.
    fn room(&mut self, link: LinkId, qos: QoS) -> Option<usize> {
        let output_max = self.homes.output_bytes_max;
        let (l, _, session) = self.homes.attached(link.slot)?;
        let waits = l.output.len() > output_max || session.waits();
        let is_full = qos > QoS::AtMostOnce && session.outbound.open() >= session.window;
        (!waits && !is_full).then_some(session.packet_max as usize)
    }

    pub(super) fn send_to(
        &mut self,
        link: LinkId,
        id: &IdentityId,
        hears: &Hears,
        delivery: &Delivery,
        qos: QoS,
    ) {
        let (command, deliveries) = (delivery.content.read(), delivery.deliveries);
        let Some((_, _, session)) = self.homes.attached(link.slot) else { return };
        let packet_id = match qos {
            QoS::AtMostOnce => None,
            _ => session.outbound.send(QoS::AtLeastOnce, None),
        };
        if let (Some(packet_id), Some(device)) = (packet_id, &mut session.device) {
            device.sent.push((packet_id, command.sequence));
        }
        let number_of = packet_id.map_or(0, PacketId::get);
        if let Some(bytes) = encode(id, hears, &command, (number_of, qos), deliveries)
            && let Some(out) = self.homes.output(link.slot)
        {
            out.extend_from_slice(&bytes);
        }
        self.homes.counters.sent(hears.version(), qos);
        if qos == QoS::AtMostOnce {
            // Nobody will answer.
            let claim = Claim::Sent { connection: number(link), sequence: command.sequence };
            if let Ok(step) = self.settled(id, claim, Settlement::Complete) {
                self.write_command(id.clone(), step, Then::Nobody);
            }
        }
    }

    /// The queue of a device, from the first time on that somebody asks for it.
    fn queue(&mut self, id: &IdentityId) -> Option<&mut Queue> {
        let (_, known) = self.devices.known.get_mut(Ids::from(id))?;
        Some(known.heard.get_or_insert_default().commands.get_or_insert_default())
    }

    fn command_settings(&self) -> hub::command::Settings {
        self.devices.hub.as_ref().map(|hub| hub.commands).unwrap_or_default()
    }
}

impl Session {
    /// What its device was sent and did not answer is no exchange any more.
    fn forget_commands(&mut self) {
        let Some(device) = &mut self.device else { return };
        let DeviceSession { sent, .. } = &mut **device;
        for (packet_id, _) in std::mem::take(sent) {
            let _ = self.outbound.puback(packet_id);
        }
    }
}

impl Then {
    fn refuse(self, refusal: &Refusal) {
        match self {
            Self::Nobody => {}
            Self::Sent(_, reply) => reply(Err(refusal.clone())),
            Self::Purged(_, reply) => reply(Err(refusal.clone())),
            Self::Settled(reply) => reply(Err(refusal.clone())),
        }
    }
}

/// The PUBLISH of a command; nothing if no packet can hold it.
fn encode(
    id: &IdentityId,
    hears: &Hears,
    command: &hub::command::Command<'_>,
    (packet_id, qos): (u16, QoS),
    deliveries: u32,
) -> Option<Vec<u8>> {
    let mut message = command.message();
    let (mut properties, topic) = (
        Vec::new(),
        match hears.version() {
            Version::V5 => "$iothub/commands".to_owned(),
            Version::V311 => {
                let to = format!("/devices/{}/messages/deviceBound", id.device);
                message.system.to = Some(to.into());
                ToDevice::Command { device: &id.device, message: &message }.topic().ok()?
            }
        },
    );
    if hears.version() == Version::V5 {
        let to = ToClient::Command(Command {
            sequence_no: command.sequence,
            enqueued: Moment::at(command.enqueued_ms),
            delivery_count: deliveries,
            message: &message,
        });
        to.put_properties(&mut properties).ok()?;
    }
    let packet = PublishOut {
        version: hears.version(),
        dup: false,
        qos,
        retain: false,
        topic: &topic,
        packet_id,
        alias: 0,
        send_topic: true,
        subscription_ids: &[],
        properties: &properties,
        expiry: None,
        payload: command.body,
    };
    let mut bytes = Vec::with_capacity(packet.len());
    packet.encode(&mut bytes);
    Some(bytes)
}
