//! User properties as HTTP carries them: a JSON array of objects with one string member each
//! (event-grid 2.3, E1 to E5). Refuses to know MQTT's bytes.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Key and value pairs in the order of the text; a key may recur.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserProperties(pub Vec<(String, String)>);

impl UserProperties {
    /// Reads the JSON text.
    ///
    /// # Errors
    /// What is wrong and where: not an array, not objects, an empty object, a value that is not a
    /// string, or text behind the array.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(json).map_err(|e| e.to_string())
    }

    /// The same JSON: one object a pair, so that order and repeated keys survive.
    pub fn to_json<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
        let array: Vec<serde_json::Value> = pairs
            .map(|(key, value)| {
                let member = (key.to_owned(), serde_json::Value::from(value));
                serde_json::Value::Object(std::iter::once(member).collect())
            })
            .collect();
        serde_json::to_vec(&array).expect("strings are JSON")
    }
}

impl<'de> Deserialize<'de> for UserProperties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Objects)
    }
}

struct Objects;

impl<'de> Visitor<'de> for Objects {
    type Value = UserProperties;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects like [{\"key\":\"value\"}]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<UserProperties, A::Error> {
        let mut pairs = Vec::new();
        while let Some(Members(members)) = array.next_element()? {
            pairs.extend(members);
        }
        Ok(UserProperties(pairs))
    }
}

/// One object's members in textual order, repeated keys included: a map type would lose both.
struct Members(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MemberVisitor)
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with one string member")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::with_capacity(1);
        while let Some(member) = map.next_entry::<String, String>()? {
            members.push(member);
        }
        if members.is_empty() {
            return Err(serde::de::Error::invalid_length(0, &self));
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Vec<(String, String)>, String> {
        UserProperties::parse(json.as_bytes()).map(|p| p.0)
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn order_and_repeats_survive() {
        let rows: &[(&str, &[(&str, &str)])] = &[
            ("[]", &[]),
            (r#"[{"a":"1"},{"b":"2"},{"a":"3"}]"#, &[("a", "1"), ("b", "2"), ("a", "3")]),
            (r#"[{"z":"1","a":"2","z":"3"}]"#, &[("z", "1"), ("a", "2"), ("z", "3")]),
            (r#" [ {"k":"\u00e4"} ] "#, &[("k", "\u{e4}")]),
            (r#"[{"":""}]"#, &[("", "")]),
        ];
        for (json, expected) in rows {
            assert_eq!(parse(json).unwrap(), pairs(expected), "{json}");
        }
    }

    #[test]
    fn refused() {
        for json in [
            "",
            "{}",
            r#"{"a":"1"}"#,
            "[{}]",
            r#"[{"a":1}]"#,
            r#"[{"a":null}]"#,
            r#"[{"a":["1"]}]"#,
            r#"["a"]"#,
            r#"[{"a":"1"}] x"#,
            r#"[{"a":"1"}"#,
            r#"[["a","1"]]"#,
        ] {
            assert!(parse(json).is_err(), "{json}");
        }
        let deep = "[".repeat(100_000);
        assert!(parse(&deep).is_err());
    }

    #[test]
    fn writes_what_it_reads() {
        let json = r#"[{"a":"1"},{"a":"\"2\""}]"#;
        let read = UserProperties::parse(json.as_bytes()).unwrap();
        let written = UserProperties::to_json(read.0.iter().map(|(k, v)| (&**k, &**v)));
        assert_eq!(String::from_utf8(written).unwrap(), json);
    }
}
