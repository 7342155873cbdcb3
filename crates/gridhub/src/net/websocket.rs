//! WebSockets on a reactor: taken in from HTTP, their own end seen, their Close said. Frames are
//! `mqtt::websocket`'s; what ends a session is the shard's.

use crate::http::websocket::Upgraded;
use crate::net::connection::Connection;
use crate::net::reactor::{Reactor, TLS_BUFFER_BYTES};
use mqtt::websocket::{Code, End, Framing};
use node::LinkId;
use node::auth::Listener;
use node::effect::Linger;

impl Reactor {
    /// A connection whose WebSocket handshake is done: with bytes that were read too early, and
    /// perhaps more inside TLS that no poll will tell of.
    pub(super) fn take_in_websocket(&mut self, upgraded: Upgraded) {
        let Upgraded { socket, mut tls, early, waited } = upgraded;
        let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        let began_ms = self.clock.mono_ms().saturating_sub(waited_ms);
        let id = self.shard.accept_since(Listener::Tls, None, began_ms);
        let socket = mio::net::TcpStream::from_std(socket);
        let mut connection = Connection::new(id, Listener::Tls, socket, self.shard.unread().hold());
        tls.set_buffer_limit(Some(TLS_BUFFER_BYTES));
        let (mut framing, mut early) = (Framing::new(), early.to_vec());
        let mqtt_bytes = framing.decode(&mut early);
        early.truncate(mqtt_bytes);
        self.shard.count_input(mqtt_bytes);
        connection.tls = Some(tls);
        connection.websocket = Some(Box::new(framing));
        connection.unread = early;
        connection.count_unread();
        connection.readable = true;
        self.register(id, connection);
        if self.stop_at_ms.is_some() {
            return self.close(id, Linger::No);
        }
        self.resume(id);
    }

    /// What a WebSocket's frames ask for beside MQTT: an answer written, or the connection's end.
    pub(super) fn look_at_frames(&mut self, id: LinkId) {
        let Some(c) = self.connections.get(id) else { return };
        let Some(framing) = &c.websocket else { return };
        let (end, answers) = (framing.end(), framing.is_waiting());
        if answers {
            self.dirty.push(id.slot);
        }
        // Not before the packets in front of it were heard: they may wait for an authentication.
        if !self.shard.wants_input(id) {
            return;
        }
        match end {
            Some(End::Closed) => self.shard.hung_up(id),
            Some(End::Wrong(wrong)) => self.shard.refuse(id, wrong),
            None => {}
        }
    }

    /// What our Close says of a connection that ends. What its frames decided already stays.
    pub(super) fn close_code(&self, id: LinkId) -> Code {
        if self.stop_at_ms.is_some() {
            Code::GoingAway
        } else if self.shard.broke_protocol(id) {
            Code::ProtocolError
        } else {
            Code::Normal
        }
    }
}
