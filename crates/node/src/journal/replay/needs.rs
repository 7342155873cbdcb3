//! Which records somebody needs: most have one holder, so that only those with more are counted.
//! Refuses to know who holds.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use store::op::Sequence;

/// Holders of records while they are added up.
#[derive(Default)]
pub(super) struct Needs {
    /// Records with two holders and more.
    shared: HashMap<Sequence, u8, RandomState>,
    stale: Vec<Sequence>,
}

impl Needs {
    /// A record has so many holders.
    pub fn hold(&mut self, at: Sequence, holders: u8) {
        match holders {
            0 => self.stale.push(at),
            1 => {}
            _ => {
                self.shared.insert(at, holders);
            }
        }
    }

    /// One holder needs a record no more.
    pub fn let_go(&mut self, at: Sequence) {
        match self.shared.get_mut(&at) {
            Some(holders) if *holders > 2 => *holders -= 1,
            Some(_) => {
                self.shared.remove(&at);
            }
            None => self.stale.push(at),
        }
    }

    /// Whether more than one needs a record.
    pub fn is_shared(&self, at: Sequence) -> bool {
        self.shared.contains_key(&at)
    }

    /// Which of some records nobody needs: to be asked once, as it looks through all.
    pub fn stale_among(&mut self, some: &[Sequence]) -> Vec<bool> {
        self.stale.sort_unstable();
        some.iter().map(|at| self.stale.binary_search(at).is_ok()).collect()
    }

    /// What nobody needs, and what more than one does; ascending.
    pub fn finish(mut self) -> (Vec<Sequence>, Vec<(Sequence, u8)>) {
        let mut shared: Vec<_> = self.shared.into_iter().collect();
        shared.sort_unstable();
        self.stale.sort_unstable();
        (self.stale, shared)
    }
}
