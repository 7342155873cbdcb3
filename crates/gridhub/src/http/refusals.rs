//! The log of refused requests: a line each that says why, so many a second and then a count.
//! Refuses to know queries, headers and tokens.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::{Duration, Instant, sleep};

use super::call::Call;
use super::error::HttpError;

/// A flood of refusals must not become a flood of log lines.
#[derive(Debug, Default)]
pub struct Refusals {
    window: Mutex<Window>,
    left_out_total: AtomicU64,
}

#[derive(Debug, Default)]
struct Window {
    started: Option<Instant>,
    lines: u32,
    /// Refusals that the next summary will count.
    left_out: u64,
}

/// Which part of a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Whole,
    /// One item of a batch, counted from 0.
    Item(usize),
}

impl Refusals {
    /// Says why a request, or a part of it, was refused.
    pub fn refused(self: &Arc<Self>, call: &Call, part: Part, error: &HttpError) {
        if !self.has_room() {
            return;
        }
        let item = match part {
            Part::Whole => None,
            Part::Item(at) => Some(at),
        };
        tracing::warn!(
            method = start_of(call.method()),
            path = start_of(call.path()),
            item,
            status = error.status.as_u16(),
            code = error.code,
            why = start_of(&error.message),
            principal = call.principal(),
            request_id = call.request_id(),
            peer = %call.peer(),
            "refused"
        );
    }

    /// Says that `peer` sent what is no HTTP; hyper has answered it, and it has no id.
    pub fn unreadable(self: &Arc<Self>, peer: SocketAddr, why: &hyper::Error) {
        if self.has_room() {
            tracing::warn!(%why, %peer, "refused what is no readable request");
        }
    }

    /// Refusals without a line of their own, since the start.
    pub fn left_out_total(&self) -> u64 {
        self.left_out_total.load(Ordering::Relaxed)
    }

    /// Whether one more line fits into this second. The first that does not fit sees to it that
    /// their count is told.
    fn has_room(self: &Arc<Self>) -> bool {
        let now = Instant::now();
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.started.is_none_or(|started| now.duration_since(started) >= WINDOW) {
            window.started = Some(now);
            window.lines = 0;
        }
        if window.lines < LINES_MAX {
            window.lines += 1;
            return true;
        }
        if window.left_out == 0 {
            tokio::spawn(Arc::clone(self).summary());
        }
        window.left_out += 1;
        self.left_out_total.fetch_add(1, Ordering::Relaxed);
        false
    }

    async fn summary(self: Arc<Self>) {
        sleep(WINDOW).await;
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let count = std::mem::take(&mut window.left_out);
        drop(window);
        tracing::warn!(count, "more refusals in this second were left out");
    }
}

/// What a peer wrote can be long; its start tells enough.
fn start_of(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

const WINDOW: Duration = Duration::from_secs(1);
const LINES_MAX: u32 = 64;
const TEXT_BYTES_MAX: usize = 512;
