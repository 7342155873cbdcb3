//! What is read from the documents of twins: numbers by key, and the version. Refuses to know what
//! they should be.

use super::section::Content;
use serde_json::Value;

/// What is desired, of a service's document of a twin.
pub fn desired(twin: &Value) -> Option<(u64, Content)> {
    section(&twin["properties"]["desired"])
}

/// What is reported, of the same.
pub fn reported(twin: &Value) -> Option<(u64, Content)> {
    section(&twin["properties"]["reported"])
}

/// A section: its version and its keys. None when there is no version or a value is no number.
pub fn section(document: &Value) -> Option<(u64, Content)> {
    let version = document["$version"].as_u64()?;
    let mut content = Content::new();
    for (key, value) in document.as_object()? {
        if !key.starts_with('$') {
            content.insert(key.clone(), value.as_u64()?);
        }
    }
    Some((version, content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_numbers_and_the_version() {
        let twin = json!({ "properties": {
            "desired": { "last": 3, "$version": 4, "$metadata": {} },
            "reported": { "$version": 1 },
        }});
        assert_eq!(desired(&twin), Some((4, Content::from([("last".to_owned(), 3)]))));
        assert_eq!(reported(&twin), Some((1, Content::new())));
        assert_eq!(section(&json!({ "last": 1 })), None);
        assert_eq!(section(&json!({ "last": "x", "$version": 1 })), None);
    }
}
