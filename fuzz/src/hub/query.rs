//! The language of queries and routes on any text: what is read selects as its condition alone
//! does, its negation selects what it does not, what an index would answer holds of whatever is
//! selected, and rows are JSON. Refuses to know how results are paged.

use std::sync::LazyLock;

use hub::IfMatch;
use hub::query::{
    Condition, Constant, Document, Equality, Message, Query, Refused, Source, TwinDocument, Value,
    Verdict,
};
use hub::twin::{About, IfVersion, Twin, patch, patch_reported};

/// The text of a query, of a condition or of a route.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    query(text);
    if let Ok(condition) = Condition::of_documents(text, Source::Devices) {
        let whole = format!("SELECT * FROM devices WHERE {text}");
        let query = Query::parse(&whole);
        each(|document| {
            let verdict = condition.verdict(document);
            if let Ok(query) = &query {
                assert_eq!(query.matches(document), verdict == Verdict::True, "{whole}");
            }
            equalities(&condition.equalities(), document, verdict);
        });
        let read = |text: &str| Condition::of_documents(text, Source::Devices);
        same(text, &read, &|condition| {
            let mut verdicts = Vec::new();
            each(|document| verdicts.push(condition.verdict(document)));
            verdicts
        });
    }
    if let Ok(condition) = Condition::of_route(text) {
        let verdicts =
            |condition: &Condition| messages().map(|message| condition.verdict(&message)).to_vec();
        messages().iter().for_each(|message| {
            equalities(&condition.equalities(), message, condition.verdict(message));
        });
        same(text, &Condition::of_route, &verdicts);
    }
}

/// What changes nothing changes nothing, and `NOT` turns true and false.
fn same(
    text: &str,
    read: &dyn Fn(&str) -> Result<Condition, Refused>,
    verdicts: &dyn Fn(&Condition) -> Vec<Verdict>,
) {
    if text.trim().is_empty() || text.trim() == "*" {
        return;
    }
    let condition = read(text).expect("it was read before");
    let before = verdicts(&condition);
    let turned: Vec<_> = before
        .iter()
        .map(|verdict| match verdict {
            Verdict::True => Verdict::False,
            Verdict::False => Verdict::True,
            Verdict::Undefined => Verdict::Undefined,
        })
        .collect();
    let rows = [
        (format!("({text})"), &before),
        (format!("({text}) AND true"), &before),
        (format!("false OR ({text})"), &before),
        (format!("NOT ({text})"), &turned),
        (format!("NOT (NOT ({text}))"), &before),
    ];
    for (text, due) in rows {
        // It may be too long or too deep now.
        if let Ok(condition) = read(&text) {
            assert_eq!(&verdicts(&condition), due, "{text}");
        }
    }
}

fn query(text: &str) {
    let query = match Query::parse(text) {
        Ok(query) => std::sync::Arc::new(query),
        Err(refused) => {
            if let Refused::Syntax { at, .. } = refused {
                assert!((1..=text.chars().count() + 1).contains(&at), "{at}: {text}");
            }
            return;
        }
    };
    each(|document| {
        let mut row = Vec::new();
        query.write_row(document, &mut row);
        assert_eq!(row.is_empty(), query.tally().is_some(), "{text}");
        if !row.is_empty() {
            let row: serde_json::Value = serde_json::from_slice(&row).expect("a row is JSON");
            assert!(row.is_object(), "{row}");
        }
        if query.matches(document) {
            equalities(&query.equalities(), document, Verdict::True);
        }
    });
}

/// An index that knows the value at the path finds whatever is selected.
fn equalities(all: &[Equality<'_>], document: &dyn Document, verdict: Verdict) {
    if verdict != Verdict::True {
        return;
    }
    for Equality { path, any_of } in all {
        let value = document.value(path);
        assert!(any_of.iter().any(|constant| equal(&value, constant)), "{path:?} {any_of:?}");
    }
}

fn equal(value: &Value<'_>, constant: &Constant) -> bool {
    match constant {
        Constant::Undefined | Constant::Null => false,
        Constant::Bool(bool) => value.bool() == Some(*bool),
        Constant::Number(number) => value.number().is_some_and(|n| n.order(*number).is_eq()),
        Constant::Text(text) => match value {
            // Any text that says the same moment.
            Value::Moment(_) => true,
            value => value.text() == Some(&**text),
        },
    }
}

fn each(mut look: impl FnMut(&TwinDocument<'_>)) {
    let about = About { device_id: "D1", model_id: "m", command_count: 3, ..About::default() };
    for twin in TWINS.iter() {
        look(&TwinDocument { about: &about, twin });
    }
}

fn messages() -> [Message<'static>; 3] {
    let twin = &TWINS[1];
    let system: &[_] = &[("contentType", "application/json"), ("connectionDeviceId", "D1")];
    let properties: &[_] = &[("level", "7"), ("alert", "true"), ("Level", "8")];
    [
        Message::default(),
        Message { properties, system, body: None, twin: Some(twin) },
        Message { properties, system, body: Some(&BODY), twin: Some(twin) },
    ]
}

static BODY: LazyLock<hub::json::Value<'static>> =
    LazyLock::new(|| hub::json::parse(DOCUMENT.as_bytes(), 16).expect("it is JSON"));

/// An empty one, and one with something of each kind.
static TWINS: LazyLock<[Twin; 2]> = LazyLock::new(|| {
    let twin = Twin::new(1_600_000_000_000);
    let request = format!("{{\"tags\":{DOCUMENT},\"properties\":{{\"desired\":{DOCUMENT}}}}}");
    let any = IfMatch::parse(None);
    let full = patch(&twin, request.as_bytes(), &any, 1_600_000_000_001).expect("it may be");
    let now_ms = 1_600_000_000_002;
    let full = patch_reported(&full.twin, DOCUMENT.as_bytes(), IfVersion::Any, now_ms);
    [twin, full.expect("it may be").twin]
});

const DOCUMENT: &str =
    r#"{"a":1,"b":"x","o":{"c":2.50,"l":[1,"x",{"k":true}]},"t":true,"f":false,"e":{},"n":-3}"#;
