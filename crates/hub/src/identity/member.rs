//! Members of JSON documents that clients send: present, absent or null, of the right type, with
//! the error of C9 for each mistake. Refuses to know which document it is.

use super::limits::REQUEST_DEPTH_MAX;
use crate::errors::{ErrorCode, Refusal};
use crate::json::{self, Value};

/// Reads a document that has to be an object.
pub(crate) fn object(bytes: &[u8]) -> Result<Value<'_>, Refusal> {
    match read(bytes)? {
        object @ Value::Object(_) => Ok(object),
        _ => Err(format_error("the body has to be a JSON object")),
    }
}

/// Reads a document that has to be an array; what its elements are is not looked at.
pub(crate) fn array(bytes: &[u8]) -> Result<Vec<Value<'_>>, Refusal> {
    match read(bytes)? {
        Value::List(elements) => Ok(elements),
        _ => Err(format_error("the body has to be a JSON array")),
    }
}

fn read(bytes: &[u8]) -> Result<Value<'_>, Refusal> {
    json::parse(bytes, REQUEST_DEPTH_MAX)
        .map_err(|error| format_error(format!("the body is no JSON: {error}")))
}

/// The members of an object, without those that are null.
#[derive(Clone, Copy)]
pub(crate) struct Members<'a> {
    object: &'a Value<'a>,
    /// Of which object they are, with a `.` at its end: for messages.
    path: &'static str,
}

impl<'a> Members<'a> {
    pub fn new(object: &'a Value<'a>, path: &'static str) -> Self {
        Self { object, path }
    }

    pub fn get(&self, name: &str) -> Option<&'a Value<'a>> {
        self.object.member(name).filter(|value| !matches!(value, Value::Null))
    }

    pub fn text(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        self.typed(name, "a string", |value| match value {
            Value::Text(text) => Some(&**text),
            _ => None,
        })
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
        self.typed(name, "true or false", |value| match value {
            Value::Bool(given) => Some(*given),
            _ => None,
        })
    }

    pub fn object(&self, name: &str) -> Result<Option<&'a Value<'a>>, Refusal> {
        self.typed(name, "an object", |value| matches!(value, Value::Object(_)).then_some(value))
    }

    pub fn array(&self, name: &str) -> Result<Option<&'a [Value<'a>]>, Refusal> {
        self.typed(name, "an array", |value| match value {
            Value::List(elements) => Some(&**elements),
            _ => None,
        })
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
        cast: impl FnOnce(&'a Value<'a>) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let typed = cast(value);
        typed.map(Some).ok_or_else(|| format_error(format!("{}{name} is not {what}", self.path)))
    }
}

/// What cannot be read at all.
pub(crate) fn format_error(message: impl Into<Box<str>>) -> Refusal {
    Refusal::new(ErrorCode::IotHubFormatError, message)
}
