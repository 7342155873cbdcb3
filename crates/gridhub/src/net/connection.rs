//! One socket: read once, write what waits, TLS and WebSocket in between if there are any.

use crate::auth::tls::Trust;
use crate::net::queue::Work;
use mio::net::TcpStream;
use mqtt::websocket::{Framing, Next};
use node::auth::{Certificate, Chain, Listener};
use node::meter::Held;
use node::{LinkId, Shard};
use rustls::ServerConnection;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

/// A connection as its reactor holds it.
pub(super) struct Connection {
    pub id: LinkId,
    pub listener: Listener,
    pub socket: TcpStream,
    pub tls: Option<Box<ServerConnection>>,
    /// Frames inside TLS; what is read and written beside it are MQTT bytes.
    pub websocket: Option<Box<Framing>>,
    /// An incomplete packet, or bytes that may not be decoded yet.
    pub unread: Vec<u8>,
    /// The same for the budget.
    pub held: Held,
    pub state: State,
    /// The socket may have more to read.
    pub readable: bool,
    /// What it took of the reactor lately.
    pub work: Work,
    /// The peer has closed its side: read on to the end.
    pub ended: bool,
    /// What TLS has told was looked at.
    pub identified: bool,
}

/// What TLS has told of a client.
pub(super) struct Greeting {
    pub certificate: Option<Certificate>,
    /// What it has called this server (SNI).
    pub server_name: Option<String>,
}

/// Whether it is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Open,
    /// What waits is written, then it is closed at once or read to its end first.
    Closing(node::effect::Linger),
    /// Our side is closed; what comes is thrown away.
    Draining,
}

/// What a read brought.
pub(super) enum Got {
    /// So many bytes; none if all of them were a WebSocket's own.
    Bytes(usize),
    /// Nothing now.
    Nothing,
    /// The end, or an error.
    End,
}

impl Connection {
    pub fn new(id: LinkId, listener: Listener, socket: TcpStream, held: Held) -> Self {
        Self {
            id,
            listener,
            socket,
            tls: None,
            websocket: None,
            unread: Vec::new(),
            held,
            state: State::Open,
            readable: false,
            work: Work::default(),
            ended: false,
            identified: false,
        }
    }

    /// Reads once into `buffer`. A short read means that the socket is empty.
    pub fn read(&mut self, buffer: &mut [u8]) -> Got {
        if self.tls.is_some() {
            let got = self.read_tls(buffer);
            return match (got, &mut self.websocket) {
                (Got::Bytes(n), Some(framing)) => Got::Bytes(framing.decode(&mut buffer[..n])),
                (got, _) => got,
            };
        }
        match self.socket.read(buffer) {
            Ok(0) => Got::End,
            Ok(n) => {
                self.readable = n == buffer.len() || self.ended;
                Got::Bytes(n)
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Got::Nothing
            }
            // Tried again at once by the caller's list.
            Err(e) if e.kind() == ErrorKind::Interrupted => Got::Nothing,
            Err(_) => Got::End,
        }
    }

    fn read_tls(&mut self, buffer: &mut [u8]) -> Got {
        let Some(tls) = self.tls.as_mut() else { return Got::End };
        let mut got = 0;
        // Plaintext that was left, then one record's worth of the socket at a time.
        loop {
            match tls.reader().read(&mut buffer[got..]) {
                Ok(0) if got < buffer.len() => {
                    return if got > 0 { Got::Bytes(got) } else { Got::End };
                }
                Ok(n) => got += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return if got > 0 { Got::Bytes(got) } else { Got::End },
            }
            if got == buffer.len() {
                self.readable = true;
                return Got::Bytes(got);
            }
            match tls.read_tls(&mut self.socket) {
                Ok(0) => return if got > 0 { Got::Bytes(got) } else { Got::End },
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.readable = false;
                    return if got > 0 { Got::Bytes(got) } else { Got::Nothing };
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return if got > 0 { Got::Bytes(got) } else { Got::End },
            }
            if let Err(error) = tls.process_new_packets() {
                // The alert tells the peer what was wrong.
                let _ = tls.write_tls(&mut self.socket);
                tracing::warn!(%error, "TLS failed");
                return Got::End;
            }
            if tls.wants_write() && tls.write_tls(&mut self.socket).is_err_and(is_fatal) {
                return Got::End;
            }
        }
    }

