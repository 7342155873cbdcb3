//! The engine behind `durability = "memory"`: order without a disk. A record is a fact as soon as
//! it has its sequence, and is forgotten with the process.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use store::op::{Op, Outcome, Sequence, Ticket};

/// The end of the log, shared by the engine handles of one process.
#[derive(Debug, Clone, Default)]
pub struct LogEnd(Arc<AtomicU64>);

/// One reactor's handle on the log.
#[derive(Debug)]
pub struct Memory {
    end: LogEnd,
    done: VecDeque<Outcome>,
}

impl Memory {
    /// A handle that appends to the log ending at `end`.
    pub fn new(end: LogEnd) -> Self {
        Self { end, done: VecDeque::new() }
    }

    /// Takes an operation; its outcome is there at the next [`poll`](Self::poll).
    pub fn submit<R>(&mut self, op: Op<R>, ticket: Ticket) {
        // Nothing is kept: the record ends here.
        let Op::Append(append) = op;
        drop(append);
        let sequence = Sequence(self.end.0.fetch_add(1, Ordering::Relaxed) + 1);
        self.done.push_back(Outcome { ticket, sequence });
    }

    /// Moves every outcome since the last call into `outcomes`, in log order.
    pub fn poll(&mut self, outcomes: &mut Vec<Outcome>) {
        outcomes.extend(self.done.drain(..));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::op::{Append, NamespaceId};

    #[test]
    fn outcomes_come_in_order_and_sequences_are_shared() {
        let end = LogEnd::default();
        let (mut a, mut b) = (Memory::new(end.clone()), Memory::new(end));
        let op =
            || Op::Append(Append { namespace: NamespaceId(1), deadline_ms: u64::MAX, record: () });
        a.submit(op(), Ticket(7));
        b.submit(op(), Ticket(7));
        a.submit(op(), Ticket(8));
        let mut out = Vec::new();
        a.poll(&mut out);
        let seen: Vec<_> = out.iter().map(|o| (o.ticket.0, o.sequence.0)).collect();
        assert_eq!(seen, [(7, 1), (8, 3)]);
        out.clear();
        a.poll(&mut out);
        assert!(out.is_empty(), "an outcome is told once");
    }
}
