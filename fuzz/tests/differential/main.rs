//! Our codec against two others on the same bytes: packets that all must understand alike, and
//! spoilt ones on which every disagreement is in the table `disagreements`.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod disagreements;
mod ours;
#[path = "../../../crates/mqtt/tests/packets/mod.rs"]
mod packets;
mod rmqtt;
mod rumqttc;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::catch_unwind;

use disagreements::{Disagreement, Kind, ROWS};
use mqtt::limits::PACKET_BYTES_MAX;
use mqtt::wire::{Connect, Version, frame};
use packets::{Dice, mutate, random_packet};
use told::Told;

/// A codec by its name: what it reads, and how it writes that again.
type Read = fn(&[u8], Version) -> Result<Option<(Told, Vec<u8>)>, String>;

const OTHERS: &[(&str, Read)] = &[("rmqtt-codec", rmqtt::read), ("rumqttc", rumqttc::read)];

/// Ours read by theirs, theirs read by ours.
#[test]
fn valid_packets_mean_the_same_to_every_codec() {
    let mut seen = Seen::default();
    for seed in 0..20_000 {
        let mut dice = Dice::new(seed);
        let version = if dice.coin() { Version::V311 } else { Version::V5 };
        let mut bytes = Vec::new();
        random_packet(&mut dice, version, &mut bytes);
        assert!(ours::read(&bytes, version).is_ok_and(|told| told.is_some()));
        seen.compare(&bytes, version);
    }
    seen.judge(20_000);
}

/// Bytes changed, cut, doubled and removed: every class of disagreement is known.
#[test]
fn spoilt_packets_are_judged_alike_but_for_the_table() {
    let mut seen = Seen::default();
    for seed in 0..60_000 {
        let mut dice = Dice::new(seed);
        let version = if dice.coin() { Version::V311 } else { Version::V5 };
        let mut bytes = Vec::new();
        random_packet(&mut dice, version, &mut bytes);
        for _ in 0..=dice.below(2) {
            mutate(&mut dice, &mut bytes);
        }
        seen.compare(&bytes, version);
    }
    seen.judge(10_000);
    let rows: BTreeSet<usize> = seen.disagreed.keys().filter_map(Disagreement::row).collect();
    let unseen: Vec<usize> = (0..ROWS).filter(|row| !rows.contains(row)).collect();
    assert!(unseen.is_empty(), "rows that explain nothing (from 0): {unseen:?}");
}

/// How often codecs agreed, and an example of each class of disagreement.
#[derive(Default)]
struct Seen {
    agreed: usize,
    disagreed: BTreeMap<Disagreement<'static>, Example>,
}

struct Example {
    count: usize,
    bytes: Vec<u8>,
    detail: String,
}

impl Seen {
    fn compare(&mut self, bytes: &[u8], version: Version) {
        let version = level_of(bytes).unwrap_or(version);
        let ours = ours::read(bytes, version).map_err(|wrong| wrong.clause);
        for (codec, read) in OTHERS {
            let theirs =
                catch_unwind(|| read(bytes, version)).unwrap_or_else(|_| Err("panics".to_owned()));
            match class(codec, version, &ours, &theirs) {
                None => self.agreed += 1,
                Some(class) => {
                    let example = self.disagreed.entry(class).or_insert_with(|| Example {
                        count: 0,
                        bytes: bytes.to_vec(),
                        detail: format!("ours {ours:?}\n    theirs {theirs:?}"),
                    });
                    example.count += 1;
                }
            }
        }
    }

    /// Fails on a class that the table does not explain.
    fn judge(&self, agreed_min: usize) {
        let mut unknown = String::new();
        for (class, example) in &self.disagreed {
            if class.row().is_none() {
                let Example { count, bytes, detail } = example;
                unknown += &format!("{class:?} x {count}\n    {bytes:02X?}\n    {detail}\n");
            }
        }
        assert!(unknown.is_empty(), "disagreements without a row:\n{unknown}");
        assert!(self.agreed >= agreed_min, "they agree too seldom: {}", self.agreed);
    }
}

/// The version that a CONNECT itself names: the others have a codec for each.
fn level_of(bytes: &[u8]) -> Option<Version> {
    let f = frame(bytes, PACKET_BYTES_MAX).ok()??;
    let level = Connect::peek_version(f.body).filter(|_| f.first >> 4 == 1)?;
    Some(if level == 5 { Version::V5 } else { Version::V311 })
}

/// What kind of disagreement it is; `None` when there is none.
fn class(
    codec: &'static str,
    version: Version,
    ours: &Result<Option<Told>, &'static str>,
    theirs: &Result<Option<(Told, Vec<u8>)>, String>,
) -> Option<Disagreement<'static>> {
    let leak = |text: &str| -> &'static str { String::leak(text.to_owned()) };
    let kind = match (ours, theirs) {
        // We refuse a wrong first byte at once; who waits for more has not said yes.
        (Err(_), Err(_) | Ok(None)) | (Ok(None), Ok(None)) => return None,
        (Err(clause), Ok(Some(_))) => Kind::WeRefuse { clause },
        (Ok(None), Ok(Some(_))) => Kind::TheyReadAPiece,
        (Ok(None), Err(_)) => Kind::TheyRefuseEarly,
        (Ok(Some(told)), Err(error)) => {
            Kind::TheyRefuse { packet: leak(told.name()), error: leak(error) }
        }
        (Ok(Some(told)), Ok(None)) => {
            Kind::TheyRefuse { packet: leak(told.name()), error: "waits for more" }
        }
        (Ok(Some(told)), Ok(Some((theirs, again)))) => {
            let packet = leak(told.name());
            match spoken(codec, told, theirs) {
                Some(field) => Kind::Read { packet, field },
                // What they write must be read by us as what they were given.
                None => match ours::read(again, version) {
                    Ok(Some(back)) => Kind::Written { packet, field: told.difference(&back)? },
                    _ => Kind::Written { packet, field: "everything" },
                },
            }
        }
    };
    let level = if version == Version::V5 { 5 } else { 4 };
    Some(Disagreement { codec, level, kind })
}

/// The first field on which they differ, of those that this codec can tell.
fn spoken(codec: &str, ours: &Told, theirs: &Told) -> Option<&'static str> {
    let unspoken: &[&str] = if codec == "rumqttc" { &["reason"] } else { &[] };
    ours.without(unspoken).difference(&theirs.without(unspoken))
}
