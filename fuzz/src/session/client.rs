//! One connection as its client has it. Refuses to know the reactor.

use mqtt::wire::Version;
use node::LinkId;

use super::observer::Observer;

/// A connection.
pub struct Client {
    /// Its place; `None` once the server has closed it.
    pub place: Option<LinkId>,
    /// As its CONNECT said.
    pub version: Version,
    /// Sent and not yet taken by the server.
    pub unread: Vec<u8>,
    /// It reads nothing for a while.
    pub stalled: bool,
    /// What it was told.
    pub observer: Observer,
}

impl Client {
    /// A connection at its place.
    pub fn new(place: LinkId) -> Self {
        Self {
            place: Some(place),
            version: Version::V5,
            unread: Vec::new(),
            stalled: false,
            observer: Observer::default(),
        }
    }
}
