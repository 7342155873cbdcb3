//! One connection's bytes, in and out, without blocking: TCP, TLS, or WebSocket over TLS. Refuses
//! to know MQTT.

use super::websocket::WebSocket;
use mio::net::TcpStream;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// What carries a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Plain.
    Tcp,
    /// TLS 1.3 or 1.2, as the server likes.
    Tls,
    /// WebSocket over TLS, on the HTTPS listener.
    WebSocket,
}

/// Where the server listens for each.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// Plain MQTT.
    pub tcp: u16,
    /// MQTT over TLS.
    pub tls: u16,
    /// HTTPS.
    pub https: u16,
}

/// An open or opening connection.
pub struct Stream {
    /// Registered with the poll by the engine.
    pub socket: TcpStream,
    layer: Layer,
    /// Bytes for the socket that it did not take yet.
    unsent: Vec<u8>,
}

enum Layer {
    Tcp,
    Tls(Box<ClientConnection>),
    WebSocket(Box<ClientConnection>, Box<WebSocket>),
}

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nothing more for now.
    Nothing,
    /// The peer has closed.
    Closed,
}

/// How far to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// To the first short read: whatever comes later is told by a later readiness.
    Short,
    /// To the close that the readiness told with it.
    Close,
}

impl Stream {
    /// Begins to connect, from the loopback address `127.0.0.(2 + source)`, so that there are
    /// ports for any number of connections.
    ///
    /// # Errors
    /// When no descriptor or port is left.
    pub fn open(
        transport: Transport,
        ports: Ports,
        source: u8,
        tls: &Arc<ClientConfig>,
    ) -> Result<Self> {
        let port = match transport {
            Transport::Tcp => ports.tcp,
            Transport::Tls => ports.tls,
            Transport::WebSocket => ports.https,
        };
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        let from = Ipv4Addr::new(127, 0, 0, source.saturating_add(2));
        socket.bind(&SocketAddr::new(IpAddr::V4(from), 0).into())?;
        match socket.connect(&SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port).into()) {
            Err(e) if e.raw_os_error() != Some(IN_PROGRESS) => return Err(e),
            _ => {}
        }
        let layer = match transport {
            Transport::Tcp => Layer::Tcp,
            Transport::Tls => Layer::Tls(session(tls)?),
            Transport::WebSocket => {
                let mut tls = session(tls)?;
                tls.writer().write_all(&WebSocket::request("localhost", KEY))?;
                Layer::WebSocket(tls, Box::default())
            }
        };
        Ok(Self { socket: TcpStream::from_std(socket.into()), layer, unsent: Vec::new() })
    }

    /// Reads until the socket has no more and appends what is for MQTT to `into`.
    ///
    /// # Errors
    /// When the connection broke.
    pub fn read(&mut self, scratch: &mut [u8], until: Until, into: &mut Vec<u8>) -> Result<Rest> {
        loop {
            let count = match self.socket.read(scratch) {
                Ok(0) => return Ok(Rest::Closed),
                Ok(count) => count,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(Rest::Nothing),
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            match &mut self.layer {
                Layer::Tcp => into.extend_from_slice(&scratch[..count]),
                Layer::Tls(tls) => decrypt(tls, &scratch[..count], into)?,
                Layer::WebSocket(tls, ws) => {
                    let mut plain = Vec::new();
                    decrypt(tls, &scratch[..count], &mut plain)?;
                    ws.take(&plain, KEY, into)?;
                }
            }
            if until == Until::Short && count < scratch.len() {
                return Ok(Rest::Nothing);
            }
        }
    }

    /// Writes as much of `output` as the socket takes and removes it.
    ///
    /// # Errors
    /// When the connection broke.
    pub fn write(&mut self, output: &mut Vec<u8>) -> Result<()> {
        if let Layer::Tcp = &self.layer {
            return push(&mut self.socket, output);
        }
        loop {
            push(&mut self.socket, &mut self.unsent)?;
            if !self.unsent.is_empty() {
                return Ok(());
            }
            let tls = match &mut self.layer {
                Layer::Tcp => return Ok(()),
                Layer::Tls(tls) => {
                    if !tls.is_handshaking() {
                        let taken = tls.writer().write(output)?;
                        output.drain(..taken);
                    }
                    tls
                }
                Layer::WebSocket(tls, ws) => {
                    let replies = std::mem::take(&mut ws.replies);
                    tls.writer().write_all(&replies)?;
                    if ws.is_upgraded() && !output.is_empty() {
                        let some = output.len().min(FRAME_BYTES_MAX);
                        let mut frame = Vec::with_capacity(some + 14);
                        WebSocket::frame(&output[..some], &mut frame);
                        tls.writer().write_all(&frame)?;
                        output.drain(..some);
                    }
                    tls
                }
            };
            while tls.wants_write() {
                tls.write_tls(&mut self.unsent)?;
            }
            if self.unsent.is_empty() {
                return Ok(());
            }
        }
    }

    /// Closes so that the peer sees a reset and the port is free at once: a lost connection.
    pub fn reset(self) {
        // Without the option it is an ordinary close, which loses the connection as well.
        let _ = SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
    }
}

fn session(tls: &Arc<ClientConfig>) -> Result<Box<ClientConnection>> {
    let name = ServerName::try_from("localhost").map_err(Error::other)?;
    let mut session = ClientConnection::new(Arc::clone(tls), name).map_err(Error::other)?;
    session.set_buffer_limit(None);
    Ok(Box::new(session))
}

fn decrypt(tls: &mut ClientConnection, mut wire: &[u8], into: &mut Vec<u8>) -> Result<()> {
    while !wire.is_empty() {
        if tls.read_tls(&mut wire)? == 0 {
            break;
        }
        let state = tls.process_new_packets().map_err(Error::other)?;
        let (from, more) = (into.len(), state.plaintext_bytes_to_read());
        into.resize(from + more, 0);
        tls.reader().read_exact(&mut into[from..])?;
    }
    Ok(())
}

fn push(socket: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<()> {
    let mut at = 0;
    while at < bytes.len() {
        match socket.write(&bytes[at..]) {
            Ok(count) => at += count,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => break,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    if at == bytes.len() {
        bytes.clear();
    } else {
        bytes.drain(..at);
    }
    Ok(())
}

/// EINPROGRESS.
const IN_PROGRESS: i32 = 115;
/// The nonce guards against caches, of which a loopback has none.
const KEY: [u8; 16] = *b"gridhub load key";
/// Small enough that a large packet spans frames, as it may (MQTT 5, 6.0.0-3).
const FRAME_BYTES_MAX: usize = 16 * 1024;
