//! Who has a place in the accounts: devices and modules, and what they speak. Refuses to know what
//! they do.

use crate::crash::session::Session;
use mqtt::wire::Version;

/// A device or module that lives as long as the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The client identifier: of a module its device's, `/`, and its own.
    pub name: &'static str,
    /// How it is reached.
    pub speaks: Speaks,
}

/// How it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// MQTT, in a session.
    Mqtt(Version, Session),
    /// HTTP, for its commands alone.
    Http,
}

impl Member {
    /// Whether services may send it commands: it is no module.
    pub fn takes_commands(&self) -> bool {
        !self.name.contains('/')
    }
}

const fn of(name: &'static str, version: Version, session: Session) -> Member {
    Member { name, speaks: Speaks::Mqtt(version, session) }
}

/// In the order of the accounts.
pub const MEMBERS: &[Member] = &[
    of("unit-0", Version::V5, Session::Passing),
    of("unit-1", Version::V5, Session::Begun),
    of("unit-2", Version::V5, Session::Passing),
    of("unit-3", Version::V5, Session::Begun),
    of("classic-0", Version::V311, Session::Passing),
    of("classic-1", Version::V311, Session::Begun),
    of("unit-0/part", Version::V5, Session::Passing),
    of("unit-1/part", Version::V5, Session::Begun),
    Member { name: "fetcher", speaks: Speaks::Http },
];

/// The place of a member, by its name.
pub fn place(name: &str) -> Option<usize> {
    MEMBERS.iter().position(|member| member.name == name)
}
