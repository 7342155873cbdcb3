//! What one run of the load generator said, and the statistics of several.
use anyhow::{Context, Result};
use std::collections::BTreeMap;

/// The numbers of one run by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures(BTreeMap<String, f64>);

impl Figures {
    /// Reads the load generator's one line.
    ///
    /// # Errors
    /// When it is no JSON object.
    pub fn parse(line: &str) -> Result<Self> {
        let value: serde_json::Value = serde_json::from_str(line).context(line.to_string())?;
        let object = value.as_object().with_context(|| format!("no object: {line}"))?;
        let numbers = object.iter().filter_map(|(k, v)| v.as_f64().map(|v| (k.clone(), v)));
        Ok(Self(numbers.collect()))
    }

    /// One of them.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    /// One more, that was found out beside it.
    pub fn add(&mut self, name: &str, value: f64) {
        self.0.insert(name.into(), value);
    }

    /// All of them, for a line of progress.
    pub fn line(&self) -> String {
        let shown = self.0.iter().map(|(name, value)| format!("{name} {value:.2}"));
        shown.collect::<Vec<_>>().join(", ")
    }
}

/// The middle and the ends of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The lower of the two middle ones for an even number.
    pub median: f64,
    /// The least.
    pub low: f64,
    /// The greatest.
    pub high: f64,
}

impl Spread {
    /// Nothing for no values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len().checked_sub(1)? / 2;
        Some(Self { median: sorted[middle], low: sorted[0], high: *sorted.last()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_and_leaves_the_rest() {
        let figures = Figures::parse("{\"a\":\"x\",\"b\":1.5,\"c\":false,\"d\":[1]}").unwrap();
        assert_eq!(figures.get("b"), Some(1.5));
        assert_eq!(figures.get("a"), None);
        assert!(Figures::parse("stalled").is_err());
        assert!(Figures::parse("[1]").is_err());
    }

    #[test]
    fn the_median_is_one_of_the_values() {
        let spread = |v: &[f64]| Spread::of(v).map(|s| (s.low, s.median, s.high));
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[2.0]), Some((2.0, 2.0, 2.0)));
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some((1.0, 2.0, 3.0)));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]), Some((1.0, 2.0, 4.0)));
    }
}
