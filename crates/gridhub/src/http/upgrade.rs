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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    fn request(upgrade: &str) -> Request<()> {
        let request = Request::builder().uri("/mqtt");
        let request = if upgrade.is_empty() { request } else { request.header(UPGRADE, upgrade) };
        request.body(()).unwrap()
    }

    /// How long ago a wish began.
    fn age(wish: Option<Wish>) -> Option<u64> {
        wish.map(|wish| wish.since.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_request_began_with_the_connection_and_later_ones_by_themselves() {
        let switch = Switch::new(Instant::now());
        advance(Duration::from_secs(7)).await;
        assert_eq!(age(switch.wish(&mut request("websocket"))), Some(7));
        let kept = Switch::new(Instant::now());
        assert_eq!(age(kept.wish(&mut request(""))), None);
        advance(Duration::from_secs(50)).await;
        assert_eq!(age(kept.wish(&mut request("websocket"))), Some(0));
    }

    #[tokio::test]
    async fn a_wish_that_was_not_granted_is_forgotten() {
        let switch = Switch::new(Instant::now());
        let wish = switch.wish(&mut request("websocket"));
        switch.answered(wish, StatusCode::BAD_REQUEST);
        assert!(switch.upgraded().await.is_none());
    }
}
