//! A setting of the hub that is outside its range. Refuses to know what is set by it.

use std::ops::RangeInclusive;

/// A setting has a value that it cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {value}; it is between {from} and {to}")]
pub struct OutOfRange {
    /// Which, as its field is called, with its unit.
    pub name: &'static str,
    /// What it was set to.
    pub value: u64,
    /// The least.
    pub from: u64,
    /// The greatest.
    pub to: u64,
}

impl OutOfRange {
    /// Whether a value is in its range.
    pub(crate) fn check(
        name: &'static str,
        value: u64,
        range: RangeInclusive<u64>,
    ) -> Result<(), Self> {
        let (from, to) = range.into_inner();
        if (from..=to).contains(&value) { Ok(()) } else { Err(Self { name, value, from, to }) }
    }
}
