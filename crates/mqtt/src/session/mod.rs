//! One client's protocol state, piece by piece: what was sent and is not yet acknowledged, what
//! was received and is not yet released, which topic aliases hold in either direction.
//!
//! Owns the rules of packet identifiers and of the QoS 1 and 2 exchanges. Knows no topics tree,
//! no permissions, no clock and no sockets: whoever holds a session asks these and performs.

mod alias;
mod outbound;
mod received;
mod sent_aliases;

pub use alias::{AliasError, Aliases};
pub use outbound::{Exchange, Outbound, Unacknowledged, UnknownPacketId};
pub use received::Received;
pub use sent_aliases::{ALIAS_BYTES, ALIASES_MAX, SentAlias, SentAliases};
