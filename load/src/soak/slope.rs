//! A straight line through samples, by least squares. Refuses to know what is sampled.

/// Samples of (minutes, value).
#[derive(Clone, Debug, Default)]
pub struct Slope(Vec<(f64, f64)>);

impl Slope {
    /// One more.
    pub fn add(&mut self, minutes: f64, value: f64) {
        self.0.push((minutes, value));
    }

    /// Value a minute; nothing for fewer than two moments.
    pub fn a_minute(&self) -> Option<f64> {
        let n = self.0.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| self.0.iter().map(of).sum::<f64>() / n;
        let (x, y) = (mean(|s| s.0), mean(|s| s.1));
        let spread: f64 = self.0.iter().map(|s| (s.0 - x).powi(2)).sum();
        let both: f64 = self.0.iter().map(|s| (s.0 - x) * (s.1 - y)).sum();
        (spread > 0.0).then(|| both / spread)
    }

    /// Least and greatest value.
    pub fn range(&self) -> (f64, f64) {
        let values = || self.0.iter().map(|s| s.1);
        (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_line_under_noise() {
        let mut slope = Slope::default();
        assert_eq!(slope.a_minute(), None);
        for n in 0..100 {
            let noise = if n % 2 == 0 { 5.0 } else { -5.0 };
            slope.add(f64::from(n), 1000.0 + 3.0 * f64::from(n) + noise);
        }
        let found = slope.a_minute().unwrap();
        assert!((found - 3.0).abs() < 0.05, "{found}");
        assert_eq!(slope.range(), (998.0, 1299.0));
    }
}
