//! Whose a session is, so that a restart can say again what it may do.

use super::reader::{Fault, Reader};
use super::writer::Writer;
use broker::access::{Manage, PermissionSets, Principal, Source};
use std::sync::Arc;

/// The principal of a session. Its name is what a later CONNECT is compared with, its source says
/// whether it counts for the quota of sessions, and its rights hold for its will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner<'a> {
    /// The authentication name in its original case.
    pub name: &'a str,
    /// How it proved itself.
    pub source: Source,
    /// Domain wall milliseconds at which the proof ends; `None` = with the connection.
    pub expires_at_ms: Option<u64>,
    /// What it may do.
    pub rights: Rights<'a>,
}

/// Where the permissions of an owner come from after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rights<'a> {
    /// From the registry and policy of that time, by its name: clients, whose attributes and
    /// groups the configuration holds.
    ByName,
    /// From here: a token's roles came with the token, which is not kept.
    Granted {
        /// Filters of topics that may be published to.
        publish: Vec<&'a str>,
        /// Filters that may be subscribed to.
        subscribe: Vec<&'a str>,
        /// Whether management and service APIs may be used.
        manage: Manage,
    },
}

impl<'a> Owner<'a> {
    /// What has to be kept of a principal.
    pub fn of(principal: &'a Principal) -> Self {
        let set = &principal.permissions;
        let rights = match principal.source {
            Source::Certificate | Source::Password | Source::Anonymous | Source::Device => {
                Rights::ByName
            }
            Source::Token => Rights::Granted {
                publish: set.publish_filters().iter().map(|filter| &**filter).collect(),
                subscribe: set.subscribe_filters().iter().map(|filter| &**filter).collect(),
                manage: set.manage(),
            },
        };
        let Principal { name, source, expires_at_ms, .. } = principal;
        Self { name, source: *source, expires_at_ms: *expires_at_ms, rights }
    }

    /// The principal that it was, among the sets in use; `None` where the rights are found
    /// [`ByName`](Rights::ByName).
    pub fn to_principal(&self, sets: &PermissionSets) -> Option<Principal> {
        let Rights::Granted { publish, subscribe, manage } = &self.rights else { return None };
        let owned = |filters: &[&str]| filters.iter().map(ToString::to_string).collect();
        let permissions = sets.intern(owned(publish), owned(subscribe), *manage);
        let (source, expires_at_ms) = (self.source, self.expires_at_ms);
        Some(Principal { name: Arc::from(self.name), permissions, expires_at_ms, source })
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        let source = match SOURCES.iter().position(|source| *source == self.source) {
            Some(place) => place as u8,
            None => DEVICE,
        };
        let rights = match self.rights {
            Rights::ByName => 0,
            Rights::Granted { manage: Manage::No, .. } => GRANTED,
            Rights::Granted { manage: Manage::Yes, .. } => GRANTED | MANAGE,
        };
        w.byte(source | rights);
        w.bytes(self.name.as_bytes());
        w.moment(self.expires_at_ms.unwrap_or(u64::MAX));
        if let Rights::Granted { publish, subscribe, .. } = &self.rights {
            for filters in [publish, subscribe] {
                w.filters(filters);
            }
        }
    }

    pub(super) fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        let flags = r.byte()?;
        let source = if flags == DEVICE { Source::Device } else { SOURCES[usize::from(flags & 3)] };
        let name = r.text()?;
        let expires_at_ms = Some(r.moment()?).filter(|at_ms| *at_ms != u64::MAX);
        let rights = match flags & !3 {
            0 => Rights::ByName,
            _ if flags == DEVICE => Rights::ByName,
            GRANTED => granted(r, Manage::No)?,
            GRANTED_AND_MANAGE => granted(r, Manage::Yes)?,
            _ => return Err(Fault::Malformed("an owner's rights have no such form")),
        };
        Ok(Self { name, source, expires_at_ms, rights })
    }
}

fn granted<'a>(r: &mut Reader<'a>, manage: Manage) -> Result<Rights<'a>, Fault> {
    Ok(Rights::Granted { publish: r.filters()?, subscribe: r.filters()?, manage })
}

/// By their number in the first two bits.
const SOURCES: [Source; 4] =
    [Source::Certificate, Source::Token, Source::Password, Source::Anonymous];
/// Alone, without rights.
const DEVICE: u8 = 1 << 4;
const GRANTED: u8 = 1 << 2;
const MANAGE: u8 = 1 << 3;
const GRANTED_AND_MANAGE: u8 = GRANTED | MANAGE;

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(source: Source, sets: &PermissionSets) -> Principal {
        let permissions = sets.intern(vec!["a/+".into()], vec!["b/#".into()], Manage::Yes);
        Principal { name: "Ann".into(), permissions, expires_at_ms: Some(9), source }
    }

    #[test]
    fn a_tokens_rights_are_the_same_set_again() {
        let sets = PermissionSets::default();
        let before = principal(Source::Token, &sets);
        let mut bytes = Vec::new();
        Owner::of(&before).write(&mut Writer(&mut bytes));
        let read = Owner::read(&mut Reader::new(&bytes)).unwrap();
        let after = read.to_principal(&sets).expect("a token's rights are kept");
        assert!(Arc::ptr_eq(&before.permissions, &after.permissions));
        assert_eq!((&*after.name, after.source), ("Ann", Source::Token));
        assert_eq!(after.expires_at_ms, Some(9));
    }

    #[test]
    fn a_clients_rights_are_asked_for_by_its_name() {
        let sets = PermissionSets::default();
        for source in [Source::Certificate, Source::Password, Source::Anonymous, Source::Device] {
            let before = principal(source, &sets);
            let owner = Owner::of(&before);
            assert_eq!((owner.name, owner.source), ("Ann", source));
            assert_eq!(owner.rights, Rights::ByName);
            assert!(owner.to_principal(&sets).is_none());
            let mut bytes = Vec::new();
            owner.write(&mut Writer(&mut bytes));
            assert_eq!(Owner::read(&mut Reader::new(&bytes)), Ok(owner));
        }
    }
}
