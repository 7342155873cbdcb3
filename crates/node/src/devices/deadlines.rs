//! When methods and commands have waited long enough, domain wall milliseconds: one time an
//! identity, the earliest, so that there are no more of them than identities wait.

use hashbrown::HashMap;
use hub::identity::IdentityId;
use std::collections::BTreeSet;

#[derive(Default)]
pub(super) struct Deadlines {
    due: BTreeSet<(u64, IdentityId)>,
    of: HashMap<IdentityId, u64, foldhash::fast::RandomState>,
}

impl Deadlines {
    /// Makes sure that this identity is looked at then or before.
    pub fn lower(&mut self, id: &IdentityId, at_ms: u64) {
        if let Some(before) = self.of.get_mut(id) {
            if *before <= at_ms {
                return;
            }
            self.due.remove(&(*before, id.clone()));
            *before = at_ms;
        } else {
            self.of.insert(id.clone(), at_ms);
        }
        self.due.insert((at_ms, id.clone()));
    }

    /// The next one that is due; it waits for nothing any more.
    pub fn pop(&mut self, now_ms: u64) -> Option<IdentityId> {
        if self.next()? > now_ms {
            return None;
        }
        let (_, id) = self.due.pop_first()?;
        self.of.remove(&id);
        Some(id)
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<u64> {
        self.due.first().map(|(at_ms, _)| *at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_waits_once_for_its_earliest() {
        let mut deadlines = Deadlines::default();
        let [a, b] = ["a", "b/m"].map(|id| IdentityId::parse(id).unwrap());
        for at_ms in [50, 70, 30, 40, 30] {
            deadlines.lower(&a, at_ms);
        }
        deadlines.lower(&b, 40);
        assert_eq!((deadlines.due.len(), deadlines.of.len()), (2, 2));
        assert_eq!((deadlines.next(), deadlines.pop(29)), (Some(30), None));
        assert_eq!(deadlines.pop(30), Some(a.clone()));
        assert_eq!(deadlines.pop(39), None);
        // What was taken may wait again, later than before too.
        deadlines.lower(&a, 90);
        assert_eq!((deadlines.pop(90), deadlines.pop(90)), (Some(b), Some(a)));
        assert_eq!(
            (deadlines.pop(u64::MAX), deadlines.next(), deadlines.of.len()),
            (None, None, 0)
        );
    }
}
