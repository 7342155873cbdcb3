//! Notices of the shard as log lines: every refusal says why.

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
        Notice::Suppressed(count) => {
            tracing::warn!(count, "more notices in this turn were left out");
        }
    }
}
