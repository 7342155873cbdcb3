//! Steps that wait for the log, and what follows each.
//!
//! Refuses to know in which order they wait.

use crate::channel::Kept as ChannelKept;
use crate::devices::{CommandWritten, Written};
use crate::door::Reply;
use crate::durable::Kept;
use crate::feedback::{Reporting, Settling};
use crate::jobs::JobWritten;
use crate::journal::Publisher;
use crate::link::LinkId;
use crate::session::Origin;
use crate::tally::{Counting, Tally};
use broker::access::{Authorized, Principal};
use broker::publication::Publication;
use broker::share::GroupRef;
use hub::errors::Refusal;
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use std::sync::Arc;
use store::log::StreamId;
use store::op::{Sequence, Ticket};

/// One step that waits.
pub(crate) struct Waiting {
    pub ticket: Option<Ticket>,
    pub origin: Origin,
    pub publish: Option<Logged>,
    /// Of telemetry, whose payload is on its way.
    pub telemetry_bytes: usize,
    pub completion: Completion,
}

/// A publish that waits for the log.
pub(crate) struct Logged {
    /// Whose it is.
    pub principal: Arc<Principal>,
    /// What it is.
    pub publication: Authorized<Arc<Publication>>,
    /// The number of the last change of what is retained when it came.
    pub retained_before: u64,
}

/// Where a publish goes in the log and from there.
pub(crate) struct Way<'a> {
    /// The index streams that it belongs to.
    pub streams: &'a [StreamId],
    /// Reactors that hear of it: bit n = reactor n.
    pub others: u64,
    /// As the log remembers it.
    pub publisher: Publisher<'a>,
}

/// What follows once a step is a fact.
pub(crate) enum Completion {
    /// Nobody is told.
    None,
    /// Likewise: it is a part of what the record of the same batch says that was submitted next.
    Beside,
    /// PUBACK or PUBREC.
    Acknowledge { link: LinkId, packet_id: PacketId, qos: QoS },
    /// PUBACK of telemetry of a device on the MQTT 5 plane.
    Telemetry { link: LinkId, packet_id: PacketId },
    /// A service, or a device that has sent by HTTP.
    Asker(Reply<Result<(), Refusal>>),
    /// An answer that is ready but has to keep its place.
    Answer { link: LinkId, packet_id: PacketId, qos: QoS, reason: Reason, why: Option<Box<str>> },
    /// The caller of the door.
    Tally(Arc<Tally>),
    /// A packet that is ready but has to keep its place.
    Packet { link: LinkId, bytes: Box<[u8]> },
    /// A session's own entry.
    Kept(Kept),
    /// A write of a device.
    Device(Box<Written>),
    /// A fact of a device's commands.
    Command(Box<CommandWritten>),
    /// An end of a command, for its sender.
    Report(Box<Reporting>),
    /// What has become of such ends.
    Feedback(Box<Settling>),
    /// A record of jobs.
    Job(Box<JobWritten>),
    /// A record of the telemetry channel itself.
    Channel(Box<ChannelKept>),
    /// How late it is.
    Clock,
    /// What the group of this stream has done.
    Group(GroupRef, StreamId),
    /// A message of the group of this stream, again: where it was.
    Carried(GroupRef, StreamId, Sequence),
}

impl Waiting {
    /// A publish that waits.
    pub fn publish(origin: Origin, publish: Logged, completion: Completion) -> Self {
        Self { publish: Some(publish), ..Self::answer(origin, completion) }
    }

    pub fn bytes(&self) -> usize {
        self.publish.as_ref().map_or(0, |logged| logged.publication.bytes())
    }

    /// An answer that waits for its turn.
    pub fn answer(origin: Origin, completion: Completion) -> Self {
        Self { ticket: None, origin, publish: None, telemetry_bytes: 0, completion }
    }
}

impl Completion {
    /// The tally that counts who matched.
    pub fn counting(&self) -> Option<Arc<Tally>> {
        match self {
            Self::Tally(tally) if tally.counting == Counting::Yes => Some(Arc::clone(tally)),
            _ => None,
        }
    }
}
