//! Ends that are read together. Refuses to know the others.

use store::op::Sequence;

use super::outbox::BATCH_PAUSE_MS;
use super::record::Item;
use crate::json::write_text;
use crate::{LockToken, Moment};

/// One end with its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub item: Item,
    pub at: Sequence,
    pub abandoned_at: Option<Sequence>,
    pub deliveries: u32,
}

/// Ends that are one message.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub kept: Vec<Kept>,
    pub formed_ms: u64,
    pub state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It can be read.
    Ready,
    /// Somebody reads it until then, wall milliseconds.
    Locked { token: LockToken, until_ms: u64 },
    /// What has become of it is on its way to the log.
    Settling,
}

impl Batch {
    pub fn unlock(&mut self, now_ms: u64) {
        if matches!(self.state, State::Locked { until_ms, .. } if until_ms <= now_ms) {
            self.state = State::Ready;
        }
    }

    pub fn is_locked_with(&self, wanted: LockToken) -> bool {
        matches!(self.state, State::Locked { token, .. } if token == wanted)
    }

    pub fn deadline(&self, ttl_ms: u64) -> Option<u64> {
        match self.state {
            State::Ready => Some(self.expires_ms(ttl_ms)),
            State::Locked { until_ms, .. } => Some(until_ms),
            State::Settling => None,
        }
    }

    /// When nobody can read it any more, by the last of its ends: when it was formed is not kept,
    /// and a start must not make it younger.
    pub fn expires_ms(&self, ttl_ms: u64) -> u64 {
        let last_ms = self.kept.iter().map(|kept| kept.item.report.at_ms).max();
        last_ms.unwrap_or_default().saturating_add(BATCH_PAUSE_MS).saturating_add(ttl_ms)
    }

    /// How often it was given back: as the one of its items that was most often.
    pub fn deliveries(&self) -> u32 {
        self.kept.iter().map(|kept| kept.deliveries).max().unwrap_or_default()
    }

    pub fn items(&self) -> impl Iterator<Item = Sequence> {
        self.kept.iter().map(|kept| kept.at)
    }

    /// The body: an array with an object for each end (B2).
    pub fn body(&self) -> Vec<u8> {
        let mut out = vec![b'['];
        for (n, Kept { item, .. }) in self.kept.iter().enumerate() {
            let report = &item.report;
            out.extend_from_slice(if n == 0 { b"{" } else { b",{" });
            out.extend_from_slice(b"\"originalMessageId\":");
            match &report.message_id {
                Some(id) => write_text(id, &mut out),
                None => out.extend_from_slice(b"null"),
            }
            let code = report.outcome.status_code();
            for (key, text) in [
                (",\"enqueuedTimeUtc\":", Moment::at(report.at_ms).text().as_str()),
                (",\"statusCode\":", code),
                (",\"description\":", code),
                (",\"deviceId\":", item.device.as_str()),
                (",\"deviceGenerationId\":", &item.generation.to_string()),
            ] {
                out.extend_from_slice(key.as_bytes());
                write_text(text, &mut out);
            }
            out.push(b'}');
        }
        out.push(b']');
        out
    }
}
