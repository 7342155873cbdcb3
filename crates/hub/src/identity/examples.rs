//! Identities for tests: fixed ones, and any that can be. Refuses to know what is tried.

use super::{
    Authentication, Device, DeviceId, Edge, Fresh, Generation, Identity, IdentityId, Module,
    ModuleId, Packed, Part, Status, Thumbprint, Thumbprints,
};
use crate::chance::Chance;
use crate::sas::{Key, SymmetricKeys};
use crate::{Etag, Moment};

/// The fresh numbers 7 and 8, keys of bytes 1 and 2, at 1,600,000,000,000 ms.
pub(super) fn fresh() -> Fresh {
    Fresh {
        generation: Generation(7),
        etag: Etag(8),
        primary: [1; 32],
        secondary: [2; 32],
        now_ms: 1_600_000_000_000,
    }
}

pub(super) fn id(client_id: &str) -> IdentityId {
    IdentityId::parse(client_id).unwrap()
}

pub(super) fn keys(primary: u8, secondary: u8) -> Authentication {
    Authentication::Sas(SymmetricKeys {
        primary: Key::generated(&[primary; 32]),
        secondary: Key::generated(&[secondary; 32]),
    })
}

/// A device or module with keys of bytes 3 and 4, generation 1, etag 1.
pub(crate) fn identity(client_id: &str) -> Identity {
    let IdentityId { device, module } = id(client_id);
    let part = match module {
        None => Part::Device(Device::default()),
        Some(id) => Part::Module(Module { id, managed_by: None }),
    };
    let (generation, etag) = (Generation(1), Etag(1));
    Identity { device, generation, etag, authentication: keys(3, 4), part }
}

/// A device or module as its record, with an etag.
pub(crate) fn named(device: &str, module: Option<&str>, etag: u64) -> Packed {
    let client_id = module.map_or(device.to_owned(), |module| format!("{device}/{module}"));
    Packed::from(&Identity { etag: Etag(etag), ..identity(&client_id) })
}

/// Any identity.
pub(crate) fn any(chance: &mut Chance) -> Identity {
    let device = DeviceId::parse(&word(chance, 1, 128)).unwrap();
    let authentication = match chance.below(4) {
        0 => Authentication::Sas(SymmetricKeys { primary: key(chance), secondary: key(chance) }),
        1 => Authentication::SelfSigned(Thumbprints {
            primary: thumbprint(chance),
            secondary: thumbprint(chance),
        }),
        2 => Authentication::CertificateAuthority,
        _ => Authentication::None,
    };
    let part = if chance.below(3) == 0 {
        let id = ModuleId::parse(&word(chance, 1, 128)).unwrap();
        Part::Module(Module { id, managed_by: text(chance) })
    } else {
        let edge = if chance.below(3) == 0 { Edge::Yes } else { Edge::No };
        let parents = if edge == Edge::Yes { chance.below(4) } else { 0 };
        Part::Device(Device {
            status: if chance.below(2) == 0 { Status::Enabled } else { Status::Disabled },
            status_reason: text(chance),
            status_updated: match chance.below(3) {
                0 => Moment::NEVER,
                _ => Moment::at(chance.below(1 << 30) as u64 * 2000),
            },
            edge,
            scope: if edge == Edge::No { text(chance) } else { None },
            parent_scopes: (0..parents).map(|_| word(chance, 1, 60).into()).collect(),
        })
    };
    let number = |chance: &mut Chance| match chance.below(3) {
        0 => chance.below(200) as u64,
        1 => u64::MAX - chance.below(3) as u64,
        _ => chance.below(1 << 30) as u64 * 1_000_003,
    };
    let (generation, etag) = (Generation(number(chance)), Etag(number(chance)));
    Identity { device, generation, etag, authentication, part }
}

fn word(chance: &mut Chance, chars_min: usize, chars_max: usize) -> String {
    let count = chars_min + chance.below(chars_max - chars_min + 1);
    (0..count).map(|_| char::from(ID_BYTES[chance.below(ID_BYTES.len())])).collect()
}

fn text(chance: &mut Chance) -> Option<Box<str>> {
    let texts = ["rolled back", "größer", "x", "\u{1F600}\n"];
    texts.get(chance.below(8)).map(|text| (*text).into())
}

fn key(chance: &mut Chance) -> Key {
    let bytes: Vec<u8> = (0..16 + chance.below(49)).map(|_| chance.below(256) as u8).collect();
    Key::new(&bytes).unwrap()
}

fn thumbprint(chance: &mut Chance) -> Option<Thumbprint> {
    let digits = *[0, 40, 64].get(chance.below(3)).unwrap();
    let text: String =
        (0..digits).map(|_| char::from(b"0123456789abcdefABCDEF"[chance.below(22)])).collect();
    Thumbprint::parse(&text)
}

const ID_BYTES: &[u8] = b"abcXYZ019-.+%_#*?!(),=@$':;";
