//! Records of identities: any identity comes back, and any bytes are an identity or an error.

use super::super::examples::{any, identity};
use super::*;
use crate::chance::Chance;

fn encoded(identity: &Identity) -> Vec<u8> {
    let mut bytes = Vec::new();
    identity.encode(&mut bytes);
    bytes
}

#[test]
fn any_identity_comes_back_the_same() {
    for seed in 0..4_000 {
        let original = any(&mut Chance::new(seed));
        let packed = Packed::from(&original);
        assert_eq!(packed.unpack(), original, "seed {seed}");
        assert_eq!(Packed::read(packed.bytes()), Ok(packed.clone()), "seed {seed}");
        let id = original.id();
        let names = (id.device.as_str(), id.module.as_ref().map(ModuleId::as_str));
        assert_eq!(packed.names(), names, "seed {seed}");
        // Equal thumbprints may differ in case, which has to come back too.
        assert_eq!(encoded(&packed.unpack()), packed.bytes(), "seed {seed}");
    }
}

#[test]
fn any_bytes_are_an_identity_in_its_one_form_or_an_error() {
    let mut understood = 0;
    for seed in 0..20_000 {
        let chance = &mut Chance::new(seed);
        let mut bytes = encoded(&any(chance));
        for _ in 0..=chance.below(3) {
            let at = chance.below(bytes.len());
            match chance.below(4) {
                0 => bytes[at] = chance.below(256) as u8,
                1 => bytes[at] ^= 1 << chance.below(8),
                2 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, chance.below(256) as u8),
            }
        }
        if let Ok(identity) = Identity::decode(&bytes) {
            assert_eq!(encoded(&identity), bytes, "seed {seed}");
            understood += 1;
        }
    }
    assert!((500..19_000).contains(&understood), "{understood} of them say something");
}

#[test]
fn noise_and_every_prefix_are_errors() {
    for seed in 0..2_000 {
        let chance = &mut Chance::new(seed);
        let noise: Vec<u8> = (0..chance.below(200)).map(|_| chance.below(256) as u8).collect();
        let _ = Identity::decode(&noise);
    }
    let bytes = encoded(&identity("D1/m"));
    for len in 0..bytes.len() {
        assert!(Identity::decode(&bytes[..len]).is_err(), "{len}");
    }
    let longer = [&bytes[..], &[0]].concat();
    let error = Identity::decode(&longer);
    assert_eq!(error, Err(BadRecord::Malformed("bytes follow the end")));
    let newer = [&[2], &bytes[1..]].concat();
    assert_eq!(Identity::decode(&newer), Err(BadRecord::Version(2)));
}

#[test]
fn a_huge_length_allocates_nothing() {
    let mut bytes = vec![VERSION, PARENTS | 3 << TYPE_AT, 1, b'D', 1, 1, 0];
    bytes.extend([0xFF, 0xFF, 0xFF, 0xFF, 0x0F]);
    assert_eq!(Identity::decode(&bytes), Err(BadRecord::Malformed("it ends too early")));
}

/// The bytes of version 1, which logs have.
#[test]
fn the_first_version_stays_readable() {
    let mut device = identity("D1");
    device.generation = Generation(300);
    device.part = Part::Device(Device {
        status: Status::Disabled,
        status_reason: Some("no".into()),
        status_updated: Moment::at(1),
        ..Device::default()
    });
    let keys = [vec![32], vec![3; 32], vec![32], vec![4; 32]].concat();
    let expected = [&[1, 0b1010, 2, b'D', b'1', 0xAC, 2, 1], &keys[..], &[2, 2, b'n', b'o']];
    assert_eq!(encoded(&device), expected.concat());
    assert_eq!(Identity::decode(&expected.concat()), Ok(device));
}

/// A million devices shall fit into 250 MB, with their place in an index.
#[test]
fn a_usual_device_takes_less_than_110_bytes() {
    let mut device = identity("device-0123456789");
    device.generation = Generation(1_800_000_000_000);
    device.etag = Etag(1 << 40);
    let packed = Packed::from(&device);
    assert!(packed.bytes().len() < 110, "{}", packed.bytes().len());
    assert_eq!(size_of::<Packed>(), 16);
    assert!(!format!("{packed:?} {device:?}").contains("[3, 3"));
}
