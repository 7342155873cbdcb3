//! One message of a device or to it, whichever protocol carried it (iot-hub B4). Refuses to know
//! how it was spelled there and where it goes.

use super::application::ApplicationProperties;
use super::charset::is_id_character;
use super::limits::{ID_CHARS_MAX, MESSAGE_BYTES_MAX};
use super::system::{SystemName, SystemProperties};

/// Body and properties.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message<'m> {
    /// Any bytes.
    pub body: &'m [u8],
    /// What the hub has names for.
    pub system: SystemProperties<'m>,
    /// What the sender made up.
    pub application: ApplicationProperties<'m>,
}

impl Message<'_> {
    /// What counts against the limit: body, values of system properties, names and values of
    /// application properties, in bytes. What the hub stamps does not count.
    pub fn bytes(&self) -> usize {
        self.body.len() + self.system.bytes() + self.application.bytes()
    }

    /// Holds the message against the rules of size and characters that no protocol is free of.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self) -> Result<(), Invalid> {
        for (name, value) in self.system.ids() {
            let Some(value) = value else { continue };
            let name = name.dashed();
            if let Some(c) = value.chars().find(|c| !is_id_character(*c)) {
                return Err(Invalid::IdCharacter { name, c });
            }
            if value.len() > ID_CHARS_MAX {
                return Err(Invalid::IdTooLong { name });
            }
        }
        match self.bytes() {
            bytes if bytes > MESSAGE_BYTES_MAX => Err(Invalid::TooLarge { bytes }),
            _ => Ok(()),
        }
    }

    /// A message that a lost connection leaves behind says that it is one (A2, D1).
    pub fn mark_as_will(&mut self) {
        self.application.set("iothub-MessageType", "Will");
    }

    /// Shows each system property that the sender gave, and those of a stamp, if there is one.
    pub fn each_system(
        &self,
        stamp: Option<&super::Stamp<'_>>,
        mut show: impl FnMut(SystemName, &str),
    ) {
        self.system.each(&mut show);
        if let Some(stamp) = stamp {
            stamp.each(show);
        }
    }
}

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// An id has a character that ids have not.
    #[error(
        "{name} has the character {c:?}; letters, digits and -:.+%_#*?!(),=@;$' may stand there"
    )]
    IdCharacter {
        /// Which property.
        name: &'static str,
        /// The first such character.
        c: char,
    },
    /// An id is longer than ids are.
    #[error("{name} is longer than {ID_CHARS_MAX} characters")]
    IdTooLong {
        /// Which property.
        name: &'static str,
    },
    /// The message is larger than messages are.
    #[error("the message has {bytes} bytes with its properties, and may have {MESSAGE_BYTES_MAX}")]
    TooLarge {
        /// As the limit counts.
        bytes: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_is_body_values_and_names_of_application_properties() {
        let body = vec![0; MESSAGE_BYTES_MAX - 7];
        let application =
            |value: &'static str| ApplicationProperties::of(vec![("k".into(), value.into())]);
        let system =
            SystemProperties { content_type: Some("json".into()), ..SystemProperties::default() };
        let fits = Message { body: &body, system, application: application("12") };
        assert_eq!((fits.bytes(), fits.check()), (MESSAGE_BYTES_MAX, Ok(())));
        let over = Message { application: application("123"), ..fits };
        assert_eq!(over.check(), Err(Invalid::TooLarge { bytes: MESSAGE_BYTES_MAX + 1 }));
    }

    #[test]
    fn ids_have_their_characters_and_length() {
        let longest = "x".repeat(128);
        let too_long = "x".repeat(129);
        let with = |id: &str| {
            [0, 1, 2].map(|which| {
                let mut system = SystemProperties::default();
                let place = match which {
                    0 => &mut system.message_id,
                    1 => &mut system.correlation_id,
                    _ => &mut system.user_id,
                };
                *place = Some(id.to_string().into());
                Message { system, ..Message::default() }.check()
            })
        };
        for good in ["", "a-b:c.d+e%f_g#h*i?j!k(l)m,n=o@p;q$r's", &longest] {
            assert_eq!(with(good), [Ok(()); 3], "{good}");
        }
        let names = ["message-id", "correlation-id", "user-id"];
        for c in ['/', ' ', 'é', '\u{1}'] {
            let bad = format!("a{c}b");
            assert_eq!(with(&bad), names.map(|name| Err(Invalid::IdCharacter { name, c })));
        }
        assert_eq!(with(&too_long), names.map(|name| Err(Invalid::IdTooLong { name })));
    }

    #[test]
    fn a_will_says_that_it_is_one() {
        let mut will = Message::default();
        will.mark_as_will();
        assert!(will.application.iter().eq([("iothub-MessageType", "Will")]));
    }
}
