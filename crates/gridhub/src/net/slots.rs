//! Connections by the place that the shard gave them, and the poll tokens that name both.

use crate::net::connection::Connection;
use mio::Token;
use node::LinkId;

/// The sockets of one reactor.
#[derive(Default)]
pub(super) struct Connections(Vec<Option<Connection>>);

impl Connections {
    pub fn put(&mut self, id: LinkId, connection: Connection) {
        let slot = id.slot as usize;
        if self.0.len() <= slot {
            self.0.resize_with(slot + 1, || None);
        }
        self.0[slot] = Some(connection);
    }

    #[inline]
    pub fn get(&mut self, id: LinkId) -> Option<&mut Connection> {
        self.at(id.slot).filter(|c| c.id == id)
    }

    #[inline]
    pub fn at(&mut self, slot: u32) -> Option<&mut Connection> {
        self.0.get_mut(slot as usize)?.as_mut()
    }

    pub fn take(&mut self, id: LinkId) -> Option<Connection> {
        let place = self.0.get_mut(id.slot as usize)?;
        if place.as_ref().is_some_and(|c| c.id == id) { place.take() } else { None }
    }

    pub fn ids(&self) -> Vec<LinkId> {
        self.0.iter().flatten().map(|c| c.id).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

/// The token of a connection: its place and generation, so that an old event finds nobody.
pub(super) fn token(id: LinkId) -> Token {
    Token(((u64::from(id.generation) << 32) | u64::from(id.slot)) as usize)
}

/// What a token names.
pub(super) enum Named {
    Waker,
    Listener(usize),
    Link(LinkId),
}

pub(super) fn named(token: Token) -> Named {
    let bits = token.0 as u64;
    let (generation, slot) = ((bits >> 32) as u32, bits as u32);
    match (slot, generation) {
        (u32::MAX, u32::MAX) => Named::Waker,
        (u32::MAX, n) => Named::Listener(n as usize),
        (slot, generation) => Named::Link(LinkId { slot, generation }),
    }
}

pub(super) const WAKER: Token = Token(usize::MAX);

/// The token of listener number `n`.
pub(super) fn listener_token(n: usize) -> Token {
    // A process has few listeners.
    token(LinkId { slot: u32::MAX, generation: n as u32 })
}
