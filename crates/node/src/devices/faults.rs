//! Faults on purpose, where they strike (`hub::fault`). Each operation asks here once; while no
//! fault is in force that is one load. Refuses to know which faults there are.

use super::asking::Received;
use super::late::Late;
use super::publishing::Said;
use super::session::{To, Way};
use crate::counters::Loss;
use crate::detach::WillFate;
use crate::door::Reply;
use crate::effect::Linger;
use crate::link::{LinkId, Pause, Phase};
use crate::shard::Shard;
use crate::timers::Timer;
use crate::waiting::Completion;
use hub::LockToken;
use hub::command::{Delivery, Settlement};
use hub::errors::Refusal;
use hub::fault::{Effect, Operation};
use hub::identity::IdentityId;
use hub::plane::{ConnectRefused, Status};
use hub::registry::Ids;
use mqtt::qos::QoS;
use mqtt::wire::{Packet, decode, frame};

/// Whether a fault may strike an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strikes {
    /// It may.
    May,
    /// One has: it was put off, and happens now.
    Has,
}

/// What becomes of a connection behind an acknowledgement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum After {
    /// It stays.
    #[default]
    Stays,
    /// It ends as if the network had failed.
    Ends,
}

impl Shard {
    /// What strikes an operation of a device, of the effects that are possible there. One that
    /// puts it off brings so many bytes.
    #[inline]
    pub(super) fn strike(
        &mut self,
        operation: Operation,
        id: &IdentityId,
        bytes: usize,
        takes: fn(Effect) -> bool,
    ) -> Option<Effect> {
        match &self.devices.hub {
            Some(hub) if !hub.faults.is_idle() => self.strike_armed(operation, id, bytes, takes),
            _ => None,
        }
    }

    #[cold]
    fn strike_armed(
        &mut self,
        operation: Operation,
        id: &IdentityId,
        bytes: usize,
        takes: fn(Effect) -> bool,
    ) -> Option<Effect> {
        let Self { devices, ids, homes, .. } = self;
        let has_room = devices.later.has_room_for(bytes);
        let takes = |effect| takes(effect) && (has_room || !is_delay(effect));
        let faults = &devices.hub.as_ref()?.faults;
        let effect = faults.strike(operation, id, takes, || ids.number())?;
        homes.counters.faults.add(1);
        Some(effect)
    }

    /// Puts something off.
    pub(super) fn put_off(&mut self, by_ms: u32, late: Late, bytes: usize) {
        let at_ms = self.homes.now.wall_ms.saturating_add(u64::from(by_ms));
        self.devices.later.put(at_ms, late, bytes);
        self.homes.arm(Timer::Late, at_ms);
    }

    /// Puts a PUBLISH off; what the device sends meanwhile stays unread, so that nothing overtakes.
    pub(super) fn put_publish_off(&mut self, by_ms: u32, said: &Said<'_>) {
        let (topic, bytes) = (Box::from(said.topic), Box::from(said.bytes));
        self.put_off(by_ms, Late::Publish(said.link, topic, bytes), said.bytes.len());
        self.pause(self.homes.origin(said.slot), Pause::Fault);
    }

    /// Puts a CONNECT off: nothing more is decoded of the connection meanwhile.
    pub(super) fn put_connect_off(&mut self, by_ms: u32, link: u32, o: &crate::opening::Opening) {
        let id = self.homes.link_id(link);
        let deadline_ms = u64::from(self.homes.limits.connect_deadline_s) * 1_000;
        if let Some(l) = self.homes.links.at_mut(link) {
            l.phase = Phase::Authenticating(Box::new(o.clone()));
            let ends_ms = l.last_seen_ms + deadline_ms;
            // Another reactor may have accepted it, and had the deadline.
            self.homes.arm(Timer::Link(link), ends_ms);
            self.put_off(by_ms, Late::Connect(id), 0);
        }
    }

    /// The time of what was put off has come.
    pub(crate) fn late_due(&mut self) {
        while let Some(late) = self.devices.later.pop(self.homes.now.wall_ms) {
            self.happen(late);
        }
        if let Some(at_ms) = self.devices.later.next() {
            self.homes.arm(Timer::Late, at_ms);
        }
    }

    fn happen(&mut self, late: Late) {
        match late {
            Late::Connect(id) => self.connect_late(id),
            Late::Publish(link, topic, bytes) => self.publish_late(link, &topic, &bytes),
            Late::Event(id, sending, auth_method, reply) => {
                self.take_event(&id, *sending, auth_method, (reply, Strikes::Has));
            }
            Late::Method(id, link, sent) => self.send_method_late(&id, link, &sent),
            Late::Command(id, link, delivery, qos) => {
                self.send_command_late(&id, link, &delivery, qos);
            }
            Late::Answer(answer) => answer(),
            Late::Desired(id, since) => self.tell_missed(&id, since),
        }
    }

    fn connect_late(&mut self, id: LinkId) {
        let Some(l) = self.homes.links.get_mut(id.slot, id.generation) else { return };
        match std::mem::replace(&mut l.phase, Phase::Closing) {
            Phase::Authenticating(opening) => self.admit(id.slot, &opening, Strikes::Has),
            phase => l.phase = phase,
        }
    }

