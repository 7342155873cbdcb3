//! Topic templates: what they become for a client against replacing text by text. Refuses to know
//! who is bound to them.

use broker::access::{Attributes, ClientFacts, Template, Value};
use mqtt::topic::TopicFilter;

use crate::choices::Choices;
use crate::topics::text;

/// One template for one client.
pub fn check_text(c: &mut Choices<'_>) {
    let mut template = String::new();
    for _ in 0..1 + c.below(4) {
        if c.one_in(2) {
            template.push_str(c.pick(VARIABLES));
        } else {
            template.push_str(&text(c));
        }
    }
    let (name, one, two, three) = (text(c), text(c), text(c), text(c));
    let mut attributes = Attributes::default();
    attributes.insert("s", Value::Str(one.as_str().into())).expect("a short value");
    let list = vec![one.as_str().into(), two.as_str().into(), three.as_str().into()];
    attributes.insert("l", Value::List(list)).expect("short values");
    attributes.insert("n", Value::Int(-7)).expect("a short value");
    let Ok(parsed) = Template::parse(&template) else { return };
    assert_eq!(parsed.as_str(), template);
    let client = ClientFacts { name: &name, attributes: &attributes };
    let Ok(mut filters) = parsed.expand(&client) else { panic!("three values, four variables") };
    for filter in &filters {
        assert!(TopicFilter::parse(filter).is_ok(), "{template:?} became {filter:?}");
        let shape = (template.matches('/').count(), filter.matches('/').count());
        assert_eq!(shape.0, shape.1, "{template:?} became {filter:?}: a value is within one level");
    }
    let mut wanted = replaced(&template, &name, &[&one], &[&one, &two, &three]);
    wanted.retain(|filter| TopicFilter::parse(filter).is_ok());
    filters.sort();
    wanted.sort();
    assert_eq!(filters, wanted, "{template:?}");
}

/// Every variable text replaced by each of its values, one variable after the other.
fn replaced(template: &str, name: &str, one: &[&str], list: &[&str]) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut rest = template;
    let mut chosen: Vec<Option<usize>> = vec![None];
    while let Some(start) = rest.find("${") {
        let end = start + rest[start..].find('}').expect("it was parsed");
        let inside = &rest[start + 2..end];
        let (variable, suffix) = inside.split_once('|').unwrap_or((inside, ""));
        let values: Vec<&str> = match variable.rsplit('.').next() {
            Some("s") => one.to_vec(),
            Some("l") => list.to_vec(),
            Some("n") => vec!["-7"],
            Some("none") => Vec::new(),
            _ => vec![name],
        };
        let usable = |value: &str| !value.contains(['/', '+', '#', '\0']);
        let (mut next, mut next_chosen) = (Vec::new(), Vec::new());
        for (before, was) in all.iter().zip(&chosen) {
            for (at, value) in values.iter().enumerate().filter(|(_, value)| usable(value)) {
                // The same variable is the same value each time.
                let is_list = variable.ends_with(".l");
                if is_list && was.is_some_and(|was| was != at) {
                    continue;
                }
                next.push(format!("{before}{}{value}{suffix}", &rest[..start]));
                next_chosen.push(if is_list { Some(at) } else { *was });
            }
        }
        (all, chosen) = (next, next_chosen);
        rest = &rest[end + 1..];
    }
    all.into_iter().map(|before| before + rest).collect()
}

const VARIABLES: &[&str] = &[
    "${client.authenticationName}",
    "${client.authenticationName|.x}",
    "${client.attributes.s}",
    "${client.attributes.l}",
    "${client.attributes.l|-y}",
    "${client.attributes.n}",
    "${client.attributes.none}",
    "${client.attributes.s|a/b}",
    "${client.wrong}",
    "${",
];
