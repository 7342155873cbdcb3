//! Exchanges with what shared groups gave where no membership tells so: it is of an earlier run,
//! or has ended. Refuses to know groups: each is a stream.

use crate::journal::UnderWay;
use mqtt::packet_id::PacketId;
use mqtt::session::Exchange;
use store::log::{Need, StreamId};
use store::op::Sequence;

/// One exchange.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given {
    pub packet_id: PacketId,
    pub sequence: Sequence,
    /// Of the group.
    pub stream: StreamId,
    /// The session itself keeps the message in the log: for its group it is over.
    is_held: bool,
}

impl Given {
    /// An exchange as it stands. At QoS 1 a group keeps its own, and what is released is not sent
    /// again.
    pub fn new(
        packet_id: PacketId,
        sequence: Sequence,
        stream: StreamId,
        exchange: Exchange,
    ) -> Self {
        let is_held = exchange == Exchange::Published2 && sequence.0 > 0;
        Self { packet_id, sequence, stream, is_held }
    }

    /// The same for one of an earlier run; `None` if no group gave it.
    pub fn found(u: &UnderWay) -> Option<Self> {
        Some(Self::new(u.packet_id, u.sequence, u.via.stream()?, u.exchange))
    }

    /// The same once its message was carried forward: for its group it is over, and the session has
    /// it elsewhere.
    pub fn carried_to(self, at: Sequence) -> Self {
        Self { sequence: at, is_held: false, ..self }
    }

    /// To be told when it begins.
    pub fn hold(self) -> Option<Need> {
        let (stream, after) = (self.stream, Sequence(self.sequence.0.saturating_sub(1)));
        self.is_held.then_some(Need::Hold { stream, after })
    }

    /// To be told when it is over.
    pub fn leave(self) -> Option<Need> {
        let (stream, after) = (self.stream, Sequence(self.sequence.0.saturating_sub(1)));
        self.is_held.then_some(Need::Leave { stream, after })
    }
}
