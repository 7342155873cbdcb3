//! What a shard wants done outside: its effects, its output to sockets, connections that close.
//! Refuses to know when a turn begins and ends.

use super::{Asked, Parcel, World};
use crate::socket::{ClientEnd, Place};
use node::LinkId;
use node::effect::Effect;

impl World {
    pub(super) fn perform(&mut self, n: usize, moved: Option<usize>, effect: Effect) {
        match effect {
            Effect::Authenticate(link, request) => {
                if let Some(&socket) = self.seats.get(&(n, link.slot)) {
                    self.asked.push(Asked { reactor: n, link, socket, request });
                }
            }
            Effect::Close(id, _) => {
                let seat = self.seats.get(&(n, id.slot)).copied();
                match seat.filter(|s| self.sockets[*s].is_at(n, id)) {
                    Some(socket) => {
                        let until = self.now.mono_ms + CLOSING_MS;
                        self.sockets[socket].place = Place::Closing(n, id, until);
                        self.close(socket, n, id);
                    }
                    None => self.server.shards[n].forget(id),
                }
            }
            Effect::Move(_, home, adoption) => {
                if let Some(socket) = moved {
                    self.inboxes[home].push(Parcel::Adopt(socket, adoption));
                }
            }
            Effect::Resume(id) => {
                let seat = self.seats.get(&(n, id.slot)).copied();
                let seat = seat.filter(|s| self.sockets[*s].place == Place::At(n, id));
                if let Some(socket) = seat
                    && !self.sockets[socket].unread.is_empty()
                {
                    let bytes = std::mem::take(&mut self.sockets[socket].unread);
                    self.decode(socket, n, id, &bytes);
                }
            }
            Effect::Read(job) => match self.keeping.log() {
                Some(log) => log.ask(n, job),
                None => unreachable!("nothing is in a log"),
            },
            Effect::Notice(_) => {}
        }
    }

    /// Writes what the socket takes; false if it turns out to be broken.
    pub(super) fn flush(&mut self, socket: usize, n: usize, id: LinkId) -> bool {
        loop {
            let waiting = self.server.shards[n].output(id.slot);
            let s = &mut self.sockets[socket];
            match s.client_end {
                _ if waiting.is_empty() => return true,
                ClientEnd::Broken => return false,
                // Whatever a client that has closed would still get is nobody's.
                ClientEnd::Closed => s.to_client.clear(),
                ClientEnd::Open | ClientEnd::Silent => {}
            }
            let room = self.swarm.pipe_bytes.saturating_sub(s.to_client.len());
            let (all, count) = (waiting.len(), room.min(waiting.len()));
            s.to_client.extend(&waiting[..count]);
            s.tapped -= count;
            if count > 0 {
                self.ledger.begin_call();
                self.server.shards[n].taken(id.slot, count);
                self.observe(n);
            }
            if count < all {
                return true;
            }
        }
    }

    /// Writes the last bytes; then the server's end is over.
    pub(super) fn close(&mut self, socket: usize, n: usize, id: LinkId) {
        let broken = !self.flush(socket, n, id);
        if broken || self.server.shards[n].output(id.slot).is_empty() {
            self.seats.remove(&(n, id.slot));
            self.sockets[socket].drop_place();
            self.server.shards[n].forget(id);
        }
    }

    pub(super) fn end_closing(&mut self, n: usize) {
        for socket in 0..self.sockets.len() {
            let Place::Closing(reactor, id, until_ms) = self.sockets[socket].place else {
                continue;
            };
            if reactor != n {
                continue;
            }
            self.close(socket, n, id);
            if self.sockets[socket].place != Place::Gone && until_ms <= self.now.mono_ms {
                self.seats.remove(&(n, id.slot));
                self.sockets[socket].drop_place();
                self.server.shards[n].forget(id);
            }
        }
    }
}

/// How long a peer may take to read what was said last.
const CLOSING_MS: u64 = 2_000;
