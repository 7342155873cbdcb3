//! A reactor's post: a list under a lock that is held for a push or a swap, and one wake-up if
//! the reactor sleeps.

use crate::http::websocket::Upgraded;
use mio::Waker;
use mqtt::websocket::Framing;
use node::effect::Adoption;
use node::post::Post;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What other threads put, and a reactor takes.
pub struct Inbox {
    parcels: Mutex<Vec<Parcel>>,
    /// Bytes of publishes that wait here.
    bytes: AtomicUsize,
    asleep: AtomicBool,
    waker: Waker,
}

/// One thing to do.
pub enum Parcel {
    /// For the shard.
    Post(Post),
    /// A connection that comes home.
    Adopt(Box<Moved>),
    /// A connection that HTTP made a WebSocket.
    TakeIn(Box<Upgraded>),
    /// Look at the clock.
    Wake,
    /// End every connection, then the reactor.
    Stop,
}

/// A connection on its way between reactors.
pub struct Moved {
    pub socket: mio::net::TcpStream,
    pub tls: Option<Box<rustls::ServerConnection>>,
    pub websocket: Option<Box<Framing>>,
    pub unread: Vec<u8>,
    pub listener: node::auth::Listener,
    pub adoption: Adoption,
}

impl Inbox {
    /// An empty post for the reactor that polls `waker`.
    pub fn new(waker: Waker) -> Self {
        Self {
            parcels: Mutex::new(Vec::new()),
            bytes: AtomicUsize::new(0),
            asleep: AtomicBool::new(false),
            waker,
        }
    }

    /// Puts a parcel.
    pub fn send(&self, parcel: Parcel) {
        let bytes = match &parcel {
            Parcel::Post(Post::Publishes(batch)) => batch.bytes(),
            _ => 0,
        };
        let mut parcels = self.parcels.lock().unwrap_or_else(PoisonError::into_inner);
        // Counted under the lock, so that `take` forgets exactly what it takes.
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        parcels.push(parcel);
        drop(parcels);
        // Sequentially consistent with `about_to_sleep`: one of the two sees the other.
        if self.asleep.swap(false, Ordering::SeqCst) {
            // An eventfd write fails only when the counter is full: then it is awake anyway.
            let _ = self.waker.wake();
        }
    }

    /// Takes everything; `into` must be empty.
    pub fn take(&self, into: &mut Vec<Parcel>) {
        let mut parcels = self.parcels.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *parcels, into);
        self.bytes.store(0, Ordering::Relaxed);
    }

    /// Whether bytes of publishes above `max` wait.
    pub fn is_full(&self, max: usize) -> bool {
        self.bytes.load(Ordering::Relaxed) > max
    }

    /// The reactor says that it will sleep; false if something came meanwhile.
    pub fn about_to_sleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        let empty = self.parcels.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        if !empty {
            self.awake();
        }
        empty
    }

    /// The reactor is up again.
    pub fn awake(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }
}
