//! Topic aliases that a client set for its own PUBLISH packets (MQTT 5, 3.3.2.3.4).

/// Alias to topic name, for one connection: mappings end with it (3.3.2-7).
#[derive(Debug, Default)]
pub struct Aliases(Option<Box<Map>>);

/// Topic names by alias, from 1 on, and the bytes of them all.
#[derive(Debug, Default)]
struct Map {
    topics: Vec<Option<Box<str>>>,
    bytes: usize,
}

/// Why an alias cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasError {
    /// Zero or above the announced Topic Alias Maximum: 0x94.
    OutOfRange,
    /// No topic name was given for it on this connection: 0x82.
    Unknown,
    /// The topic names of all aliases would hold more bytes than they may: 0x97.
    TooManyBytes,
}

impl Aliases {
    /// Maps `alias` to `topic` from now on; `max` is the announced Topic Alias Maximum,
    /// `bytes_max` what all topic names together may hold.
    pub fn set(
        &mut self,
        alias: u16,
        topic: &str,
        max: u16,
        bytes_max: usize,
    ) -> Result<(), AliasError> {
        if alias == 0 || alias > max {
            return Err(AliasError::OutOfRange);
        }
        let map = self.0.get_or_insert_default();
        let at = usize::from(alias) - 1;
        if map.topics.len() <= at {
            map.topics.resize(at + 1, None);
        }
        let old = map.topics[at].as_deref();
        if old == Some(topic) {
            return Ok(());
        }
        let bytes = map.bytes - old.map_or(0, str::len) + topic.len();
        if bytes > bytes_max {
            return Err(AliasError::TooManyBytes);
        }
        map.bytes = bytes;
        map.topics[at] = Some(topic.into());
        Ok(())
    }

    /// Bytes of all topic names.
    pub fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |map| map.bytes)
    }

    /// The topic name behind `alias`.
    pub fn get(&self, alias: u16, max: u16) -> Result<&str, AliasError> {
        if alias == 0 || alias > max {
            return Err(AliasError::OutOfRange);
        }
        self.0
            .as_ref()
            .and_then(|map| map.topics.get(usize::from(alias) - 1)?.as_deref())
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
        assert_eq!(a.set(11, "t", 10, 9), Err(AliasError::OutOfRange));
        assert_eq!(a.set(0, "t", 10, 9), Err(AliasError::OutOfRange));
        a.set(10, "t", 10, 9).unwrap();
        assert_eq!(a.get(10, 10), Ok("t"));
        a.set(10, "u", 10, 9).unwrap();
        assert_eq!(a.get(10, 10), Ok("u"));
        assert_eq!(a.get(9, 10), Err(AliasError::Unknown));
        assert_eq!(a.bytes(), 1);
    }

    #[test]
    fn the_bytes_of_all_topics_are_bounded() {
        let mut a = Aliases::default();
        a.set(1, "12345", 10, 9).unwrap();
        a.set(2, "1234", 10, 9).unwrap();
        assert_eq!(a.set(3, "1", 10, 9), Err(AliasError::TooManyBytes));
        a.set(2, "abcd", 10, 9).unwrap();
        assert_eq!(a.set(2, "abcde", 10, 9), Err(AliasError::TooManyBytes));
        assert_eq!((a.get(2, 10), a.bytes()), (Ok("abcd"), 9));
        a.set(1, "1", 10, 9).unwrap();
        a.set(3, "1234", 10, 9).unwrap();
        assert_eq!(a.bytes(), 9);
    }
}
