//! A connection as the network has it: a pipe of bytes in each direction, and how each end stands.
//! Bytes of one direction keep their order; they arrive late, in pieces, or not at all.

use node::LinkId;
use std::collections::VecDeque;

/// Two pipes.
pub(crate) struct Socket {
    /// Who opened it, in the list of all clients.
    pub owner: usize,
    pub place: Place,
    pub to_server: VecDeque<u8>,
    pub to_client: VecDeque<u8>,
    /// What the server has read and not decoded.
    pub unread: Vec<u8>,
    pub client_end: ClientEnd,
    /// The server will send nothing more.
    pub server_ended: bool,
    /// The client does not read for now.
    pub stalled: bool,
    /// How much of a shard's output was seen already.
    pub tapped: usize,
}

/// The server's end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// Not accepted yet.
    Waiting(usize),
    /// Served by this shard.
    At(usize, LinkId),
    /// On its way between two.
    Moving,
    /// What waits is written, then it is closed: until when at most, real clock.
    Closing(usize, LinkId, u64),
    Gone,
}

/// The client's end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ClientEnd {
    Open,
    /// Closed in order: what was sent arrives first.
    Closed,
    /// Broken, and the server hears of it.
    Broken,
    /// Broken, and the server does not hear of it.
    Silent,
}

impl Socket {
    pub fn new(owner: usize, reactor: usize) -> Self {
        Self {
            owner,
            place: Place::Waiting(reactor),
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            unread: Vec::new(),
            client_end: ClientEnd::Open,
            server_ended: false,
            stalled: false,
            tapped: 0,
        }
    }

    /// What is under way is lost in both directions.
    pub fn cut(&mut self, end: ClientEnd) {
        self.to_server.clear();
        self.to_client.clear();
        self.client_end = end;
    }

    /// The server's end is over.
    pub fn drop_place(&mut self) {
        self.place = Place::Gone;
        self.server_ended = true;
        self.unread.clear();
        self.to_server.clear();
    }

    /// Whether the shard at `reactor` serves it as `id`.
    pub fn is_at(&self, reactor: usize, id: LinkId) -> bool {
        match self.place {
            Place::At(r, i) | Place::Closing(r, i, _) => r == reactor && i == id,
            _ => false,
        }
    }
}
