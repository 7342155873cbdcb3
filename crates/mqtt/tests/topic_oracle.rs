//! Topics against a naive oracle, by enumeration over a small alphabet.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use mqtt::topic::{SharedFilter, TopicError, TopicFilter, TopicName};

/// All texts of up to `longest` characters of `alphabet`.
fn texts(alphabet: &[&str], longest: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..longest {
        last = last.iter().flat_map(|t| alphabet.iter().map(move |c| format!("{t}{c}"))).collect();
        all.extend(last.iter().cloned());
    }
    all
}

/// Matching as the specification tells it, on lists of levels.
fn oracle_matches(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        (["#"], _) => true,
        ([], []) => true,
        (["+", filter @ ..], [_, topic @ ..]) => oracle_matches(filter, topic),
        ([wanted, filter @ ..], [level, topic @ ..]) if wanted == level => {
            oracle_matches(filter, topic)
        }
        _ => false,
    }
}

fn oracle(filter: &str, topic: &str) -> bool {
    let filter: Vec<&str> = filter.split('/').collect();
    let hidden = topic.starts_with('$') && matches!(filter[0], "+" | "#");
    !hidden && oracle_matches(&filter, &topic.split('/').collect::<Vec<_>>())
}

fn oracle_filter(text: &str) -> bool {
    let levels: Vec<&str> = text.split('/').collect();
    !text.is_empty()
        && !text.contains('\0')
        && levels.iter().enumerate().all(|(at, level)| match *level {
            "+" => true,
            "#" => at + 1 == levels.len(),
            level => !level.contains(['+', '#']),
        })
}

#[test]
fn parsing_agrees_with_the_oracle() {
    for text in texts(&["a", "/", "+", "#", "\0", "é"], 6) {
        assert_eq!(TopicFilter::parse(&text).is_ok(), oracle_filter(&text), "{text:?}");
        let name = !text.is_empty() && !text.contains(['+', '#', '\0']);
        assert_eq!(TopicName::parse(&text).is_ok(), name, "{text:?}");
    }
}

#[test]
fn specials_are_found_at_every_place() {
    for len in 1..40 {
        for at in 0..len {
            for (special, wrong) in
                [('\0', TopicError::Nul), ('+', TopicError::Wildcard), ('#', TopicError::Wildcard)]
            {
                let text: String = (0..len).map(|i| if i == at { special } else { 'x' }).collect();
                assert_eq!(TopicName::parse(&text), Err(wrong));
            }
            // Neighbours of the special bytes, and bytes that differ from them in the high bit.
            for near in ['\x01', '*', ',', '"', '$', '\u{80}', '\u{AB}', '\u{A3}'] {
                let text: String = (0..len).map(|i| if i == at { near } else { 'x' }).collect();
                assert!(TopicName::parse(&text).is_ok(), "{text:?}");
            }
        }
    }
}

#[test]
fn matching_agrees_with_the_oracle() {
    let topics = texts(&["a", "b", "/", "$"], 5);
    let topics: Vec<_> = topics.iter().filter(|t| TopicName::parse(t).is_ok()).collect();
    for text in texts(&["a", "/", "+", "#", "$"], 6) {
        let Ok(filter) = TopicFilter::parse(&text) else { continue };
        for topic in &topics {
            assert_eq!(filter.matches(topic), oracle(&text, topic), "{text:?} {topic:?}");
        }
    }
}

/// `covers` must be exactly "matches every topic that the other matches". Topics of up to four
/// levels tell all filters of up to three levels apart.
#[test]
fn covering_agrees_with_the_oracle() {
    let levels = ["", "a", "b", "$", "c"];
    let mut topics: Vec<String> = levels.iter().map(|l| (*l).to_owned()).collect();
    let mut last = topics.clone();
    for _ in 0..3 {
        last = last.iter().flat_map(|t| levels.iter().map(move |l| format!("{t}/{l}"))).collect();
        topics.extend(last.iter().cloned());
    }
    topics.retain(|topic| !topic.is_empty());
    let words = ["", "a", "b", "$", "+", "#"];
    let mut filters: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
    let mut last = filters.clone();
    for _ in 0..2 {
        last = last.iter().flat_map(|t| words.iter().map(move |w| format!("{t}/{w}"))).collect();
        filters.extend(last.iter().cloned());
    }
    filters.retain(|text| oracle_filter(text));
    let matched: Vec<Vec<bool>> =
        filters.iter().map(|f| topics.iter().map(|t| oracle(f, t)).collect()).collect();
    for (wide, wide_matched) in filters.iter().zip(&matched) {
        for (narrow, narrow_matched) in filters.iter().zip(&matched) {
            let wanted = narrow_matched.iter().zip(wide_matched).all(|(n, w)| !n || *w);
            let seen =
                TopicFilter::parse(wide).unwrap().covers(TopicFilter::parse(narrow).unwrap());
            assert_eq!(seen, wanted, "{wide:?} covers {narrow:?}");
        }
    }
}

