//! Numbers about many documents. Refuses to know which documents belong together.

use super::number::Number;
use super::path::Path;
use std::cmp::Ordering;

/// A column that is counted.
#[derive(Debug, Clone)]
pub(super) struct Aggregate {
    pub kind: Kind,
    /// What the numbers are; `COUNT()` needs none.
    pub of: Option<Path>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Count,
    Average,
    Sum,
    Least,
    Greatest,
}

impl Kind {
    pub fn named(name: &str) -> Option<Self> {
        let table = [
            ("COUNT", Self::Count),
            ("AVG", Self::Average),
            ("SUM", Self::Sum),
            ("MIN", Self::Least),
            ("MAX", Self::Greatest),
        ];
        table.iter().find(|row| row.0.eq_ignore_ascii_case(name)).map(|row| row.1)
    }
}

/// All numbers of one column in one group; what is no number is passed over.
#[derive(Debug, Clone, Default)]
pub(super) struct Total {
    count: u64,
    /// Whole numbers are added as such: no sum of 64-bit numbers leaves 128 bits.
    whole: i128,
    floats: f64,
    has_floats: bool,
    least: Option<Number>,
    greatest: Option<Number>,
}

impl Total {
    pub fn add_document(&mut self) {
        self.count += 1;
    }

    pub fn add(&mut self, number: Number) {
        self.count += 1;
        match number {
            Number::Integer(n) => self.whole += i128::from(n),
            Number::Float(float) => {
                self.floats += float;
                self.has_floats = true;
            }
        }
        if self.least.is_none_or(|least| number.order(least) == Ordering::Less) {
            self.least = Some(number);
        }
        if self.greatest.is_none_or(|greatest| number.order(greatest) == Ordering::Greater) {
            self.greatest = Some(number);
        }
    }

    /// Appends the result; `false` where there is none: the average of nothing.
    pub fn write(&self, kind: Kind, out: &mut Vec<u8>) -> bool {
        let number = match kind {
            Kind::Count => {
                out.extend_from_slice(self.count.to_string().as_bytes());
                return true;
            }
            Kind::Sum if !self.has_floats => {
                out.extend_from_slice(self.whole.to_string().as_bytes());
                return true;
            }
            Kind::Sum => Number::finite(self.sum()),
            Kind::Average if self.count == 0 => None,
            Kind::Average => Number::finite(self.sum() / self.count as f64),
            Kind::Least => self.least,
            Kind::Greatest => self.greatest,
        };
        number.inspect(|number| number.write(out)).is_some()
    }

    fn sum(&self) -> f64 {
        self.whole as f64 + self.floats
    }
}
