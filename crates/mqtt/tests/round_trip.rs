//! Properties of the codec over pseudo-random packets: what is encoded decodes to the same and
//! encodes to the same bytes, and no bytes whatever make the decoder panic. A failure prints the
//! seed of its iteration.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod packets;

use mqtt::limits::PACKET_BYTES_MAX;
use mqtt::topic::{SharedFilter, TopicFilter, TopicName};
use mqtt::wire::{Connect, Packet, Place, Properties, Version, decode, frame, publish_forward};
use packets::{Dice, FILTERS, mutate, random_packet};

#[test]
fn packets_survive_encoding_and_decoding() {
    for seed in 0..200_000 {
        let mut dice = Dice::new(seed);
        let version = if dice.coin() { Version::V311 } else { Version::V5 };
        let mut once = Vec::new();
        random_packet(&mut dice, version, &mut once);
        let found = frame(&once, PACKET_BYTES_MAX).unwrap().expect("whole");
        assert_eq!(found.len, once.len(), "seed {seed}");
        let packet = decode(found, version).unwrap_or_else(|wrong| {
            panic!("seed {seed}: {wrong}, {once:02X?}");
        });
        let mut twice = Vec::new();
        packet.encode(version, PACKET_BYTES_MAX, &mut twice).unwrap();
        assert_eq!(once, twice, "seed {seed}");
        let found = frame(&twice, PACKET_BYTES_MAX).unwrap().expect("whole");
        assert_eq!(decode(found, version), Ok(packet), "seed {seed}");
    }
}

/// Valid packets with bytes changed, cut, doubled and removed.
#[test]
fn mutated_packets_never_panic_and_stay_stable() {
    let (mut bytes, mut accepted) = (Vec::new(), 0);
    for seed in 0..600_000 {
        let mut dice = Dice::new(seed);
        let version = if dice.coin() { Version::V311 } else { Version::V5 };
        bytes.clear();
        random_packet(&mut dice, version, &mut bytes);
        for _ in 0..=dice.below(3) {
            mutate(&mut dice, &mut bytes);
        }
        accepted += usize::from(survives(&bytes, version));
    }
    assert!(accepted > 10_000, "the mutations are not too wild: {accepted}");
}

#[test]
fn random_bytes_never_panic() {
    let mut bytes = Vec::new();
    for seed in 0..600_000 {
        let mut dice = Dice::new(seed);
        bytes.clear();
        let body = dice.below(40);
        let flags = [0, 0, 0, 0, 0, 0, 2, 0, 2, 0, 2, 0, 0, 0, 0, 0];
        let kind = dice.below(16);
        let flags = if kind == 3 { dice.below(16) as u8 } else { flags[kind] };
        bytes.extend([(kind as u8) << 4 | flags, body as u8]);
        bytes.extend((0..body).map(|_| dice.roll() as u8 >> dice.below(8)));
        survives(&bytes, if dice.coin() { Version::V311 } else { Version::V5 });
    }
}

/// Decodes and, if that works, uses everything in the packet and encodes it.
fn survives(bytes: &[u8], version: Version) -> bool {
    let Ok(Some(found)) = frame(bytes, PACKET_BYTES_MAX) else { return false };
    let Ok(packet) = decode(found, version) else { return false };
    use_all(&packet);
    let mut once = Vec::new();
    packet.encode(version, PACKET_BYTES_MAX, &mut once).unwrap();
    packet.encode(version, 24, &mut Vec::new()).ok();
    let version = if let Packet::Connect(c) = &packet { c.version } else { version };
    let found = frame(&once, PACKET_BYTES_MAX).unwrap().expect("whole");
    let again = decode(found, version).unwrap_or_else(|wrong| panic!("{wrong}: {bytes:02X?}"));
    let mut twice = Vec::new();
    again.encode(version, PACKET_BYTES_MAX, &mut twice).unwrap();
    assert_eq!(once, twice, "{bytes:02X?}");
    true
}

fn use_all(packet: &Packet<'_>) {
    let mut scratch = Vec::new();
    match packet {
        Packet::Publish(p) => {
            let forward = publish_forward(p.properties, &mut scratch);
            assert_eq!(forward.expiry_at.is_some(), p.expiry.is_some());
            assert!(p.topic.is_empty() || TopicName::parse(p.topic).is_ok());
            let forwarded = Properties::parse(forward.raw, Place::Publish).unwrap();
            assert_eq!(forwarded.expiry(), p.expiry);
            assert_eq!(forwarded.subscription_ids().count(), 0);
            p.payload_is_utf8();
        }
        Packet::Subscribe(s) => {
            assert_eq!(s.filters.iter().count(), s.filters.count());
            for f in s.filters.iter() {
                assert!(f.filter.is_err() || SharedFilter::parse(f.text).is_ok());
            }
        }
        Packet::Unsubscribe(u) => assert_eq!(u.filters.iter().count(), u.filters.count()),
        Packet::Connect(Connect { will: Some(will), .. }) => {
            let forward = publish_forward(will.properties, &mut scratch);
            assert!(Properties::parse(forward.raw, Place::Publish).is_ok());
            assert!(TopicName::parse(will.topic).is_ok());
        }
        _ => {}
    }
}

#[test]
fn the_filters_used_here_cover_both_kinds() {
    let good = FILTERS.iter().filter(|text| TopicFilter::parse(text).is_ok()).count();
    assert_eq!((good, FILTERS.len() - good), (6, 2));
}
