//! Filters of a start on their way to what all reactors share: many go into a table at once, whose
//! lock and memory then come to a processor once for all of them. Refuses to know tables.

use super::interest::{Exact, LOCKS};
use super::streams::Adopted;

/// What one thread has collected.
pub struct Restoring {
    adopted: Box<[Vec<Adopted>]>,
    wanted: Box<[Vec<Exact>]>,
}

impl Default for Restoring {
    fn default() -> Self {
        let (adopted, wanted) = (0..LOCKS).map(|_| (Vec::new(), Vec::new())).unzip();
        let (adopted, wanted): (Vec<_>, Vec<_>) = (adopted, wanted);
        Self { adopted: adopted.into(), wanted: wanted.into() }
    }
}

impl Restoring {
    pub(super) fn adopt(
        &mut self,
        table: usize,
        one: Adopted,
        enter: impl FnOnce(usize, &mut Vec<Adopted>),
    ) {
        put(&mut self.adopted, table, one, enter);
    }

    pub(super) fn want(
        &mut self,
        table: usize,
        one: Exact,
        enter: impl FnOnce(usize, &mut Vec<Exact>),
    ) {
        put(&mut self.wanted, table, one, enter);
    }

    pub(super) fn finish(
        mut self,
        adopted: impl Fn(usize, &mut Vec<Adopted>),
        wanted: impl Fn(usize, &mut Vec<Exact>),
    ) {
        for (table, all) in self.adopted.iter_mut().enumerate() {
            adopted(table, all);
        }
        for (table, all) in self.wanted.iter_mut().enumerate() {
            wanted(table, all);
        }
    }
}

fn put<T>(tables: &mut [Vec<T>], table: usize, one: T, enter: impl FnOnce(usize, &mut Vec<T>)) {
    let all = &mut tables[table];
    all.push(one);
    if all.len() == AT_ONCE {
        enter(table, all);
    }
}

const AT_ONCE: usize = 1_024;
