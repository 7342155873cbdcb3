//! Records as bytes, from anywhere.

use super::super::Ack;
use super::super::examples::{message, properties};
use super::super::sending::content;
use super::*;
use crate::Moment;
use crate::chance::Chance;

fn examples() -> Vec<Record> {
    let mut sent = message(Some("id"), Ack::Negative, Some(1 << 41));
    sent.application = properties(&[("name", "value"), ("other", "")]);
    sent.system.creation_time = Some(Moment::at(1 << 40));
    sent.body = b"body";
    let content = content(&sent, 300, 60_000, 1 << 40).unwrap();
    let ended = |sequences: &[u64], last_sequence| {
        let (outcome, at_ms) = (Outcome::Purged, 1 << 41);
        Record::Ended(Ended { outcome, at_ms, sequences: sequences.into(), last_sequence })
    };
    vec![
        Record::Enqueued(content),
        Record::Abandoned { sequence: 300, deliveries: 2 },
        ended(&[1], 1),
        ended(&[3, 4, 300], u64::MAX),
    ]
}

fn encoded(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    bytes
}

#[test]
fn records_come_back_and_are_small() {
    let examples = examples();
    let sizes: Vec<usize> = examples.iter().map(|record| encoded(record).len()).collect();
    assert_eq!(sizes, [50, 5, 12, 24]);
    for record in examples {
        assert_eq!(Record::decode(&encoded(&record)), Ok(record));
    }
}

#[test]
fn bytes_from_elsewhere_never_panic_and_have_one_form() {
    let mut chance = Chance::new(3);
    let mut still_good = 0;
    for bytes in examples().iter().map(encoded) {
        for end in 0..bytes.len() {
            assert!(Record::decode(&bytes[..end]).is_err());
        }
        assert!(Record::decode(&[&bytes[..], &[0]].concat()).is_err());
        for _ in 0..2_000 {
            let mut bytes = bytes.clone();
            let at = chance.below(bytes.len());
            bytes[at] = chance.below(256) as u8;
            if let Ok(record) = Record::decode(&bytes) {
                assert_eq!(encoded(&record), bytes);
                still_good += 1;
            }
        }
    }
    assert!(still_good > 100, "texts and numbers may be any: {still_good}");
}

#[test]
fn what_no_queue_says_is_refused() {
    let bad = BadRecord::Malformed;
    for (bytes, error) in [
        (&[2, 1][..], BadRecord::Version(2)),
        (&[1, 4], bad("no record of a queue is of this kind")),
        (&[1, 1, 0, 0, 0, 0, 0, 0], bad("sequence numbers begin with 1")),
        (&[1, 2, 1, 0x80, 0x80, 0x80, 0x80, 0x10], bad("too often")),
        (&[1, 3, 5, 0, 1, 1, 1], bad("no such outcome")),
        (&[1, 3, 0, 0, 1, 0], bad("nothing has ended")),
        (&[1, 3, 0, 0, 1, 1, 0], bad("no such sequence number")),
        (&[1, 3, 0, 0, 1, 1, 2], bad("no such sequence number")),
        (&[1, 3, 0, 0, 9, 2, 2, 0], bad("no such sequence number")),
    ] {
        assert_eq!(Record::decode(bytes), Err(error), "{bytes:?}");
    }
}