#[test]
fn covering_by_example() {
    let covers = |wide, narrow| {
        TopicFilter::parse(wide).unwrap().covers(TopicFilter::parse(narrow).unwrap())
    };
    for narrow in ["a", "a/+", "a/+/#", "a/b/c", "a/#"] {
        assert!(covers("a/#", narrow), "{narrow}");
    }
    assert!(covers("/+/#", "/#") && covers("+/+/#", "/#"));
    assert!(covers("#", "+/#") && covers("+/#", "#") && covers("$SYS/#", "$SYS"));
    assert!(!covers("+", "#") && !covers("a/+", "a/#") && !covers("a/+/#", "a/#"));
    assert!(!covers("#", "$SYS/#") && !covers("+/x", "$SYS/x"));
}

#[test]
fn matching_by_example() {
    let matches = |filter, topic| TopicFilter::parse(filter).unwrap().matches(topic);
    assert!(matches("sport/tennis/player1/#", "sport/tennis/player1"));
    assert!(matches("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"));
    assert!(matches("+/+", "/finance") && matches("/+", "/finance") && !matches("+", "/finance"));
    assert!(!matches("sport/+", "sport") && matches("sport/+", "sport/"));
    assert!(!matches("#", "$SYS") && !matches("+/monitor/Clients", "$SYS/monitor/Clients"));
    assert!(matches("$SYS/#", "$SYS/x") && matches("$SYS/monitor/+", "$SYS/monitor/Clients"));
    assert!(!matches("ACCOUNTS", "Accounts") && !matches("a", "a/") && !matches("a/b", "a/b/c"));
    // No normalisation: the composed and the decomposed letter differ.
    assert!(!matches("caf\u{e9}", "cafe\u{301}"));
}

#[test]
fn filters_tell_what_is_wrong() {
    for (text, wrong) in [
        ("", TopicError::Empty),
        ("a/#/b", TopicError::HashPlace),
        ("a#", TopicError::HashPlace),
        ("##", TopicError::HashPlace),
        ("a+/b", TopicError::PlusPlace),
        ("++", TopicError::PlusPlace),
        ("a\0", TopicError::Nul),
        ("$share/g", TopicError::ShareName),
        ("$share//a", TopicError::ShareName),
        ("$share/+/a", TopicError::ShareName),
        ("$share/g+/a", TopicError::PlusPlace),
        ("$share/#", TopicError::ShareName),
        ("$share/g/", TopicError::Empty),
        ("$share/g/a#", TopicError::HashPlace),
    ] {
        assert_eq!(TopicFilter::parse(text), Err(wrong), "{text:?}");
        assert!(wrong.to_string().contains("MQTT 5, 4."));
    }
    let long = "x".repeat(65_536);
    assert_eq!(TopicFilter::parse(&long), Err(TopicError::TooLong));
    assert_eq!(TopicName::parse(&long), Err(TopicError::TooLong));
    assert!(TopicName::parse(&long[1..]).is_ok());
}

#[test]
fn shared_filters_are_taken_apart() {
    let shared = SharedFilter::parse("$share/g 1//a/#").unwrap().unwrap();
    assert_eq!((shared.share, shared.filter.as_str()), ("g 1", "/a/#"));
    assert_eq!(SharedFilter::parse("a/b"), Ok(None));
    assert_eq!(SharedFilter::parse("$share"), Ok(None));
    assert_eq!(SharedFilter::parse("$shared/g/a"), Ok(None));
    assert!(TopicFilter::parse("$share").is_ok());
    let levels: Vec<&str> = shared.filter.levels().collect();
    assert_eq!(levels, ["", "a", "#"]);
    assert!(shared.filter.has_wildcard() && !TopicFilter::parse("a/b").unwrap().has_wildcard());
    assert_eq!(TopicName::parse("a//b").unwrap().levels().count(), 3);
}