    fn publish_late(&mut self, link: LinkId, topic: &str, bytes: &[u8]) {
        let Some(l) = self.homes.links.get(link.slot, link.generation) else { return };
        let (version, Some(slot)) = (l.version, l.session()) else { return };
        // Both were done before, on these bytes.
        if let Ok(Some(f)) = frame(bytes, usize::MAX)
            && let Ok(Packet::Publish(p)) = decode(f, version)
        {
            let strikes = Strikes::Has;
            let p = &p;
            self.device_publish(&Said { link, slot, p, topic, bytes, too_fast: None, strikes });
        }
        self.unpause(self.homes.origin(slot), Pause::Fault);
    }

    /// What a device settles a command with, as far as faults let it: `None` = it is not heard.
    pub(super) fn settlement(&mut self, id: &IdentityId, how: Settlement) -> Option<Settlement> {
        match self.strike(Operation::ReceiveCommands, id, 0, |effect| !is_delay(effect)) {
            Some(Effect::DropAfterAck) => None,
            Some(Effect::Status(status)) if status.retryable() => Some(Settlement::Abandon),
            Some(Effect::Status(_)) => Some(Settlement::Reject),
            Some(Effect::Delay(_)) | None => Some(how),
        }
    }

    /// A device that comes by HTTP says what becomes of a command.
    pub(super) fn settle_unless_lost(
        &mut self,
        id: IdentityId,
        (token, how): (LockToken, Settlement),
        reply: Reply<Result<(), Refusal>>,
    ) {
        match self.settlement(&id, how) {
            Some(how) => self.settle_command(id, token, how, reply),
            // The command comes again after its lock.
            None => reply(Ok(())),
        }
    }

    /// A command on its way to a connection, unless it goes later.
    pub(super) fn unless_late(
        &mut self,
        id: &IdentityId,
        (link, qos): (LinkId, QoS),
        delivery: Delivery,
    ) -> Option<Delivery> {
        let bytes = delivery.content.read().body.len();
        let Some(Effect::Delay(by_ms)) =
            self.strike(Operation::ReceiveCommands, id, bytes, is_delay)
        else {
            return Some(delivery);
        };
        self.put_off(by_ms, Late::Command(id.clone(), link, Box::new(delivery), qos), bytes);
        None
    }

    fn send_command_late(&mut self, id: &IdentityId, to: LinkId, delivery: &Delivery, qos: QoS) {
        // Else it waits in its queue again.
        if let Some((link, hears)) = self.online(id).filter(|(link, _)| *link == to) {
            self.send_to(link, id, &hears, delivery, qos);
        }
        self.deliver_commands(id);
    }

    /// A command for a device that has asked for it by HTTP.
    pub(super) fn hand_out(
        &mut self,
        id: &IdentityId,
        received: Option<Received>,
        reply: Reply<Result<Option<Received>, Refusal>>,
    ) {
        let bytes = received.as_ref().map_or(0, |r| r.delivery.content.read().body.len());
        let struck = match received {
            Some(_) => self.strike(Operation::ReceiveCommands, id, bytes, is_delay),
            None => None,
        };
        match struck {
            Some(Effect::Delay(by_ms)) => {
                let answer = Late::Answer(Box::new(move || reply(Ok(received))));
                self.put_off(by_ms, answer, bytes);
            }
            _ => reply(Ok(received)),
        }
    }

    /// Telemetry is acknowledged and lost.
    pub(super) fn lose_telemetry(&mut self, slot: u32, completion: Completion) {
        self.homes.counters.lose(Loss::Fault);
        self.complete_in_place(self.homes.origin(slot), completion);
    }

    /// The response that a bound or a fault gives instead of a twin.
    pub(super) fn respond_denied(
        &mut self,
        id: &IdentityId,
        way: &Way,
        (status, why): (Status, &'static str),
    ) {
        let said = format!("status {status}: {why}");
        self.homes.refused(&id.to_string(), status.ack_reason(), "iot-hub A13", said);
        match (&way.to, status) {
            // D2 has no word for it but that it is done.
            (To::Rid(_), Status::NOT_MODIFIED) => {
                let twin = self.devices.twin_of(Ids::from(id));
                let version = twin.map(|twin| twin.reported().version());
                self.respond_success(way, version, &[]);
            }
            _ => self.respond_failure(way, status, why),
        }
    }

    /// The connection ends as if the network had failed, behind what is written.
    pub(crate) fn cut(&mut self, link: LinkId) {
        let l = self.homes.links.get(link.slot, link.generation);
        if l.is_some_and(|l| l.session().is_some()) {
            self.homes.counters.connections_lost.add(1);
            self.detach(link.slot, WillFate::Sent, FAULT);
            self.homes.close(link.slot, Linger::UntilRead);
        }
    }
}

/// What CONNACK says when a fault has that status (A5).
pub(super) fn refused(status: Status) -> ConnectRefused {
    match status {
        Status::BAD_REQUEST => ConnectRefused::BadRequest(FAULT.into()),
        Status::NOT_AUTHORIZED => ConnectRefused::NotAuthorized,
        Status::THROTTLED => ConnectRefused::RateLimited,
        _ => ConnectRefused::Busy,
    }
}

pub(super) fn is_delay(effect: Effect) -> bool {
    matches!(effect, Effect::Delay(_))
}

pub(super) fn is_status(effect: Effect) -> bool {
    matches!(effect, Effect::Status(_))
}

/// For the caller and for logs: nobody is to look for the cause elsewhere.
pub(super) const FAULT: &str = "a fault of /admin/faults struck";
/// The rule that refused.
pub(super) const RULE: &str = "fault";
