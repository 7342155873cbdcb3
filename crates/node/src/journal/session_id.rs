//! The name of a session in the log. Refuses to know where the session lives.

/// One session from its CONNECT to its end, unique for ever in a data directory: entries that
/// outlive their session, by a segment that was not cleaned yet, are never taken for another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);
