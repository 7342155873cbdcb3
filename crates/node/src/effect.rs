//! What a shard wants done outside: the outer loop drains these once a turn.

use crate::auth::AuthRequest;
use crate::durable::ReadJob;
use crate::link::LinkId;
use crate::opening::Opening;
use broker::access::Principal;
use broker::budget::Level;
use mqtt::reason::Reason;
use std::sync::Arc;

/// Something only the outer loop can do.
pub enum Effect {
    /// Check credentials; the answer comes back as `Shard::authenticated`.
    Authenticate(LinkId, Box<AuthRequest>),
    /// Write what is waiting, then close the connection. `Shard::closed` need not be called.
    Close(LinkId, Linger),
    /// Move the connection with its unread bytes to its home reactor, `Shard::adopt` it there.
    Move(LinkId, usize, Box<Adoption>),
    /// The connection may be read again: bytes it left unread come first.
    Resume(LinkId),
    /// Read the log for a session; the answer comes back as a post.
    Read(Box<ReadJob>),
    /// For the log.
    Notice(Notice),
}

/// How a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linger {
    /// The client said goodbye: nothing is on its way.
    No,
    /// The last packet must reach a client that may still be sending.
    UntilRead,
}

/// A CONNECT on its way to the home of its session.
pub struct Adoption {
    pub(crate) opening: Box<Opening>,
    /// Who it is; a device is judged at its home.
    pub(crate) principal: Option<Arc<Principal>>,
}

/// What the log should say.
#[derive(Debug)]
pub enum Notice {
    /// A session has a connection.
    Connected {
        /// Client identifier.
        client: String,
        /// Principal.
        name: Arc<str>,
    },
    /// A session lost its connection.
    Disconnected {
        /// Client identifier.
        client: String,
        /// Who ended it and why.
        why: &'static str,
    },
    /// Something was refused.
    Refused {
        /// Client identifier, empty before CONNECT.
        client: String,
        /// Reason code as sent, or as it would have been sent.
        reason: Reason,
        /// The rule, or the clause of the specification.
        rule: &'static str,
        /// What would have to change.
        why: String,
    },
    /// Messages of a session cannot be read from the disk.
    Unreadable {
        /// Client identifier.
        client: String,
        /// File and offset.
        why: String,
    },
    /// A session does not keep up: its first loss.
    Stalled {
        /// Client identifier.
        client: String,
        /// The bound at which it lost a message.
        why: &'static str,
    },
    /// Nothing waits any more for a session that did not keep up.
    Recovered {
        /// Client identifier.
        client: String,
        /// Messages it lost meanwhile.
        lost: u64,
        /// How long it took.
        seconds: u64,
    },
    /// Another reactor's post takes nothing more.
    PostFull {
        /// Whose.
        reactor: usize,
        /// How often that was not said since the last time.
        left_out: u64,
    },
    /// It takes something again.
    PostFree {
        /// Whose.
        reactor: usize,
    },
    /// The memory for data has come to a level, or has left it.
    Pressure {
        /// From.
        before: Level,
        /// To.
        level: Level,
        /// Bytes held.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// Clients are turned away before anybody asks who they are.
    TurnedAway {
        /// The last one's client identifier.
        client: String,
        /// Reason code as sent.
        reason: Reason,
        /// The rule.
        rule: &'static str,
        /// What would have to change.
        why: &'static str,
        /// How many others were turned away since the last line.
        left_out: u64,
    },
    /// So many notices were left out because a turn had too many.
    Suppressed(u64),
}
