//! Times in microseconds and their quantiles, exact. Refuses to know what took so long.

use serde_json::{Value, json};

/// Every sample of one kind.
#[derive(Clone, Debug, Default)]
pub struct Latency(Vec<u32>);

impl Latency {
    /// One more; what is longer than an hour counts as an hour.
    pub fn add(&mut self, us: u64) {
        self.0.push(u32::try_from(us).unwrap_or(u32::MAX));
    }

    /// All samples of another.
    pub fn join(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The value that `share` of all samples do not exceed; 0 without samples.
    pub fn quantile(&mut self, share: f64) -> u32 {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        let at = (self.0.len() as f64 * share).ceil() as usize;
        self.0.get(at.saturating_sub(1).min(last)).copied().unwrap_or(0)
    }

    /// The usual quantiles.
    pub fn figures(&mut self) -> Value {
        json!({
            "samples": self.count(),
            "p50_us": self.quantile(0.5),
            "p99_us": self.quantile(0.99),
            "p999_us": self.quantile(0.999),
            "max_us": self.quantile(1.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_samples() {
        let mut latency = Latency::default();
        assert_eq!(latency.quantile(0.99), 0);
        (1..=200).rev().for_each(|us| latency.add(us));
        assert_eq!((latency.quantile(0.5), latency.quantile(0.99)), (100, 198));
        assert_eq!((latency.quantile(1.0), latency.quantile(0.0)), (200, 1));
    }
}
