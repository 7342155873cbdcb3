//! Sockets, TLS and HTTP for one listener. Owns the bounds of a connection: how many, how long a
//! handshake, a head and an idle time may take, and how they end: also by becoming a WebSocket.
//! Refuses to know paths.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use node::auth::Certificate;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::app::{App, Settings};
use super::backend::Backend;
use super::service::Service;
use super::upgrade::Switch;

/// Serves `listener` until `shutdown` is done, then lets answers under way finish for
/// `drain_time`. Several listeners may serve one `app`.
///
/// `tls` should offer ALPN `h2` and `http/1.1`; without ALPN a client speaks HTTP/1.1.
pub async fn serve<B: Backend>(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    app: App<B>,
    shutdown: impl Future<Output = ()>,
) {
    let drain_time = app.settings.drain_time;
    let (stop, stopped) = watch::channel(Running::Serving);
    let mut connections = JoinSet::new();
    let accepting = accept_all(listener, tls, app, &mut connections, &stopped);
    tokio::select! {
        () = shutdown => {}
        () = accepting => {}
    }
    stop.send_replace(Running::Stopping);
    let drained = timeout(drain_time, async { while connections.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::warn!(left = connections.len(), "http connections cut off at shutdown");
        connections.shutdown().await;
    }
}

/// Whether connections should go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    Serving,
    /// Finish the answers under way, then close.
    Stopping,
}

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    pub address: SocketAddr,
    pub protocol: Protocol,
    /// When it was accepted.
    pub since: Instant,
    /// What it has shown in the TLS handshake.
    pub certificate: Option<Certificate>,
}

/// The protocol that ALPN chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

/// Accepts until it is dropped.
async fn accept_all<B: Backend>(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    app: App<B>,
    connections: &mut JoinSet<()>,
    stopped: &watch::Receiver<Running>,
) {
    let acceptor = TlsAcceptor::from(tls);
    let slots = Arc::new(Semaphore::new(app.settings.connections_max));
    let service = Arc::new(Service::new(app));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                pause_after(&error).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        service.app().counters.connected();
        let (acceptor, service, stopped) =
            (acceptor.clone(), Arc::clone(&service), stopped.clone());
        connections.spawn(secure(stream, acceptor, service, stopped, slot));
    }
}

/// A connection that broke before it was accepted is its own trouble; without file descriptors a
/// new attempt at once would only spin.
async fn pause_after(error: &io::Error) {
    let of_the_peer = [
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::Interrupted,
    ];
    if !of_the_peer.contains(&error.kind()) {
        tracing::warn!(%error, "http accept failed");
        sleep(ACCEPT_PAUSE).await;
    }
}

/// TLS, then HTTP. The slot is free again when this ends.
async fn secure<B: Backend>(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    service: Arc<Service<B>>,
    mut stopped: watch::Receiver<Running>,
    _slot: OwnedSemaphorePermit,
) {
    // Answers are small and complete: waiting to fill a segment only delays them. A socket that
    // refuses is about to fail anyway.
    let _ = stream.set_nodelay(true);
    // Without an address it is gone already.
    let (since, Ok(address)) = (Instant::now(), stream.peer_addr()) else { return };
    let handshake = timeout(service.app().settings.handshake_time, acceptor.accept(stream));
    let stream = tokio::select! {
        done = handshake => match done {
            Ok(Ok(stream)) => stream,
            Ok(Err(_)) | Err(_) => return service.app().counters.handshake_failed(),
        },
        _ = stopped.wait_for(|running| *running == Running::Stopping) => return,
    };
    let tls = stream.get_ref().1;
    let protocol = match tls.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        _ => Protocol::Http1,
    };
    let trust = service.app().settings.trust.as_ref();
    let certificate = trust.and_then(|trust| trust.certificate(tls.peer_certificates()?));
    let peer = Peer { address, protocol, since, certificate };
    connection(stream, peer, service, stopped).await;
}

/// One connection, whatever carries it, until it ends, idles too long or is told to stop.
pub async fn connection<B, IO>(
    io: IO,
    peer: Peer,
    service: Arc<Service<B>>,
    stopped: watch::Receiver<Running>,
) where
    B: Backend,
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match peer.protocol {
        Protocol::Http1 => http1_connection(io, peer, service, stopped).await,
        Protocol::Http2 => http2_connection(io, peer, service, stopped).await,
    }
}

