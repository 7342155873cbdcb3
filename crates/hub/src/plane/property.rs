//! User properties by name (iot-hub A12): each known one at most once, the rest for the caller to
//! judge. Refuses to know which operation has which.

use super::limits::SHOWN_NAME_CHARS_MAX;

/// A rule that a property breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("property '{name}' {rule}")]
pub struct PropertyError {
    /// Its name, or the beginning of one that is long.
    pub name: Box<str>,
    /// The rule.
    pub rule: PropertyRule,
}

/// What may be wrong with a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PropertyRule {
    /// The operation has none of that name.
    #[error("is not defined for this operation; one of your own begins with '@'")]
    Unknown,
    /// It stands there twice.
    #[error("stands there twice")]
    Twice,
    /// It has to be there.
    #[error("has to be given")]
    Missing,
    /// Its value is not what it has to be.
    #[error("has to be {0}")]
    Malformed(&'static str),
}

impl PropertyError {
    pub(super) fn new(name: &str, rule: PropertyRule) -> Self {
        let name: String = name.chars().take(SHOWN_NAME_CHARS_MAX).collect();
        Self { name: name.into(), rule }
    }
}

/// The values of `names` among user properties, in the order of `names`; every other one goes to
/// `other`.
///
/// # Errors
/// A name that stands there twice, and what `other` says.
pub(super) fn read<'p, const N: usize>(
    properties: impl Iterator<Item = (&'p str, &'p str)>,
    names: [&str; N],
    mut other: impl FnMut(&'p str, &'p str) -> Result<(), PropertyError>,
) -> Result<[Option<&'p str>; N], PropertyError> {
    let mut values = [None; N];
    for (name, value) in properties {
        match names.iter().position(|known| *known == name) {
            Some(at) if values[at].is_some() => {
                return Err(PropertyError::new(name, PropertyRule::Twice));
            }
            Some(at) => values[at] = Some(value),
            None => other(name, value)?,
        }
    }
    Ok(values)
}

/// For messages without application properties, which are tolerated there.
pub(super) fn no_other(name: &str, _value: &str) -> Result<(), PropertyError> {
    if name.starts_with(APPLICATION) { Ok(()) } else { Err(unknown(name)) }
}

/// A property that the operation has not.
pub(super) fn unknown(name: &str) -> PropertyError {
    PropertyError::new(name, PropertyRule::Unknown)
}

/// The value of a property under its type.
///
/// # Errors
/// When it is there and is not of the type, of which `what` is the description.
pub(super) fn typed<T>(
    name: &str,
    value: Option<&str>,
    what: &'static str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, PropertyError> {
    let Some(value) = value else { return Ok(None) };
    let malformed = || PropertyError::new(name, PropertyRule::Malformed(what));
    read(value).map(Some).ok_or_else(malformed)
}

/// What the names of application properties begin with.
pub(super) const APPLICATION: char = '@';
pub(super) const A_U32: &str = "a number from 0 to 4294967295";
pub(super) const A_U64: &str = "a number from 0 to 18446744073709551615";
pub(super) const A_TIME: &str = "milliseconds since 1970 began";

#[cfg(test)]
mod tests {
    use super::super::typed;
    use super::*;

    #[test]
    fn known_ones_once_and_the_rest_for_the_caller() {
        let all = [("b", "1"), ("@x", "2"), ("a", "3"), ("B", "4")];
        let mut rest = Vec::new();
        let values = read(all.into_iter(), ["a", "b", "c"], |name, _| {
            rest.push(name);
            Ok(())
        });
        assert_eq!(values, Ok([Some("3"), Some("1"), None]));
        assert_eq!(rest, ["@x", "B"]);

        let twice = read([("a", ""), ("a", "")].into_iter(), ["a"], no_other).unwrap_err();
        assert_eq!(twice.to_string(), "property 'a' stands there twice");
        let other = read([("@a", ""), ("A", "")].into_iter(), ["a"], no_other).unwrap_err();
        assert_eq!((&*other.name, other.rule), ("A", PropertyRule::Unknown));
    }

    #[test]
    fn errors_name_the_property_and_not_all_of_a_long_one() {
        let long = "é".repeat(60_000);
        assert_eq!(unknown(&long).name.chars().count(), 64);
        let bad = typed("if-version", Some("x"), A_U64, typed::u64).unwrap_err();
        let text = "property 'if-version' has to be a number from 0 to 18446744073709551615";
        assert_eq!(bad.to_string(), text);
        assert_eq!(typed("n", None, A_U64, typed::u64), Ok(None));
        assert_eq!(typed("n", Some("7"), A_U64, typed::u64), Ok(Some(7)));
    }
}
