//! From readable sockets to the shard: one read each, undecoded bytes kept. Who is read when is the
//! queue's.

use crate::net::connection::{Got, Greeting, State};
use crate::net::queue::Said;
use crate::net::reactor::{BUFFER_BYTES, Reactor};
use node::LinkId;

impl Reactor {
    pub(super) fn ready(&mut self, id: LinkId, event: &mio::event::Event) {
        let Some(c) = self.connections.get(id) else { return };
        if event.is_writable() && c.is_waiting(&self.shard) && !c.flush(&mut self.shard) {
            return self.lost(id);
        }
        if event.is_writable()
            && let State::Closing(linger) = c.state
        {
            return self.close(id, linger);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            c.readable = true;
            c.ended |= event.is_read_closed() || event.is_error();
            if self.queue.admits(id, &mut c.work) {
                self.read(id);
            }
        }
    }

    /// Reads on those that wait, one after the other, for as long as a slice lasts.
    pub(super) fn read_on(&mut self) {
        // Most turns have nobody, and need no clock for it.
        if !self.queue.is_waiting() {
            return;
        }
        let mut slice = self.queue.slice();
        while let Some(id) = self.queue.next(&mut slice) {
            let Some(c) = self.connections.get(id) else { continue };
            c.work.dequeued();
            self.read(id);
        }
    }

    /// The connection is read on in its turn.
    pub(super) fn read_later(&mut self, id: LinkId) {
        if let Some(c) = self.connections.get(id) {
            self.queue.push(id, &mut c.work);
        }
    }

    /// Reads once and lets the shard use it.
    fn read(&mut self, id: LinkId) {
        let Some(c) = self.connections.get(id) else { return };
        if c.state != State::Open {
            return self.drain(id);
        }
        if !self.shard.wants_input(id) {
            return;
        }
        let have = c.unread.len();
        let room = self.shard.read_max(id).unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES);
        if have > BUFFER_BYTES / 2 {
            return self.read_large(id);
        }
        let end = (have + room).min(BUFFER_BYTES);
        let got = c.read(&mut self.buffer[have..end]);
        let framed = c.websocket.is_some();
        if let Some(Greeting { certificate, server_name }) = c.greeting(self.trust.as_deref()) {
            certificate.into_iter().for_each(|shown| self.shard.identify(id, shown));
            server_name.iter().for_each(|name| self.shard.called(id, name));
        }
        match got {
            Got::Bytes(0) if c.readable => self.read_later(id),
            Got::Bytes(0) => {}
            Got::Bytes(n) => {
                self.shard.count_input(n);
                self.buffer[..have].copy_from_slice(&c.unread);
                self.queue.count(&mut c.work, n, said(&self.buffer[..have + n]));
                let used = self.shard.input(id, &self.buffer[..have + n]);
                c.unread.clear();
                if used < have + n {
                    c.unread.extend_from_slice(&self.buffer[used..have + n]);
                } else if have > 0 {
                    // An idle connection owns no buffer.
                    c.unread = Vec::new();
                }
                c.count_unread();
                if c.readable {
                    self.read_later(id);
                }
            }
            Got::Nothing if c.readable => self.read_later(id),
            Got::Nothing => {}
            Got::End => return self.lost(id),
        }
        if framed {
            self.look_at_frames(id);
        }
    }

    /// A packet larger than the shared buffer grows in the connection's own.
    pub(super) fn read_large(&mut self, id: LinkId) {
        let Some(c) = self.connections.get(id) else { return };
        match c.read(&mut self.buffer) {
            Got::Bytes(n) => {
                self.queue.count(&mut c.work, n, Said::More);
                self.shard.count_input(n);
                c.unread.extend_from_slice(&self.buffer[..n]);
                let bytes = std::mem::take(&mut c.unread);
                let used = self.shard.input(id, &bytes);
                let Some(c) = self.connections.get(id) else { return };
                c.unread = if used == 0 { bytes } else { bytes[used..].to_vec() };
                c.count_unread();
                if c.readable {
                    self.read_later(id);
                }
            }
            Got::Nothing if c.readable => self.read_later(id),
            Got::Nothing => {}
            Got::End => return self.lost(id),
        }
        self.look_at_frames(id);
    }

    /// Decodes what was left unread, then reads on.
    pub(super) fn resume(&mut self, id: LinkId) {
        let Some(c) = self.connections.get(id) else { return };
        if !c.unread.is_empty() {
            let bytes = std::mem::take(&mut c.unread);
            let used = self.shard.input(id, &bytes);
            let Some(c) = self.connections.get(id) else { return };
            if used < bytes.len() {
                c.unread = if used == 0 { bytes } else { bytes[used..].to_vec() };
            }
            c.count_unread();
        }
        if self.connections.get(id).is_some_and(|c| c.readable) {
            self.read_later(id);
        }
        self.look_at_frames(id);
    }
}

/// What the input is, by its first packet: to look at each would cost something for each, and
/// whoever is taken for the wrong kind waits for a slice, or does not.
#[inline]
fn said(input: &[u8]) -> Said {
    match input.first().map_or(0, |first| first >> 4) {
        PUBACK | PUBREC | PUBCOMP | PINGREQ => Said::Acknowledgements,
        _ => Said::More,
    }
}

const PUBACK: u8 = 4;
const PUBREC: u8 = 5;
const PUBCOMP: u8 = 7;
const PINGREQ: u8 = 12;

#[cfg(test)]
mod tests {
    use super::*;

    /// The first packet decides (MQTT 5, 2.1.2).
    #[test]
    fn what_makes_room_for_the_client_itself_is_an_acknowledgement() {
        for first in [0x40, 0x50, 0x70, 0xC0] {
            assert_eq!(said(&[first, 2, 0, 1, 0x30]), Said::Acknowledgements, "{first:#x}");
        }
        // PUBREL among them: it ends what the client publishes.
        for first in [0x10, 0x30, 0x32, 0x3D, 0x62, 0x82, 0xA2, 0xE0, 0xF0] {
            assert_eq!(said(&[first, 2, 0, 1, 0x40]), Said::More, "{first:#x}");
        }
        assert_eq!(said(&[]), Said::More);
    }
}