async fn http1_connection<B, IO>(
    io: IO,
    peer: Peer,
    service: Arc<Service<B>>,
    mut stopped: watch::Receiver<Running>,
) where
    B: Backend,
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let builder = http1_builder(&service.app().settings);
    let switch = Switch::new(peer.since);
    let answer = service_fn(|mut request| {
        let (service, switch) = (Arc::clone(&service), &switch);
        let (wish, peer) = (switch.wish(&mut request), &peer);
        async move {
            let response = service.answer(request, peer).await;
            switch.answered(wish, response.status());
            Ok::<_, Infallible>(response)
        }
    });
    let serving = builder.serve_connection(TokioIo::new(io), answer);
    let mut connection = pin!(serving.with_upgrades());
    let ended = tokio::select! {
        ended = &mut connection => Some(ended),
        _ = stopped.wait_for(|running| *running == Running::Stopping) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    let app = service.app();
    // How else a connection ended is the peer's business.
    if let Err(why) = ended
        && why.is_parse()
    {
        app.counters.unreadable();
        app.refusals.unreadable(peer.address, &why);
    }
    if let Some(upgraded) = switch.upgraded().await {
        app.backend.take_in(upgraded);
    }
}

async fn http2_connection<B, IO>(
    io: IO,
    peer: Peer,
    service: Arc<Service<B>>,
    mut stopped: watch::Receiver<Running>,
) where
    B: Backend,
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (activity, peer) = (Arc::new(Activity::default()), Arc::new(peer));
    let idle_time = service.app().settings.head_time;
    let builder = http2_builder();
    let answer = service_fn({
        let activity = Arc::clone(&activity);
        move |request| {
            let (service, busy) = (Arc::clone(&service), Busy::new(&activity));
            let peer = Arc::clone(&peer);
            async move {
                let response = service.answer(request, &peer).await;
                drop(busy);
                Ok::<_, Infallible>(response)
            }
        }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(io), answer));
    tokio::select! {
        _ = &mut connection => return,
        () = activity.idle(idle_time) => {}
        _ = stopped.wait_for(|running| *running == Running::Stopping) => {}
    }
    connection.as_mut().graceful_shutdown();
    // A peer that does not read its GOAWAY is not waited for.
    let _ = timeout(idle_time, connection).await;
}

/// No `pipeline_flush`: it holds answers back while the bytes of a next request are there, whole or
/// not, also the answer to a broken one.
///
/// `head_time` is also how long a kept connection may idle: hyper knows only one of them.
fn http1_builder(settings: &Settings) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(settings.head_time)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BUFFER_BYTES);
    builder
}

fn http2_builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(HEADER_LIST_BYTES)
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_ANSWER);
    builder
}

/// How busy an HTTP/2 connection is. hyper keeps an idle one for ever, even one that never sent
/// its preface.
#[derive(Debug, Default)]
struct Activity {
    started: AtomicU64,
    ended: AtomicU64,
}

impl Activity {
    /// Ends when nothing was asked and nothing was under way between two looks.
    async fn idle(&self, look_every: Duration) {
        let mut looks = interval(look_every);
        looks.tick().await;
        let mut before = self.started.load(Ordering::Relaxed);
        loop {
            looks.tick().await;
            let started = self.started.load(Ordering::Relaxed);
            if started == before && started == self.ended.load(Ordering::Relaxed) {
                return;
            }
            before = started;
        }
    }
}

/// One request under way; ends also when its future is dropped.
struct Busy(Arc<Activity>);

impl Busy {
    fn new(activity: &Arc<Activity>) -> Self {
        activity.started.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(activity))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

// What hyper still answers by itself, without a body and an id, because it cannot be asked not to:
// 400 for what is no HTTP/1.1, 414 above 65,534 bytes, 431 beyond the three bounds below.
// `Refusals` tells all of them but HTTP/2's own (431, or a stream reset), of which we do not hear.

/// More than `http_header_bytes_max` (48 KiB), a request line of 64 KiB included, so that what is
/// a little too large still gets our 431. Beyond it hyper answers 431 without a body.
const HEAD_BUFFER_BYTES: usize = 160 * 1024;
/// The same for HTTP/2, where each field counts 32 bytes more (RFC 9113, 6.5.2).
const HEADER_LIST_BYTES: u32 = 160 * 1024;
/// More than `service` takes, so that a few too many get our 431. Beyond it hyper answers as above;
/// it sets room aside for as many with every request.
const HEADERS_MAX: usize = 400;
const STREAMS_MAX: u32 = 128;
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_ANSWER: Duration = Duration::from_secs(20);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
