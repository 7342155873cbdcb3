//! One connection as the node sees it: bytes, protocol version, and how far it has come.

use crate::auth::{Certificate, Listener};
use crate::meter::{One, Sum};
use crate::opening::Opening;
use crate::output::Output;
use crate::pace::Paced;
use mqtt::session::{Aliases, SentAliases};
use mqtt::wire::Version;

/// A connection's name: its place and which of its occupants it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkId {
    /// Place, reused.
    pub slot: u32,
    /// Occupant.
    pub generation: u32,
}

/// A connection.
pub(crate) struct Link {
    pub phase: Phase,
    pub version: Version,
    pub listener: Listener,
    pub flags: Flags,
    /// Seconds, as agreed; 0 = off.
    pub keep_alive_s: u16,
    /// Publishes of this connection that wait for the log.
    pub uncommitted: u16,
    /// When bytes came last; until CONNACK, when the connection began.
    pub last_seen_ms: u64,
    pub output: Output,
    pub aliases: Aliases,
    /// What only some connections have.
    pub extra: Option<Box<Extra>>,
}

/// How far a connection has come.
pub(crate) enum Phase {
    /// CONNECT is awaited; counted, because they are bounded.
    Opening(#[expect(dead_code, reason = "it counts by being there")] One),
    /// CONNECT is here, the answer about its credentials is not. Nothing more is decoded.
    Authenticating(Box<Opening>),
    /// It gets the session in this slot as soon as the log knows it. Nothing more is decoded.
    Attaching(u32, Box<Opening>),
    /// The session in this slot is served.
    Attached(u32),
    /// Only what waits is still written.
    Closing,
}

/// Rare state.
#[derive(Default)]
pub(crate) struct Extra {
    /// The client's certificate.
    pub certificate: Option<Certificate>,
    /// What its TLS has called this server, where that is none of the hub's names.
    pub server_name: Option<Box<str>>,
    /// Authentication Method of CONNECT: re-authentication must repeat it (4.12.1-1).
    pub method: Option<Box<str>>,
    /// A re-authentication is under way.
    pub renewing: bool,
    /// Topic aliases that we set; none where the client takes none.
    pub sent_aliases: Option<Box<SentAliases>>,
    /// When the token ends, domain clock.
    pub expires_at_ms: Option<u64>,
    /// How fast it publishes, where that is bounded.
    pub paced: Paced,
    /// Since when it is not read, real clock; of use while `Flags::paused` is not 0.
    pub paused_at_ms: u64,
}

/// Marks of a connection.
#[derive(Default, Clone, Copy)]
pub(crate) struct Flags {
    /// In the list of connections to write.
    pub dirty: bool,
    /// Not read while any bit stands: `Pause`.
    pub paused: u8,
    /// Request Problem Information of CONNECT was 0 (3.1.2-29).
    pub terse: bool,
    /// The peer broke the protocol; a WebSocket is closed with another code then.
    pub broken: bool,
    /// The client speaks MQTT 3.1.
    pub mq_isdp: bool,
}

/// How many causes there are not to read a connection.
pub const PAUSES: usize = 4;

/// Why a connection is not read: too much of what it published waits somewhere, or a fault has put
/// it off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// For the log.
    Log = 1,
    /// For receivers.
    Fanout = 2,
    /// For another reactor.
    Post = 4,
    /// Until what a fault has put off has happened.
    Fault = 8,
}

impl Pause {
    /// Every cause, in the order of its number.
    pub const ALL: [Self; PAUSES] = [Self::Log, Self::Fanout, Self::Post, Self::Fault];

    /// The label in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Fanout => "fanout",
            Self::Post => "post",
            Self::Fault => "fault",
        }
    }

    /// Its place in `ALL`.
    pub fn place(self) -> usize {
        (self as u8).trailing_zeros() as usize
    }
}

impl Link {
    pub fn new(
        listener: Listener,
        certificate: Option<Certificate>,
        now_ms: u64,
        openings: &Sum,
    ) -> Self {
        let extra =
            certificate.map(|c| Box::new(Extra { certificate: Some(c), ..Extra::default() }));
        Self {
            phase: Phase::Opening(openings.one()),
            version: Version::V5,
            listener,
            flags: Flags::default(),
            keep_alive_s: 0,
            uncommitted: 0,
            last_seen_ms: now_ms,
            output: Output::default(),
            aliases: Aliases::default(),
            extra,
        }
    }

    /// The session it serves.
    #[inline]
    pub fn session(&self) -> Option<u32> {
        match self.phase {
            Phase::Attached(slot) => Some(slot),
            _ => None,
        }
    }

    /// The aliases that we set for this client, if it takes any.
    pub fn sent_aliases(&mut self) -> Option<&mut SentAliases> {
        self.extra.as_mut()?.sent_aliases.as_deref_mut()
    }

    /// Why it is not read.
    pub fn pauses(&self) -> impl Iterator<Item = Pause> {
        let paused = self.flags.paused;
        Pause::ALL.into_iter().filter(move |why| paused & *why as u8 != 0)
    }

    /// Whether its bytes may be decoded now.
    #[inline]
    pub fn reads(&self) -> bool {
        self.flags.paused == 0 && matches!(self.phase, Phase::Attached(_) | Phase::Opening(_))
    }
}
