//! A message on its way into the channel: judged, stamped and written by the reactor of its
//! sender. The one way for telemetry of every protocol, for wills and for events.

use super::ring::Message as Kept;
use super::routed::{Message as Routable, Part, Routed};
use super::shared::{Channel, Enqueued, Places};
use crate::counters::Loss;
use crate::devices::Hub;
use crate::link::Pause;
use crate::pressure::MEMORY_FULL;
use crate::record::{Record, What};
use crate::session::Origin;
use crate::shard::Shard;
use crate::waiting::{Completion, Waiting};
use broker::budget::Level;
use hub::channel::Head;
use hub::identity::IdentityId;
use hub::plane::Status;
use hub::registry::Ids;
use hub::route::{Source, Target, Targets};
use hub::telemetry::{AuthMethod, Message, SystemName};
use std::sync::Arc;

/// What a device or module has sent. Its message has been checked ([`Message::check`]).
pub(crate) struct Sent<'m> {
    /// Who it is.
    pub sender: &'m IdentityId,
    /// How it had proved itself; `None` on the MQTT 5 plane (iot-hub A14.1).
    pub auth_method: Option<AuthMethod>,
    /// What it says.
    pub message: &'m Message<'m>,
}

/// Why a message is not taken. Nothing of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotTaken {
    /// For the sender (A13).
    pub status: Status,
    /// One sentence.
    pub why: &'static str,
}

impl Shard {
    /// Takes telemetry. `completion` follows once the message is a fact, or at once if no route
    /// takes it, in the order of this publisher's steps; [`Completion::None`]: nobody waits, and
    /// without memory the message is dropped and counted.
    ///
    /// # Errors
    /// The sender is not registered any more; there is no room. `completion` does not follow.
    pub(crate) fn take_telemetry(
        &mut self,
        origin: Origin,
        sent: &Sent<'_>,
        completion: Completion,
    ) -> Result<(), NotTaken> {
        let Sent { sender, auth_method, message } = sent;
        let Some(hub) = self.devices.hub.clone() else { return Err(UNKNOWN) };
        let nobody_waits = matches!(completion, Completion::None);
        match self.homes.meter.level() {
            Level::Normal => {}
            _ if nobody_waits => {
                self.homes.counters.lose(Loss::Memory);
                return Ok(());
            }
            _ => self.has_room_for(origin)?,
        }
        let mut head = std::mem::take(&mut self.channel.scratch);
        head.clear();
        let ids = Ids::from(*sender);
        let Some(seen) = self.devices.sender(ids) else { return Err(UNKNOWN) };
        let enqueued_ms = self.homes.now.wall_ms;
        let (generation, source) = (seen.generation, Source::DeviceMessages);
        let stamp = Head { enqueued_ms, ids, generation, source, auth_method: *auth_method };
        let model_id = seen.model_id;
        let system = |show: &mut dyn FnMut(SystemName, &str)| {
            message.each_system(None, &mut *show);
            if !model_id.is_empty() {
                show(SystemName::ModelId, model_id);
            }
        };
        let routed = if hub.routing.takes_all() {
            stamp.encode(system, message.application.iter(), &mut head);
            Routed::whole(Targets::only(Target::EVENTS), head.len())
        } else {
            let mut said = Vec::new();
            system(&mut |name, value| said.push((name, value.to_owned())));
            let routable = Routable {
                head: stamp,
                system: said,
                properties: message.application.iter().collect(),
                body: message.body,
                bytes: message.bytes(),
            };
            let looks_into_twin = hub.routing.looks_into_twin(source);
            let twin = if looks_into_twin { self.devices.twin_of(ids) } else { None };
            routable.route(&hub, twin.as_deref(), &mut head)
        };
        let parts = (&head[..], message.body);
        self.goes(origin, &hub, (&stamp, parts), (routed, completion));
        self.channel.scratch = head;
        Ok(())
    }

    /// Whether somebody who waits for it could be told that his message is taken.
    ///
    /// # Errors
    /// There is no room.
    pub(crate) fn has_room_for(&self, origin: Origin) -> Result<(), NotTaken> {
        if self.homes.meter.level() == Level::Full {
            return Err(busy(MEMORY_FULL));
        }
        let log_queue_bytes_max = self.homes.limits.log_queue_bytes_max;
        if origin == Origin::NOBODY && self.perform.bytes() > log_queue_bytes_max {
            // Who has no socket cannot be left unread.
            return Err(busy(LOG_FULL));
        }
        Ok(())
    }

    /// What follows from where a message goes: a record for all endpoints that get the same, in one
    /// batch with those for others. `heads` are theirs, one behind the other.
    pub(super) fn goes(
        &mut self,
        origin: Origin,
        hub: &Arc<Hub>,
        (head, (heads, body)): (&Head<'_>, (&[u8], &[u8])),
        (routed, completion): (Routed, Completion),
    ) {
        let Routed { mut parts, too_large } = routed;
        (0..too_large).for_each(|_| self.homes.counters.lose(Loss::Enriched));
        let Some(last) = parts.pop() else {
            if too_large == 0 {
                self.homes.counters.lose(Loss::Unrouted);
            }
            return self.complete_in_place(origin, completion);
        };
        let (partition, mut from) = (hub.channel.settings().partitions.of(head.ids.device), 0);
        for (Part { targets, end }, completion) in parts
            .into_iter()
            .map(|part| (part, Completion::Beside))
            .chain(std::iter::once((last, completion)))
        {
            let to = (Places { partition, targets }, head.enqueued_ms);
            self.append(origin, &hub.channel, to, (&heads[from..end], body), completion);
            from = end;
        }
    }

    fn append(
        &mut self,
        origin: Origin,
        channel: &Arc<Channel>,
        (places, enqueued_ms): (Places, u64),
        (head, body): (&[u8], &[u8]),
        completion: Completion,
    ) {
        let bytes = head.len() + body.len();
        if !self.perform.keeps() {
            let account = &self.homes.meter;
            channel.remember(places, || {
                let charge = account.charge(bytes + size_of::<Kept>());
                Kept { enqueued_ms, payload: [head, body].concat().into(), charge }
            });
            return self.complete_in_place(origin, completion);
        }
        let streams = channel.streams_of(places);
        let channel = Arc::clone(channel);
        let enqueued = Enqueued { channel, places, enqueued_ms, bytes };
        let record = Record(What::Telemetry(enqueued));
        let held = self.perform.append((origin, &streams), &[head, body], record, completion);
        let full = self.perform.bytes() > self.homes.limits.log_queue_bytes_max;
        if full || held >= self.homes.limits.publisher_pending_max {
            self.pause(origin, Pause::Log);
        }
    }

    /// What waits for nothing follows behind what this publisher waits for.
    pub(crate) fn complete_in_place(&mut self, origin: Origin, completion: Completion) {
        if self.perform.holds(origin) {
            self.perform.keep_place(Waiting::answer(origin, completion));
        } else {
            self.follow(completion, true, 0);
        }
    }
}

fn busy(why: &'static str) -> NotTaken {
    NotTaken { status: Status::SERVER_BUSY, why }
}

const UNKNOWN: NotTaken =
    NotTaken { status: Status::NOT_AUTHORIZED, why: "the identity is not registered any more" };
const LOG_FULL: &str = "too many messages wait for the disk; try again";
