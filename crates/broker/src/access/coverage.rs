//! Whether a permitted filter allows a topic or a whole other filter.
//!
//! Owns the comparison of texts for authorization. It differs from delivery in one rule: here a
//! filter that begins with a wildcard also allows topics that begin with `$`; which of those are
//! reserved is the authorizer's rule. Refuses to know whose filter it is.

/// Whether `filter` allows `topic`.
pub(super) fn allows_topic(filter: &str, topic: &str) -> bool {
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        match (wanted, levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

/// Whether `filter` allows every topic that `other` can match.
pub(super) fn allows_filter(filter: &str, other: &str) -> bool {
    if other == "#" && filter == "+/#" {
        // Both need at least one level, so they have the same topics.
        return true;
    }
    let mut levels = other.split('/');
    for wanted in filter.split('/') {
        match (wanted, levels.next()) {
            ("#", _) => return true,
            // `p/+` lacks `p` itself and what lies deeper, which `p/#` has.
            (_, Some("#")) => return false,
            ("+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All texts of up to three of these levels.
    fn texts(levels: &[&str], valid: impl Fn(&str) -> bool) -> Vec<String> {
        let mut all: Vec<String> = levels.iter().map(ToString::to_string).collect();
        for _ in 0..2 {
            let longer: Vec<String> = all
                .iter()
                .flat_map(|head| levels.iter().map(move |l| format!("{head}/{l}")))
                .collect();
            all.extend(longer);
        }
        all.sort_unstable();
        all.dedup();
        all.retain(|text| valid(text));
        all
    }

    #[test]
    fn coverage_is_what_enumerating_all_topics_says() {
        // `c` stands for any level that no filter names; four levels for any depth.
        let topics = {
            let three = texts(&["", "a", "b", "c"], |_| true);
            let four = three.iter().map(|t| format!("c/{t}")).chain(three.clone());
            four.collect::<Vec<_>>()
        };
        let filters = texts(&["", "a", "+", "#"], |f| {
            f.split('/').rev().skip(1).all(|level| level != "#") && !f.is_empty()
        });
        assert!(filters.len() > 50);
        for filter in &filters {
            for other in &filters {
                let mut theirs = topics.iter().filter(|t| allows_topic(other, t));
                let expected = theirs.all(|t| allows_topic(filter, t));
                assert_eq!(allows_filter(filter, other), expected, "{filter} covers {other}");
            }
        }
    }

    #[test]
    fn a_leading_wildcard_allows_dollar_topics() {
        assert!(allows_topic("#", "$x/y") && allows_topic("+/y", "$x/y"));
        assert!(allows_filter("#", "$x/#") && allows_filter("+/#", "$x/+"));
        assert!(!allows_topic("a/#", "$x/y"));
    }
}
