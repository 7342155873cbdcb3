//! Topics and filters by the letter of MQTT 5, 4.7, written down a second time: what judges the
//! broker does not use the broker's own matching.

/// Whether a publish to `topic` matches `filter`.
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    // A leading wildcard does not match topics that begin with `$` (4.7.2-1).
    let hidden = topic.starts_with('$') && filter.starts_with(['+', '#']);
    !hidden && covers(filter, topic)
}

/// Whether `filter` allows everything that `other`, a topic or a filter, stands for.
pub(crate) fn covers(filter: &str, other: &str) -> bool {
    let (mut ours, mut theirs) = (filter.split('/'), other.split('/'));
    loop {
        match (ours.next(), theirs.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(level)) if level != "#" => {}
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_standard() {
        let rows = [
            ("#", "a", true),
            ("#", "$x/a", false),
            ("$x/#", "$x/a", true),
            ("a/#", "a", true),
            ("a/+", "a", false),
            ("a/+", "a/b/c", false),
            ("+/+", "a/b", true),
            ("+", "a/b", false),
        ];
        for (filter, topic, expected) in rows {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
        assert!(covers("#", "$x/a") && covers("a/#", "a/+") && !covers("a/+", "a/#"));
        assert!(covers("+/#", "+/a") && !covers("+", "#") && !covers("a", "+"));
    }
}
