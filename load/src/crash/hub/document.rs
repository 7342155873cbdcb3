//! What is read from the documents of twins, numbers by key and the version, and from those of
//! jobs. Refuses to know what they should be.

use super::jobs::Shown;
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

/// A job. None when something lacks that each has.
pub fn job(document: &Value) -> Option<Shown> {
    let count = |name: &str| document["deviceJobStatistics"][name].as_u64();
    Some(Shown {
        status: document["status"].as_str()?.to_owned(),
        end: document["endTime"].as_str().map(str::to_owned),
        devices: count("deviceCount")?,
        succeeded: count("succeededCount")?,
        failed: count("failedCount")?,
    })
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
        let counts = json!({ "deviceCount": 3, "succeededCount": 2, "failedCount": 1 });
        let ended = json!({ "status": "completed", "endTime": "t", "deviceJobStatistics": counts });
        let (status, end) = ("completed".to_owned(), Some("t".to_owned()));
        let due = Shown { status, end, devices: 3, succeeded: 2, failed: 1 };
        assert_eq!((job(&ended), job(&json!({ "status": "running" }))), (Some(due), None));
    }
}
