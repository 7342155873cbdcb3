//! The two clocks, taken once a turn and passed in.

/// The time of one turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Milliseconds of the monotonic clock: keep-alive and deadlines of connections.
    pub mono_ms: u64,
    /// Milliseconds since 1970 of the domain clock: expiry, will delay, tokens. Tests move it.
    pub wall_ms: u64,
}
