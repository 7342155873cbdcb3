//! The ports that some clients have built in: one test at a time has them, and none where somebody
//! else does.
use std::net::TcpListener;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The right to listen there, until it is dropped; a server on them has to be dropped before.
pub struct StandardPorts(#[allow(dead_code, reason = "held, not read")] MutexGuard<'static, ()>);

impl StandardPorts {
    /// Waits for other tests; `None`, said by the test's name, where one of them cannot be bound.
    pub fn take(ports: &[u16]) -> Option<Self> {
        // A test that failed with them has ended its server.
        let guard = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        for port in ports {
            if let Err(why) = TcpListener::bind(("127.0.0.1", *port)) {
                let test = std::thread::current().name().unwrap_or("a test").to_string();
                eprintln!("SKIPPED {test}: port {port} cannot be bound: {why}");
                return None;
            }
        }
        Some(Self(guard))
    }
}

static TAKEN: Mutex<()> = Mutex::new(());
