//! Direct methods (iot-hub B3, C5): a service asks, the device answers now or not at all.

use super::asking::Ask;
use super::faults::{FAULT, is_delay, is_status};
use super::late::Late;
use super::session::{DeviceSession, Hears};
use super::telling::Sent as Told;
use crate::counters;
use crate::door::Reply;
use crate::link::LinkId;
use crate::shard::Shard;
use crate::timers::Timer;
use hub::classic::ToDevice;
use hub::fault::{Effect, Operation};
use hub::identity::{IdentityId, Loss, Packed, Status, not_found};
use hub::method::{Answer, Calls, Failed, Online, Outcome, Request, Rid, Sent};
use hub::plane::ToClient;
use hub::registry::Ids;
use mqtt::wire::Version;

/// Who waits for the answer of a device.
pub(crate) struct Invoker {
    /// What it hangs up with.
    pub ticket: Ticket,
    /// The way back.
    pub reply: Reply<Outcome>,
}

/// What a caller calls its call; no other of the same device has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(pub u64);

impl Shard {
    /// A service asks something of a device that is connected, or waits until it is.
    pub(super) fn invoke(&mut self, id: &IdentityId, request: Request, invoker: Invoker) {
        let ids = Ids::from(id);
        let device = Ids { module: None, ..ids };
        let status = self.devices.known.get(device).map(|(packed, _)| packed.status());
        if self.devices.known.get(ids).is_none() {
            return (invoker.reply)(Err(not_found(id).into()));
        }
        if status == Some(Status::Disabled) {
            return (invoker.reply)(Err(Failed::disabled()));
        }
        if let Some(Effect::Status(status)) = self.strike(METHOD, id, 0, is_status) {
            return (invoker.reply)(Err(METHOD.refusal(status, FAULT).into()));
        }
        let hears = self.online(id).filter(|(_, hears)| hears.method(request.name.as_str()));
        let online = hears.map_or(Online::No, |(link, _)| Online::By(number(link)));
        let (rid, now_ms) = (Rid(self.ids.number()), self.homes.now.wall_ms);
        let Some(calls) = self.calls(id) else { return };
        let invoked = calls.invoke(request, invoker, rid, online, now_ms);
        let deadline = calls.deadline();
        match invoked {
            Ok(sent) => self.send_method(id, sent),
            Err((invoker, failed)) => (invoker.reply)(Err(failed)),
        }
        self.await_device_id(id, deadline);
    }

    /// A service does not wait any more for what it has asked.
    pub(super) fn hang_up(&mut self, id: &IdentityId, ticket: Ticket) {
        let Some((_, known)) = self.devices.known.get_mut(Ids::from(id)) else { return };
        let Some(heard) = &mut known.heard else { return };
        let _ = heard.calls.abandoned(|invoker| invoker.ticket == ticket);
    }

    /// A device has subscribed, or is there again with its subscriptions: what waits for it goes.
    pub(crate) fn device_listens(&mut self, slot: u32) {
        let device = self.homes.sessions.at(slot).and_then(|session| session.device.as_ref());
        let Some(id) = device.map(|device| device.id.clone()) else { return };
        let Some((link, hears)) = self.online(&id) else { return };
        let now_ms = self.homes.now.wall_ms;
        self.tell_since(slot, &id);
        self.deliver_commands(&id);
        let Some(calls) = self.calls(&id).filter(|calls| !calls.is_empty()) else { return };
        let sent = calls.online(number(link), now_ms, |name| hears.method(name.as_str()));
        let deadline = calls.deadline();
        self.send_method(&id, sent);
        self.await_device_id(&id, deadline);
    }

    /// A device has answered; whether somebody had waited for that.
    pub(super) fn method_answered(
        &mut self,
        link: LinkId,
        id: &IdentityId,
        rid: Option<Rid>,
        answer: Answer,
    ) -> bool {
        let (Some(rid), Some(calls)) = (rid, self.calls(id)) else { return false };
        if !calls.awaits(number(link), rid) {
            return false;
        }
        if self.strike(METHOD, id, 0, |effect| effect == Effect::DropAfterAck).is_some() {
            // Who has asked waits as long as the method may take.
            self.homes.counters.lose(counters::Loss::Fault);
            return true;
        }
        let Some(calls) = self.calls(id) else { return false };
        let answered = calls.answered(number(link), rid, answer);
        let is_awaited = answered.is_some();
        answered.into_iter().for_each(Invoker::told);
        is_awaited
    }

    /// The connection of a device has ended: what it was asked gets no answer.
    pub(super) fn methods_lost(&mut self, id: &IdentityId, link: LinkId) {
        let Some(calls) = self.calls(id) else { return };
        let lost = calls.disconnected(number(link));
        lost.into_iter().for_each(Invoker::told);
    }

    /// The identity is gone or disabled.
    pub(super) fn methods_end(&mut self, id: &IdentityId, loss: Loss) {
        let failed = match loss {
            Loss::Deleted => not_found(id).into(),
            Loss::Disabled => Failed::disabled(),
            Loss::Authentication => return,
        };
        let Some(calls) = self.calls(id) else { return };
        let ended = calls.end(&failed);
        ended.into_iter().for_each(Invoker::told);
    }

