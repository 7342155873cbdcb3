//! The server's counters as `/metrics` prints them. Refuses to know how they got there.

use std::collections::BTreeMap;

/// One reading.
#[derive(Clone, Debug, Default)]
pub struct Metrics(BTreeMap<String, u64>);

impl Metrics {
    /// Reads Prometheus text; a sample's name keeps its labels.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let samples = lines.filter_map(|line| line.rsplit_once(' '));
        Self(samples.filter_map(|(n, v)| Some((n.to_owned(), v.parse().ok()?))).collect())
    }

    /// All samples of a name added up.
    pub fn sum(&self, name: &str) -> u64 {
        let of = |sample: &str| sample == name || sample.starts_with(&format!("{name}{{"));
        self.0.iter().filter(|(sample, _)| of(sample)).map(|(_, value)| value).sum()
    }

    /// Messages that did not reach a session, all reasons.
    pub fn dropped(&self) -> u64 {
        self.sum(DROPPED)
    }

    /// PUBLISH packets sent to clients.
    pub fn delivered(&self) -> u64 {
        self.sum("gridhub_mqtt_successful_delivered_messages_total")
    }

    /// What grew since `before`, by reason, of the drops.
    pub fn drops_since(&self, before: &Self) -> BTreeMap<String, u64> {
        let mut grown = BTreeMap::new();
        for (sample, value) in self.0.iter().filter(|(sample, _)| sample.starts_with(DROPPED)) {
            let more = value - before.0.get(sample).copied().unwrap_or(0);
            let reason = sample.split('"').nth(1).unwrap_or("unnamed");
            if more > 0 {
                grown.insert(reason.to_owned(), more);
            }
        }
        grown
    }
}

const DROPPED: &str = "gridhub_mqtt_dropped_messages_total";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_labels_and_tells_what_grew() {
        let text = "# TYPE x counter\nx{a=\"1\"} 2\nx{a=\"2\"} 3\nxy 9\n\
            gridhub_mqtt_dropped_messages_total{reason=\"absent\"} 4\n";
        let after = Metrics::parse(text);
        assert_eq!((after.sum("x"), after.sum("xy"), after.dropped()), (5, 9, 4));
        let grown = after.drops_since(&Metrics::default());
        assert_eq!(grown.into_iter().collect::<Vec<_>>(), [("absent".to_owned(), 4)]);
        assert!(after.drops_since(&after).is_empty());
    }
}
