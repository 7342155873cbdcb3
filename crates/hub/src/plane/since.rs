//! `since-version` of a SUBSCRIBE: which `$version` of its desired properties a device last saw.
//! Ours, and opt-in: who does not say it hears nothing new (product: twins). Refuses to know what
//! the device has missed.

use super::typed;
use mqtt::wire::Properties;

/// What a SUBSCRIBE says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// Nothing.
    Absent,
    /// This version; 0 = none yet.
    Version(u64),
    /// Something else than one `u64`.
    Unreadable,
}

impl Since {
    /// Reads the user property.
    pub fn of(properties: Properties<'_>) -> Self {
        let mut said = properties.user().filter(|(name, _)| *name == SINCE_VERSION);
        match (said.next(), said.next()) {
            (None, _) => Self::Absent,
            (Some((_, text)), None) => typed::u64(text).map_or(Self::Unreadable, Self::Version),
            (Some(_), Some(_)) => Self::Unreadable,
        }
    }
}

const SINCE_VERSION: &str = "since-version";

#[cfg(test)]
mod tests {
    use super::super::telemetry::tests::block;
    use super::*;
    use mqtt::wire::Property;

    #[test]
    fn it_is_one_number_or_nothing() {
        for (said, expected) in [
            (&[][..], Since::Absent),
            (&[("Since-Version", "1")], Since::Absent),
            (&[("x", "y"), ("since-version", "7")], Since::Version(7)),
            (&[("since-version", "0")], Since::Version(0)),
            (&[("since-version", "-1")], Since::Unreadable),
            (&[("since-version", "")], Since::Unreadable),
            (&[("since-version", "1"), ("since-version", "1")], Since::Unreadable),
        ] {
            let all: Vec<_> = said.iter().map(|(name, text)| Property::User(name, text)).collect();
            let raw = block(&all);
            assert_eq!(Since::of(Properties::trusted(&raw)), expected, "{said:?}");
        }
    }
}
