//! The ids of devices and modules (iot-hub C3), and both together as a client identifier has them
//! (A2). Refuses to know which are registered.

use super::limits::ID_CHARS_MAX;
use crate::registry::Ids;
use std::borrow::Borrow;
use std::fmt;

macro_rules! id {
    ($name:ident, $what:literal) => {
        #[doc = concat!("The id of a ", $what, ": 1 to 128 ASCII letters, digits and ")]
        /// ``-.+%_#*?!(),=@$':;``. Case counts.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks length and characters and copies.
            ///
            /// # Errors
            /// The rule that the text breaks.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                check(text).map(|()| Self(text.into()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(DeviceId, "device");
id!(ModuleId, "module");

/// A device, or a module of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityId {
    /// The device.
    pub device: DeviceId,
    /// The module; `None` = the device itself.
    pub module: Option<ModuleId>,
}

impl IdentityId {
    /// Of ids that were checked before.
    pub(crate) fn of(ids: Ids<'_>) -> Self {
        Self { device: DeviceId(ids.device.into()), module: ids.module.map(|m| ModuleId(m.into())) }
    }

    /// Reads a client identifier: `{deviceId}` or `{deviceId}/{moduleId}`.
    ///
    /// # Errors
    /// The rule that one of the ids breaks.
    pub fn parse(client_id: &str) -> Result<Self, NameError> {
        let (device, module) = match client_id.split_once('/') {
            Some((device, module)) => (device, Some(ModuleId::parse(module)?)),
            None => (client_id, None),
        };
        Ok(Self { device: DeviceId::parse(device)?, module })
    }
}

impl From<DeviceId> for IdentityId {
    fn from(device: DeviceId) -> Self {
        Self { device, module: None }
    }
}

/// As the client identifier has it.
impl fmt::Display for IdentityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.module {
            Some(module) => write!(f, "{}/{module}", self.device),
            None => self.device.fmt(f),
        }
    }
}

/// Why a text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No characters.
    #[error("is empty")]
    Empty,
    /// More than 128.
    #[error("is longer than 128 characters")]
    TooLong,
    /// One that an id has not.
    #[error("has the character {0:?}; letters, digits and -.+%_#*?!(),=@$':; may stand there")]
    Character(char),
}

fn check(text: &str) -> Result<(), NameError> {
    let good = |c: char| c.is_ascii_alphanumeric() || MARKS.contains(c);
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.chars().take(ID_CHARS_MAX + 1).count() > ID_CHARS_MAX {
        return Err(NameError::TooLong);
    }
    text.chars().find(|c| !good(*c)).map_or(Ok(()), |c| Err(NameError::Character(c)))
}

/// The last two are in no SDK's documentation and in one SDK's check.
const MARKS: &str = "-.+%_#*?!(),=@$':;";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_and_length() {
        let longest = "x".repeat(128);
        for good in ["D1", "d1", "-.+%_#*?!(),=@$'", "a:b;c", "0", &longest] {
            assert_eq!(DeviceId::parse(good).unwrap().as_str(), good);
            assert_eq!(ModuleId::parse(good).unwrap().as_str(), good);
        }
        assert_ne!(DeviceId::parse("D1"), DeviceId::parse("d1"));
        let rows = [
            ("", NameError::Empty),
            (&*"x".repeat(129), NameError::TooLong),
            (&*"é".repeat(129), NameError::TooLong),
            ("a/b", NameError::Character('/')),
            ("a b", NameError::Character(' ')),
            ("a\0", NameError::Character('\0')),
            ("é", NameError::Character('é')),
            ("a&b", NameError::Character('&')),
            ("a\"b", NameError::Character('"')),
            ("a\\b", NameError::Character('\\')),
            ("a~b", NameError::Character('~')),
            ("a<b", NameError::Character('<')),
            ("a[b", NameError::Character('[')),
        ];
        for (bad, error) in rows {
            assert_eq!(DeviceId::parse(bad), Err(error), "{bad}");
            assert_eq!(ModuleId::parse(bad), Err(error), "{bad}");
        }
    }

    #[test]
    fn client_identifiers() {
        for (text, module) in [("D1", None), ("dev1/mod1", Some("mod1"))] {
            let id = IdentityId::parse(text).unwrap();
            assert_eq!(id.to_string(), text);
            assert_eq!(id.module.as_ref().map(ModuleId::as_str), module);
        }
        for bad in ["", "/", "D1/", "/m", "a/b/c"] {
            assert!(IdentityId::parse(bad).is_err(), "{bad}");
        }
    }
}
