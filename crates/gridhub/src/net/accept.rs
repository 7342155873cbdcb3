//! Listening sockets. Every reactor polls every listener: whoever is free takes the connection.

use node::auth::Listener;
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

/// A bound listening socket and what speaks on it.
pub struct Listening {
    /// Plain or TLS.
    pub kind: Listener,
    /// The server side of TLS.
    pub tls: Option<Arc<ServerConfig>>,
    socket: TcpListener,
}

impl Listening {
    /// Binds `address`.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub fn bind(
        address: SocketAddr,
        kind: Listener,
        tls: Option<Arc<ServerConfig>>,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        // Accepted sockets inherit it: one system call a connection saved.
        socket.set_tcp_nodelay(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(Self { kind, tls, socket: socket.into() })
    }

    /// Where it listens: tells the port when any was asked for.
    ///
    /// # Errors
    /// As the system says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// One more descriptor of the same socket, for one more reactor.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn for_reactor(&self) -> io::Result<mio::net::TcpListener> {
        self.socket.try_clone().map(mio::net::TcpListener::from_std)
    }
}

const BACKLOG: i32 = 4_096;
