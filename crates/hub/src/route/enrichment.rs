//! What is added to a message on its way to some endpoints (iot-hub B5). Refuses to know the
//! endpoints.

use std::borrow::Cow;

use super::limits::ENRICHMENT_CHARS_MAX;
use super::target::Targets;
use crate::query::{Document, Message, Path, Root};
use crate::telemetry::MESSAGE_BYTES_MAX;

/// An enrichment as an operator writes it.
#[derive(Debug, Clone, Copy)]
pub struct WantedEnrichment<'w> {
    /// The application property: letters, digits, `-`, `_`, `.`.
    pub key: &'w str,
    /// Any text, `$iothubname`, or a path that begins with `$twin.`.
    pub value: &'w str,
    /// Where it is added.
    pub endpoints: &'w [&'w str],
}

/// Properties that a message gets: name and value. One that it has under that name is replaced.
pub type Added<'a> = Vec<(&'a str, Cow<'a, str>)>;

/// With what is added the message is larger than messages are: it is dropped there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("with its enrichments the message has {bytes} bytes, and may have {MESSAGE_BYTES_MAX}")]
pub struct TooLarge {
    /// As the limit counts.
    pub bytes: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Enrichment {
    pub key: Box<str>,
    text: Box<str>,
    value: Value,
    pub targets: Targets,
}

#[derive(Debug, Clone)]
enum Value {
    Literal,
    HubName,
    Twin(Path),
}

impl Enrichment {
    pub fn of(wanted: &WantedEnrichment<'_>, targets: Targets) -> Result<Self, String> {
        let WantedEnrichment { key, value, .. } = *wanted;
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !(1..=ENRICHMENT_CHARS_MAX).contains(&key.len()) || !key.bytes().all(good) {
            let rule = "letters, digits, '-', '_' and '.'";
            return Err(format!("its key has 1 to {ENRICHMENT_CHARS_MAX} {rule}"));
        }
        let is_text = !value.is_empty() && !value.chars().any(char::is_control);
        if !is_text || value.chars().count() > ENRICHMENT_CHARS_MAX {
            return Err(format!("its value has 1 to {ENRICHMENT_CHARS_MAX} characters"));
        }
        let (text, key) = (value.into(), key.into());
        let value = match value.split_once('.') {
            _ if value.eq_ignore_ascii_case("$iothubname") => Value::HubName,
            Some((root, _)) if root.eq_ignore_ascii_case("$twin") => {
                Value::Twin(Path::of_route(value).map_err(|e| format!("its value: {e}"))?)
            }
            _ => Value::Literal,
        };
        Ok(Self { key, text, value, targets })
    }

    pub fn looks_into_twin(&self) -> bool {
        matches!(self.value, Value::Twin(_))
    }

    /// What it is for one message: the text of the path where there is nothing.
    fn value<'a>(&'a self, hub_name: &'a str, message: &Message<'_>) -> Cow<'a, str> {
        match &self.value {
            Value::Literal => Cow::Borrowed(&self.text),
            Value::HubName => Cow::Borrowed(hub_name),
            Value::Twin(path) => {
                debug_assert_eq!(path.root, Root::Twin);
                if let Some(text) = message.value(path).text() {
                    return Cow::Owned(text.to_owned());
                }
                let mut json = Vec::new();
                match message.write(path, &mut json) {
                    true => Cow::Owned(String::from_utf8_lossy(&json).into_owned()),
                    false => Cow::Borrowed(&self.text),
                }
            }
        }
    }
}

/// What these add to a message of `bytes`.
pub(super) fn add<'a>(
    enrichments: impl Iterator<Item = &'a Enrichment>,
    hub_name: &'a str,
    message: &Message<'_>,
    mut bytes: usize,
) -> Result<Added<'a>, TooLarge> {
    let mut added = Added::new();
    for enrichment in enrichments {
        let (key, value) = (&*enrichment.key, enrichment.value(hub_name, message));
        let replaced = message.properties.iter().filter(|(name, _)| *name == key);
        let replaced: usize = replaced.map(|(name, value)| name.len() + value.len()).sum();
        bytes = (bytes + key.len() + value.len()).saturating_sub(replaced);
        added.push((key, value));
    }
    if bytes > MESSAGE_BYTES_MAX { Err(TooLarge { bytes }) } else { Ok(added) }
}
