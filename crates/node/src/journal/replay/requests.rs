//! The keys of requests that were accepted. Refuses to know who asks.

use super::super::publisher::Request;
use super::needs::Needs;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use store::op::Sequence;

/// An `Idempotency-Key` that a repeat is known by; the fields are those of
/// [`Request`](crate::journal::Request).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRequest {
    /// Whose key it is.
    pub principal: Box<str>,
    /// The key.
    pub key: Box<str>,
    /// Which item of a batch.
    pub item: Option<u32>,
    /// Domain wall milliseconds from which the key is new again.
    pub ends_at_ms: u64,
    /// Its message. It may be released once a [`Clock`](crate::journal::Clock) not below
    /// `ends_at_ms` is durable.
    pub sequence: Sequence,
}

/// The latest message of each key.
#[derive(Default)]
pub(super) struct Requests(HashMap<Name, Accepted, RandomState>);

#[derive(PartialEq, Eq, Hash)]
struct Name {
    principal: Box<str>,
    key: Box<str>,
    item: Option<u32>,
}

struct Accepted {
    ends_at_ms: u64,
    sequence: Sequence,
}

impl Requests {
    pub fn take(&mut self, at: Sequence, request: Request<'_>, needs: &mut Needs) {
        let Request { principal, key, item, ends_at_ms } = request;
        let name = Name { principal: principal.into(), key: key.into(), item };
        if let Some(before) = self.0.insert(name, Accepted { ends_at_ms, sequence: at }) {
            needs.let_go(before.sequence);
        }
    }

    /// Those that have not ended at `clock_ms`, in the order of the log.
    pub fn finish(self, clock_ms: u64, needs: &mut Needs) -> Vec<FoundRequest> {
        let mut found = Vec::new();
        for (Name { principal, key, item }, Accepted { ends_at_ms, sequence }) in self.0 {
            if ends_at_ms <= clock_ms {
                needs.let_go(sequence);
            } else {
                found.push(FoundRequest { principal, key, item, ends_at_ms, sequence });
            }
        }
        found.sort_unstable_by_key(|request| request.sequence);
        found
    }
}
