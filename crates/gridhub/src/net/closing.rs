//! The end of a connection: what waits is written, and the peer gets the time to read it.

use crate::net::connection::State;
use crate::net::reactor::Reactor;
use node::LinkId;
use node::effect::Linger;
use std::io::{self, ErrorKind};

impl Reactor {
    /// Writes what waits, then ends the connection as `linger` says.
    pub(super) fn close(&mut self, id: LinkId, linger: Linger) {
        let code = self.close_code(id);
        let Some(c) = self.connections.get(id) else { return self.shard.forget(id) };
        if let Some(framing) = c.websocket.as_mut() {
            framing.close(code);
        }
        if !c.flush(&mut self.shard) {
            return self.drop_connection(id);
        }
        let Some(c) = self.connections.get(id) else { return };
        if c.is_waiting(&self.shard) {
            c.state = State::Closing(linger);
            self.draining.push((self.clock.mono_ms() + CLOSING_MS, id));
            return;
        }
        c.end_writing();
        match linger {
            Linger::No => self.drop_connection(id),
            Linger::UntilRead => {
                // Closing with unread bytes would reset the connection and lose what we said.
                c.state = State::Draining;
                self.draining.push((self.clock.mono_ms() + DRAINING_MS, id));
                self.drain(id);
            }
        }
    }

    /// Throws away what a closing connection still says.
    pub(super) fn drain(&mut self, id: LinkId) {
        let Some(c) = self.connections.get(id) else { return };
        if c.state != State::Draining {
            return;
        }
        for _ in 0..DRAIN_READS {
            match io::Read::read(&mut c.socket, &mut self.buffer) {
                Ok(0) => return self.drop_connection(id),
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.drop_connection(id),
            }
        }
        self.drop_connection(id);
    }

    pub(super) fn end_draining(&mut self, now_ms: u64) {
        if self.draining.is_empty() {
            return;
        }
        let due: Vec<LinkId> =
            self.draining.iter().filter(|(at, _)| *at <= now_ms).map(|(_, id)| *id).collect();
        self.draining.retain(|(at, _)| *at > now_ms);
        for id in due {
            self.drop_connection(id);
        }
    }

    pub(super) fn lost(&mut self, id: LinkId) {
        self.connections.take(id);
        self.shard.lost(id);
    }

    pub(super) fn drop_connection(&mut self, id: LinkId) {
        self.connections.take(id);
        self.shard.forget(id);
    }

    pub(super) fn stop(&mut self) {
        self.listeners.clear();
        self.stop_at_ms = Some(self.clock.mono_ms() + STOP_MS);
        self.shard.shut_down();
        for id in self.connections.ids() {
            if !self.shard.wants_input(id) {
                self.resume(id);
            }
        }
    }
}

const DRAIN_READS: usize = 16;
/// How long a peer may take to read what we said last.
const CLOSING_MS: u64 = 2_000;
/// How long we wait for a peer to close after our goodbye.
const DRAINING_MS: u64 = 1_000;
/// A planned stop ends within this, whatever the peers do.
const STOP_MS: u64 = 3_000;
