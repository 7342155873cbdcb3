//! Topic aliases that a client set for its own PUBLISH packets (MQTT 5, 3.3.2.3.4).

/// Alias to topic name, for one connection: mappings end with it (3.3.2-7).
#[derive(Debug, Default)]
#[expect(clippy::box_collection, reason = "a connection without aliases pays one word")]
pub struct Aliases(Option<Box<Vec<Option<Box<str>>>>>);

/// Why an alias cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasError {
    /// Zero or above the announced Topic Alias Maximum: 0x94.
    OutOfRange,
    /// No topic name was given for it on this connection: 0x82.
    Unknown,
}

impl Aliases {
    /// Maps `alias` to `topic` from now on; `max` is the announced Topic Alias Maximum.
    pub fn set(&mut self, alias: u16, topic: &str, max: u16) -> Result<(), AliasError> {
        if alias == 0 || alias > max {
            return Err(AliasError::OutOfRange);
        }
        let map = self.0.get_or_insert_default();
        let at = usize::from(alias) - 1;
        if map.len() <= at {
            map.resize(at + 1, None);
        }
        if map[at].as_deref() != Some(topic) {
            map[at] = Some(topic.into());
        }
        Ok(())
    }

    /// The topic name behind `alias`.
    pub fn get(&self, alias: u16, max: u16) -> Result<&str, AliasError> {
        if alias == 0 || alias > max {
            return Err(AliasError::OutOfRange);
        }
        self.0
            .as_ref()
            .and_then(|map| map.get(usize::from(alias) - 1)?.as_deref())
            .ok_or(AliasError::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_set_used_and_bounded() {
        let mut a = Aliases::default();
        assert_eq!(a.get(1, 10), Err(AliasError::Unknown));
        assert_eq!(a.set(11, "t", 10), Err(AliasError::OutOfRange));
        assert_eq!(a.set(0, "t", 10), Err(AliasError::OutOfRange));
        a.set(10, "t", 10).unwrap();
        assert_eq!(a.get(10, 10), Ok("t"));
        a.set(10, "u", 10).unwrap();
        assert_eq!(a.get(10, 10), Ok("u"));
        assert_eq!(a.get(9, 10), Err(AliasError::Unknown));
    }
}
