//! Connections that come: accepted, adopted from another reactor, and who waits at the door.

use crate::net::accept::Listening;
use crate::net::connection::Connection;
use crate::net::inbox::Moved;
use crate::net::reactor::{Reactor, TLS_BUFFER_BYTES};
use crate::net::slots::{listener_token, token};
use mio::{Interest, Poll};
use node::LinkId;
use rustls::{ServerConfig, ServerConnection};
use std::io::ErrorKind::{ConnectionAborted, Interrupted};
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// A listening socket as one reactor polls it.
pub struct Socket {
    socket: mio::net::TcpListener,
    kind: node::auth::Listener,
    tls: Option<Arc<ServerConfig>>,
}

impl Reactor {
    /// This reactor's descriptors of the listeners, in its poll.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn sockets(poll: &Poll, listening: &[Listening]) -> io::Result<Vec<Socket>> {
        let mut sockets = Vec::new();
        for (n, l) in listening.iter().enumerate() {
            let mut socket = l.for_reactor()?;
            poll.registry().register(&mut socket, listener_token(n), Interest::READABLE)?;
            sockets.push(Socket { socket, kind: l.kind, tls: l.tls.clone() });
        }
        Ok(sockets)
    }

    /// Whether a connection may be accepted, or it is too early to try again.
    pub(super) fn accepts(&self) -> bool {
        self.accept_at_ms.is_none_or(|at| self.clock.mono_ms() >= at)
            && self.shard.openings() < self.openings_max
    }

    pub(super) fn accept(&mut self, n: usize) {
        for _ in 0..ACCEPTS_PER_TURN {
            if self.stop_at_ms.is_some() {
                return;
            }
            if self.notice_crowd() {
                break;
            }
            let Some(Socket { socket, kind, tls }) = self.listeners.get(n) else { return };
            let (kind, tls) = (*kind, tls.clone());
            match socket.accept() {
                Ok((socket, _)) => {
                    self.accept_at_ms = None;
                    self.take_in(socket, kind, tls);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                // Interrupted, or the peer is gone already.
                Err(e) if matches!(e.kind(), Interrupted | ConnectionAborted) => {}
                Err(e) => {
                    self.pause_accepting(&e);
                    break;
                }
            }
        }
        self.accept_later(n);
    }

    /// Once a listener, however often it is asked for.
    pub(super) fn accept_later(&mut self, n: usize) {
        if !self.accept_again.contains(&n) {
            self.accept_again.push(n);
        }
    }

    /// Whether as many connections as may be have not sent their CONNECT: who comes waits.
    pub(super) fn notice_crowd(&mut self) -> bool {
        if self.shard.openings() < self.openings_max {
            return false;
        }
        self.shard.count_crowd();
        let now_ms = self.clock.mono_ms();
        if now_ms >= self.crowd_told_ms {
            self.crowd_told_ms = now_ms + CROWD_LINE_EVERY_MS;
            let max = self.openings_max;
            tracing::warn!(max, "connections before CONNECT are at their bound; newcomers wait");
        }
        true
    }

    /// No descriptor or memory is left: who waits at the door waits until somebody has gone.
    fn pause_accepting(&mut self, error: &io::Error) {
        if self.accept_at_ms.is_none() {
            tracing::warn!(%error, "connections cannot be accepted; raise the limit of open files");
        }
        self.accept_at_ms = Some(self.clock.mono_ms() + ACCEPT_PAUSE_MS);
    }

    fn take_in(
        &mut self,
        socket: mio::net::TcpStream,
        kind: node::auth::Listener,
        tls: Option<Arc<ServerConfig>>,
    ) {
        let id = self.shard.accept(kind, None);
        let mut connection = Connection::new(id, kind, socket, self.shard.unread().hold());
        if let Some(config) = tls {
            match ServerConnection::new(config) {
                Ok(mut tls) => {
                    tls.set_buffer_limit(Some(TLS_BUFFER_BYTES));
                    connection.tls = Some(Box::new(tls));
                }
                Err(error) => {
                    tracing::error!(%error, "TLS cannot start");
                    return self.shard.lost(id);
                }
            }
        }
        self.register(id, connection);
    }

    pub(super) fn register(&mut self, id: LinkId, mut connection: Connection) {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self.poll.registry().register(&mut connection.socket, token(id), interest) {
            Ok(()) => self.connections.put(id, connection),
            Err(error) => {
                tracing::error!(%error, "a connection cannot be polled");
                self.shard.lost(id);
            }
        }
    }

    pub(super) fn adopt(&mut self, m: Moved) {
        let id = self.shard.adopt(m.listener, &m.adoption);
        let mut connection = Connection::new(id, m.listener, m.socket, self.shard.unread().hold());
        connection.tls = m.tls;
        connection.websocket = m.websocket;
        connection.identified = true;
        connection.unread = m.unread;
        connection.count_unread();
        connection.readable = true;
        self.register(id, connection);
    }
}

/// A storm of connections must not keep the others waiting.
const ACCEPTS_PER_TURN: usize = 64;
pub(super) const ACCEPT_PAUSE_MS: u64 = 100;
const CROWD_LINE_EVERY_MS: u64 = 10_000;
