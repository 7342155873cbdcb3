//! Topics as the specification tells them, on lists of levels (MQTT 5, 4.7). Naive on purpose:
//! nothing of the code under test is used.

/// Whether `text` is a topic name.
pub fn is_name(text: &str) -> bool {
    (1..=65_535).contains(&text.len()) && !text.contains(['+', '#', '\0'])
}

/// Whether `text` is a topic filter, `$share/` included.
pub fn is_filter(text: &str) -> bool {
    let levels: Vec<&str> = text.split('/').collect();
    match levels.as_slice() {
        ["$share", share, filter @ ..] => {
            let name = !share.is_empty() && !share.contains(['+', '#', '\0']);
            text.len() <= 65_535 && name && is_plain_filter(&filter.join("/"))
        }
        _ => is_plain_filter(text),
    }
}

fn is_plain_filter(text: &str) -> bool {
    let levels: Vec<&str> = text.split('/').collect();
    (1..=65_535).contains(&text.len())
        && !text.contains('\0')
        && levels.iter().enumerate().all(|(at, level)| match *level {
            "+" => true,
            "#" => at + 1 == levels.len(),
            level => !level.contains(['+', '#']),
        })
}

/// Whether a message on `topic` is for `filter`, both valid.
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#')) {
        return false;
    }
    let filter: Vec<&str> = filter.split('/').collect();
    let topic: Vec<&str> = topic.split('/').collect();
    levels_match(&filter, &topic)
}

fn levels_match(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        (["#"], _) | ([], []) => true,
        (["+", filter @ ..], [_, topic @ ..]) => levels_match(filter, topic),
        ([wanted, filter @ ..], [level, topic @ ..]) if wanted == level => {
            levels_match(filter, topic)
        }
        _ => false,
    }
}

/// Whether `wide` matches every topic that `narrow` matches: tried on the topics that tell. A
/// level that `narrow` leaves open is one that no filter names, and `#` stands for as many of them
/// as can make a difference.
pub fn covers(wide: &str, narrow: &str) -> bool {
    let mut base: Vec<&str> = narrow.split('/').collect();
    let open = base.last() == Some(&"#");
    if open {
        base.pop();
    }
    for level in &mut base {
        if *level == "+" {
            *level = UNNAMED;
        }
    }
    let longest = if open { wide.split('/').count() + 1 } else { 0 };
    (0..=longest).all(|more| {
        let mut topic = base.clone();
        topic.resize(base.len() + more, UNNAMED);
        let topic = topic.join("/");
        topic.is_empty() || matches(wide, &topic)
    })
}

/// No filter of the fuzzer has this level.
const UNNAMED: &str = "\u{2}unnamed\u{3}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oracle_agrees_with_the_examples_of_the_specification() {
        for (filter, topic, wanted) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS", false),
            ("$SYS/#", "$SYS/x", true),
            ("a/#/", "a", false),
        ] {
            assert_eq!(matches(filter, topic), wanted, "{filter} {topic}");
        }
        assert!(covers("a/#", "a/+/b") && covers("+/#", "#") && !covers("a/+/#", "a/#"));
        assert!(!covers("+", "#") && !covers("#", "$SYS/#") && covers("/+/#", "/#"));
        assert!(is_filter("$share/g/a") && !is_filter("$share/g") && !is_filter("a/#/b"));
        assert!(is_name("a b") && !is_name("") && !is_name("a/+"));
    }
}