    /// Calls and commands may have waited long enough.
    pub(crate) fn calls_due(&mut self) {
        let now_ms = self.homes.now.wall_ms;
        while let Some(id) = self.devices.deadlines.pop(now_ms) {
            self.commands_due(&id);
            let Some(calls) = self.calls(&id).filter(|calls| !calls.is_empty()) else { continue };
            let over = calls.turn(now_ms);
            let deadline = calls.deadline();
            over.into_iter().for_each(Invoker::told);
            self.await_device_id(&id, deadline);
        }
        if let Some(at_ms) = self.devices.deadlines.next() {
            self.homes.arm(Timer::Calls, at_ms);
        }
    }

    /// Looks at a device again at this time.
    pub(super) fn await_device_id(&mut self, id: &IdentityId, deadline: Option<u64>) {
        let Some(at_ms) = deadline else { return };
        self.devices.deadlines.lower(id, at_ms);
        self.homes.arm(Timer::Calls, at_ms);
    }

    /// As [`await_device_id`](Self::await_device_id), by its record.
    pub(super) fn await_device(&mut self, identity: &Packed, deadline: Option<u64>) {
        if deadline.is_some() {
            self.await_device_id(&identity.unpack().id(), deadline);
        }
    }

    fn send_method(&mut self, id: &IdentityId, all: impl IntoIterator<Item = Sent>) {
        for sent in all {
            let Some((link, hears)) = self.online(id) else { return };
            let bytes = sent.payload.len();
            match self.strike(METHOD, id, bytes, is_delay) {
                Some(Effect::Delay(by_ms)) => {
                    self.put_off(by_ms, Late::Method(id.clone(), link, sent), bytes);
                }
                _ => self.send_one_method(id, (link, &hears), &sent),
            }
        }
    }

    /// A request that a fault had put off goes, if somebody waits for its answer still.
    pub(super) fn send_method_late(&mut self, id: &IdentityId, to: LinkId, sent: &Sent) {
        let Some((link, hears)) = self.online(id).filter(|(link, _)| *link == to) else { return };
        if self.calls(id).is_some_and(|calls| calls.awaits(number(link), sent.rid)) {
            self.send_one_method(id, (link, &hears), sent);
        }
    }

    fn send_one_method(&mut self, id: &IdentityId, (link, hears): (LinkId, &Hears), sent: &Sent) {
        let Sent { rid, name, payload } = sent;
        let told = match hears.version() {
            Version::V5 => {
                let correlation = rid.correlation();
                let to = ToClient::Method { correlation, name: name.as_str() };
                self.tell_client(link, &to, payload)
            }
            Version::V311 => {
                let to = ToDevice::Method { name: name.as_str(), rid: &rid.to_string() };
                self.tell_device(link, &to, payload)
            }
        };
        if told != Told::Yes
            && let Some(calls) = self.calls(id)
        {
            let unsent = calls.unsent(number(link), *rid);
            unsent.into_iter().for_each(Invoker::told);
        }
    }

    fn calls(&mut self, id: &IdentityId) -> Option<&mut Calls<Invoker>> {
        let (_, known) = self.devices.known.get_mut(Ids::from(id))?;
        Some(&mut known.heard.get_or_insert_default().calls)
    }

    /// The connection of an identity, and what it hears of.
    pub(super) fn online(&self, id: &IdentityId) -> Option<(LinkId, Hears)> {
        let (_, known) = self.devices.known.get(Ids::from(id))?;
        let session = known.heard.as_ref()?.session?;
        let session = self.homes.sessions.get(session.slot, session.generation)?;
        let link = self.homes.link_id(session.link()?);
        Some((link, session.device.as_ref()?.hears.clone()))
    }

    /// The device's part of the session that a connection serves.
    pub(super) fn device_at(&self, link: LinkId) -> Option<&DeviceSession> {
        let l = self.homes.links.get(link.slot, link.generation)?;
        self.homes.sessions.at(l.session()?)?.device.as_deref()
    }
}

impl Invoker {
    /// Is told what has become of its call.
    fn told((invoker, outcome): (Self, Outcome)) {
        (invoker.reply)(outcome);
    }
}

impl Ask {
    /// Whether it may go before what its device waits for: it is about something else than that.
    pub(super) fn is_momentary(&self) -> bool {
        matches!(
            self,
            Self::Invoke(..)
                | Self::HangUp(_)
                | Self::Send(..)
                | Self::Purge(_)
                | Self::Receive(..)
                | Self::Settle(..)
                | Self::Commands(_)
                | Self::Verify(..)
                | Self::Event(..)
        )
    }
}

const METHOD: Operation = Operation::ReceiveMethods;

/// A connection's number, which no other has.
pub(super) fn number(link: LinkId) -> u64 {
    u64::from(link.slot) << 32 | u64::from(link.generation)
}