    /// Counts what is left unread: once a read.
    #[inline]
    pub fn count_unread(&mut self) {
        self.held.set(self.unread.capacity());
    }

    /// What TLS has told of the client, once, after the handshake.
    pub fn greeting(&mut self, trust: Option<&Trust>) -> Option<Greeting> {
        let tls = self.tls.as_ref().filter(|tls| !self.identified && !tls.is_handshaking())?;
        self.identified = true;
        let server_name = tls.server_name().map(str::to_owned);
        let certificate = tls.peer_certificates().and_then(|chain| {
            let der = Arc::from(chain.first()?.as_ref());
            // Without a judge the handshake has been one.
            let chain = trust.map_or(Chain::Trusted, |trust| trust.chain(chain));
            Some(Certificate { der, chain })
        });
        Some(Greeting { certificate, server_name })
    }

    /// Writes what waits for this connection; false if the socket is broken.
    pub fn flush(&mut self, shard: &mut Shard) -> bool {
        if self.tls.is_some() {
            return self.flush_tls(shard);
        }
        loop {
            let bytes = shard.output(self.id.slot);
            if bytes.is_empty() {
                return true;
            }
            let all = bytes.len();
            match self.socket.write(bytes) {
                Ok(n) => {
                    shard.taken(self.id.slot, n);
                    // A short write means that the socket is full: the poll tells when not.
                    if n < all {
                        return true;
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return true,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }

    fn flush_tls(&mut self, shard: &mut Shard) -> bool {
        loop {
            if !self.fill_tls(shard) {
                return false;
            }
            let Some(tls) = self.tls.as_mut() else { return false };
            while tls.wants_write() {
                match tls.write_tls(&mut self.socket) {
                    Ok(_) => {}
                    Err(e) if e.kind() == ErrorKind::WouldBlock => return true,
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    Err(_) => return false,
                }
            }
            let framed = self.websocket.as_ref().is_some_and(|framing| framing.is_waiting());
            if (shard.output(self.id.slot).is_empty() && !framed) || tls.is_handshaking() {
                return true;
            }
        }
    }

    /// Gives TLS as much as its own buffer's bound allows; false if it takes nothing any more.
    fn fill_tls(&mut self, shard: &mut Shard) -> bool {
        let (slot, Some(tls)) = (self.id.slot, self.tls.as_mut()) else { return false };
        let Some(framing) = self.websocket.as_mut() else {
            let bytes = shard.output(slot);
            if bytes.is_empty() {
                return true;
            }
            let taken = tls.writer().write(bytes);
            return taken.map(|n| shard.taken(slot, n)).is_ok();
        };
        loop {
            let (bytes, ours) = match framing.next(shard.output(slot)) {
                Next::Frame(bytes) => (bytes, true),
                Next::Mqtt(bytes) => (bytes, false),
                Next::Nothing => return true,
            };
            let all = bytes.len();
            let Ok(n) = tls.writer().write(bytes) else { return false };
            framing.wrote(n);
            if !ours {
                shard.taken(slot, n);
            }
            if n < all {
                return true;
            }
        }
    }

    /// Whether bytes still wait for the socket.
    pub fn is_waiting(&self, shard: &Shard) -> bool {
        !shard.output(self.id.slot).is_empty()
            || self.tls.as_ref().is_some_and(|t| t.wants_write())
            || self.websocket.as_ref().is_some_and(|framing| framing.is_waiting())
    }

    /// Says goodbye: nothing more will be sent.
    pub fn end_writing(&mut self) {
        if let Some(tls) = self.tls.as_mut() {
            tls.send_close_notify();
            let _ = tls.write_tls(&mut self.socket);
        }
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the signature of Result::is_err_and")]
fn is_fatal(e: io::Error) -> bool {
    !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
