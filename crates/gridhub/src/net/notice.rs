//! Notices of the shard as log lines: every refusal says why.

use broker::budget::Level;
use node::effect::Notice;

/// Writes one line.
pub(super) fn log(notice: &Notice) {
    match notice {
        Notice::Connected { client, name } => {
            tracing::debug!(client, name = &**name, "connected");
        }
        Notice::Disconnected { client, why } => {
            tracing::debug!(client, why, "disconnected");
        }
        Notice::Refused { client, reason, rule, why } => {
            let code = format!("0x{:02x}", reason.code());
            tracing::warn!(client, reason = code, rule, why, "refused");
        }
        Notice::Unreadable { client, why } => {
            tracing::error!(client, why, "messages of a session cannot be read");
        }
        Notice::Stalled { client, why } => {
            tracing::warn!(client, why, "the session does not keep up and loses messages");
        }
        Notice::Recovered { client, lost, seconds } => {
            tracing::info!(client, lost, seconds, "the session keeps up again");
        }
        Notice::PostFull { reactor, left_out } => {
            tracing::warn!(reactor, left_out, "the post to a reactor is full");
        }
        Notice::PostFree { reactor } => {
            tracing::info!(reactor, "the post to a reactor takes messages again");
        }
        Notice::Pressure { before, level, bytes, bytes_max } => {
            pressure((*before, *level), *bytes, *bytes_max)
        }
        Notice::TurnedAway { client, reason, rule, why, left_out } => {
            let code = format!("0x{:02x}", reason.code());
            tracing::warn!(client, reason = code, rule, why, left_out, "turned away");
        }
        Notice::Suppressed(count) => {
            tracing::warn!(count, "more notices in this turn were left out");
        }
    }
}

fn pressure((before, level): (Level, Level), bytes: usize, bytes_max: usize) {
    let now = level.name();
    match level {
        Level::Normal => tracing::info!(bytes, bytes_max, "memory for data: room again"),
        Level::High if before == Level::Full => {
            tracing::info!(bytes, bytes_max, level = now, "memory for data: not full any more");
        }
        Level::High => tracing::warn!(
            bytes,
            bytes_max,
            level = now,
            "memory for data is nearly full: QoS 0 is dropped, new clients are refused"
        ),
        Level::Full => tracing::warn!(
            bytes,
            bytes_max,
            level = now,
            "memory for data is full: what would have to be kept is refused"
        ),
    }
}
