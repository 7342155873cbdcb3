//! Operations and their outcomes as plain data: whoever decides fills them, an engine makes them
//! facts. No futures: an operation is submitted with a ticket and its outcome is polled.

/// Names one submitted operation; the submitter chooses it and never reuses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// The position of a record in the log: starts at 1, only grows. 0 means "not in the log".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

/// A namespace in every key and record from the first day; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NamespaceId(pub u32);

/// An operation. `R` is the record as its owner shares it; to the store it is bytes.
#[derive(Debug)]
pub enum Op<R> {
    /// Append one record to the log.
    Append(Append<R>),
}

/// Appends one publish; everything else is derived from the record when the log is replayed.
#[derive(Debug)]
pub struct Append<R> {
    /// Whose record it is.
    pub namespace: NamespaceId,
    /// Wall clock milliseconds after which it need not be kept; `u64::MAX` = never.
    pub deadline_ms: u64,
    /// What is appended.
    pub record: R,
}

/// What became of an operation. Outcomes of appends come in log order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The submitter's name for it.
    pub ticket: Ticket,
    /// Where the record stands now.
    pub sequence: Sequence,
}
