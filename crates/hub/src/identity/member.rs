//! Members of JSON documents that clients send: present, absent or null, of the right type, with
//! the error of C9 for each mistake. Refuses to know which document it is.

use serde_json::{Map, Value};

use crate::errors::{ErrorCode, Refusal};

/// Reads a document that has to be an object.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(format_error("the body has to be a JSON object")),
        Err(error) => Err(format_error(format!("the body is no JSON: {error}"))),
    }
}

/// The members of an object, without those that are null.
#[derive(Clone, Copy)]
pub(super) struct Members<'a> {
    members: &'a Map<String, Value>,
    /// Of which object they are, with a `.` at its end: for messages.
    path: &'static str,
}

impl<'a> Members<'a> {
    pub fn new(members: &'a Map<String, Value>, path: &'static str) -> Self {
        Self { members, path }
    }

    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    pub fn text(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        self.typed(name, "a string", Value::as_str)
    }

    /// A text in which "" is as good as none.
    pub fn filled(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        Ok(self.text(name)?.filter(|text| !text.is_empty()))
    }

    /// A text of at most `chars_max` characters in which "" is as good as none.
    pub fn bounded(&self, name: &str, chars_max: usize) -> Result<Option<Box<str>>, Refusal> {
        match self.filled(name)? {
            Some(text) if text.chars().count() > chars_max => {
                Err(self.invalid(name, &format!("has more than {chars_max} characters")))
            }
            text => Ok(text.map(Into::into)),
        }
    }

    pub fn boolean(&self, name: &str) -> Result<Option<bool>, Refusal> {
        self.typed(name, "true or false", Value::as_bool)
    }

    pub fn object(&self, name: &str) -> Result<Option<&'a Map<String, Value>>, Refusal> {
        self.typed(name, "an object", Value::as_object)
    }

    pub fn array(&self, name: &str) -> Result<Option<&'a [Value]>, Refusal> {
        self.typed(name, "an array", |value| value.as_array().map(Vec::as_slice))
    }

    /// A member that has to be there is not.
    pub fn missing(&self, name: &str) -> Refusal {
        let path = self.path;
        Refusal::new(ErrorCode::ArgumentNull, format!("{path}{name} has to be given"))
    }

    /// A member has a value that it must not have.
    pub fn invalid(&self, name: &str, why: &str) -> Refusal {
        Refusal::new(ErrorCode::ArgumentInvalid, format!("{}{name} {why}", self.path))
    }

    fn typed<T>(
        &self,
        name: &str,
        what: &str,
        cast: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let typed = cast(value);
        typed.map(Some).ok_or_else(|| format_error(format!("{}{name} is not {what}", self.path)))
    }
}

/// What cannot be read at all.
pub(super) fn format_error(message: impl Into<Box<str>>) -> Refusal {
    Refusal::new(ErrorCode::IotHubFormatError, message)
}
