//! What readers of the telemetry channel were shown, by partition and offset: it stays where it
//! was, and what is new comes behind it. Refuses to know what it says.

use super::section::Wrong;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::Range;

/// By partition and offset.
#[derive(Debug)]
pub struct Shown<T>(BTreeMap<usize, BTreeMap<u64, T>>);

impl<T> Default for Shown<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Clone + PartialEq + Debug> Shown<T> {
    /// A reader was shown these of a partition, and no others at these offsets. Gives what is new.
    ///
    /// # Errors
    /// With the first that cannot be.
    pub fn show(
        &mut self,
        partition: usize,
        between: Range<u64>,
        records: &[(u64, T)],
    ) -> Result<Vec<T>, Wrong> {
        let shown = self.0.entry(partition).or_default();
        for (at, what) in shown.range(between) {
            if !records.iter().any(|(offset, record)| offset == at && record == what) {
                return Err(format!("{what:?} was at {at} of {partition} and is not"));
            }
        }
        let mut new = Vec::new();
        for (offset, record) in records {
            if shown.contains_key(offset) {
                continue;
            }
            let end = shown.last_key_value().map_or(0, |(at, _)| at + 1);
            if *offset < end {
                return Err(format!("{offset} of partition {partition} comes behind {end}"));
            }
            shown.insert(*offset, record.clone());
            new.push(record.clone());
        }
        Ok(new)
    }

    /// The highest offset of a partition that anybody was shown, less `back` records; 0 = none.
    pub fn place(&self, partition: usize, back: usize) -> u64 {
        let Some(shown) = self.0.get(&partition) else { return 0 };
        shown.keys().rev().nth(back).or(shown.keys().next()).copied().unwrap_or(0)
    }
}
