//! An HTTP/1.1 connection that becomes a WebSocket: noticed when 101 is answered, taken apart when
//! hyper lets go of it. Refuses to know what makes a handshake right.

use std::any::type_name;
use std::mem::take;
use std::sync::{Mutex, PoisonError};

use hyper::header::UPGRADE;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;

use super::websocket::Upgraded;

/// One connection's wish to become something else.
pub struct Switch(Mutex<State>);

struct State {
    /// When the next request began: the first one with the connection itself.
    since: Option<Instant>,
    granted: Option<Wish>,
}

/// A request that asks for an upgrade.
pub struct Wish {
    upgrade: OnUpgrade,
    since: Instant,
}

impl Switch {
    /// For a connection accepted at `since`.
    pub fn new(since: Instant) -> Self {
        Switch(Mutex::new(State { since: Some(since), granted: None }))
    }

    /// Whether this request wishes to upgrade. Call it for every one.
    pub fn wish<T>(&self, request: &mut Request<T>) -> Option<Wish> {
        let since = self.0.lock().unwrap_or_else(PoisonError::into_inner).since.take();
        if !request.headers().contains_key(UPGRADE) {
            return None;
        }
        let since = since.unwrap_or_else(Instant::now);
        Some(Wish { upgrade: hyper::upgrade::on(request), since })
    }

    /// Its answer.
    pub fn answered(&self, wish: Option<Wish>, status: StatusCode) {
        if status == StatusCode::SWITCHING_PROTOCOLS {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).granted = wish;
        }
    }

    /// The connection in parts, after hyper is done with it; none if it stayed HTTP.
    pub async fn upgraded(&self) -> Option<Upgraded> {
        let granted = take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).granted);
        let Wish { upgrade, since } = granted?;
        // An error means that the peer was gone before the answer.
        let upgraded = upgrade.await.ok()?;
        let Ok(parts) = upgraded.downcast::<TokioIo<TlsStream<TcpStream>>>() else {
            tracing::error!(wanted = type_name::<TlsStream<TcpStream>>(), "cannot be handed over");
            return None;
        };
        let (socket, tls) = parts.io.into_inner().into_inner();
        match socket.into_std() {
            Ok(socket) => Some(Upgraded {
                socket,
                tls: Box::new(tls),
                early: parts.read_buf,
                waited: since.elapsed(),
            }),
            Err(error) => {
                tracing::error!(%error, "a socket cannot be handed over");
                None
            }
        }
    }
}
