//! A client's end of a connection: a pipe of bytes in each direction. It refuses to know packets.

use mqtt::wire::Version;
use node::LinkId;

/// One connection of one client.
pub struct Connection {
    /// The client's name in the script.
    pub client: usize,
    /// Which shard serves it, as what; `None` while it moves, and after it closed.
    pub place: Option<(usize, LinkId)>,
    /// Of its CONNECT.
    pub version: Version,
    /// Bytes sent and not yet decoded.
    pub unread: Vec<u8>,
    /// New bytes are among them.
    pub arrived: bool,
    /// Bytes received and not yet shown.
    pub received: Vec<u8>,
    /// The client does not read.
    pub stalled: bool,
    /// How it stands.
    pub end: End,
}

/// How a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Open.
    Open,
    /// The server closed it, which has not been shown.
    Closed,
    /// Over.
    Gone,
}

impl Connection {
    /// An open connection at its place.
    pub fn new(client: usize, place: (usize, LinkId)) -> Self {
        Self {
            client,
            place: Some(place),
            version: Version::V5,
            unread: Vec::new(),
            arrived: false,
            received: Vec::new(),
            stalled: false,
            end: End::Open,
        }
    }

    /// Whether both sides may still speak.
    pub fn is_open(&self) -> bool {
        self.end == End::Open
    }

    /// The client has sent bytes; on a closed connection they are lost.
    pub fn sent(&mut self, bytes: &[u8]) {
        if !self.is_open() {
            return;
        }
        self.unread.extend_from_slice(bytes);
        self.arrived |= !bytes.is_empty();
    }
}
