//! Batches, readers and what the log keeps (iot-hub B2, C6).

use super::*;
use crate::command::{Outcome, Report};

const NOW: u64 = 1_600_000_000_000;

/// An outbox whose records are facts at once.
#[derive(Default)]
struct Hub {
    outbox: Outbox,
    settings: Settings,
    log: Vec<Record>,
    needs: Vec<Need>,
}

impl Hub {
    fn hear(&mut self, record: Record) -> Vec<Need> {
        self.log.push(record);
        let at = Sequence(self.log.len() as u64);
        self.outbox.heard(&self.log[self.log.len() - 1], at, &mut self.needs);
        std::mem::take(&mut self.needs)
    }

    fn ends(&mut self, device: &str, count: usize) {
        for n in 0..count {
            let message_id = (n % 2 == 0).then(|| format!("m{n}").into());
            let report = Report { message_id, at_ms: NOW, outcome: Outcome::Completed };
            let device = DeviceId::parse(device).unwrap();
            self.hear(Record::Reported(Item { device, generation: Generation(7), report }));
        }
    }

    /// How many items the next batch has.
    fn next(&mut self, token: u128, now_ms: u64) -> Option<usize> {
        let delivery = self.outbox.receive(LockToken(token), &self.settings, now_ms)?;
        let body: serde_json::Value = serde_json::from_slice(&delivery.body).unwrap();
        Some(body.as_array().unwrap().len())
    }

    fn turn(&mut self, now_ms: u64) -> bool {
        let record = self.outbox.turn(&self.settings, now_ms);
        record.map(|record| self.hear(record)).is_some()
    }

    fn after_a_crash(&self) -> Vec<Kept> {
        let mut outbox = Outbox::default();
        for (at, record) in (1..).zip(&self.log) {
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            outbox.heard(&Record::decode(&bytes).unwrap(), Sequence(at), &mut Vec::new());
        }
        outbox.open
    }
}

#[test]
fn the_body_is_that_of_the_page() {
    let mut hub = Hub::default();
    hub.ends("d\"1".replace('"', "'").as_str(), 2);
    assert!(!hub.turn(NOW));
    let delivery = hub.outbox.receive(LockToken(1), &hub.settings, NOW).unwrap();
    let expected = concat!(
        r#"[{"originalMessageId":"m0","enqueuedTimeUtc":"2020-09-13T12:26:40.0000000Z","#,
        r#""statusCode":"Success","description":"Success","deviceId":"d'1","#,
        r#""deviceGenerationId":"7"},{"originalMessageId":null,"#,
        r#""enqueuedTimeUtc":"2020-09-13T12:26:40.0000000Z","statusCode":"Success","#,
        r#""description":"Success","deviceId":"d'1","deviceGenerationId":"7"}]"#
    );
    assert_eq!(String::from_utf8(delivery.body).unwrap(), expected);
    let rest = (delivery.deliveries, delivery.enqueued_ms, delivery.until_ms);
    assert_eq!(rest, (0, NOW, NOW + 60_000));
}

/// Homes of devices tell of their ends when they are at it, not in the order of the log.
#[test]
fn ends_that_come_out_of_order_are_read_again_after_a_start() {
    let settings = Settings::default();
    for (token, places) in [(1, [1, 2, 3]), (2, [9, 4, 7]), (3, [9, 7, 4])] {
        let mut outbox = Outbox::default();
        for at in places {
            let report = Report { message_id: None, at_ms: NOW, outcome: Outcome::Completed };
            let device = DeviceId::parse("d").unwrap();
            let record = Record::Reported(Item { device, generation: Generation(7), report });
            outbox.heard(&record, Sequence(at), &mut Vec::new());
        }
        assert_eq!(outbox.turn(&settings, NOW), None);
        let token = LockToken(token);
        assert!(outbox.receive(token, &settings, NOW).is_some());
        let given_back = outbox.abandon(token, &settings, NOW).unwrap();
        let mut bytes = Vec::new();
        given_back.encode(&mut bytes);
        assert_eq!(Record::decode(&bytes).as_ref(), Ok(&given_back), "{places:?}");
        outbox.heard(&given_back, Sequence(10), &mut Vec::new());
        let again = outbox.receive(token, &settings, NOW).unwrap();
        assert_eq!(again.deliveries, 1, "each of them was given back");
        assert!(outbox.open.is_empty());
    }
}

#[test]
fn batches_are_64_or_15_seconds() {
    let mut hub = Hub::default();
    assert_eq!(hub.outbox.deadline(&hub.settings), None);
    hub.ends("d", 1);
    assert_eq!(hub.outbox.deadline(&hub.settings), Some(15_000), "the last batch is long ago");
    hub.turn(NOW);
    hub.ends("d", 63);
    hub.turn(NOW + 14_999);
    assert_eq!((hub.next(1, NOW), hub.next(2, NOW)), (Some(1), None));
    assert_eq!(hub.outbox.deadline(&hub.settings), Some(NOW + 15_000));
    hub.ends("d", 1 + 64 + 5);
    assert_eq!(hub.outbox.deadline(&hub.settings), Some(0));
    hub.turn(NOW + 1);
    assert_eq!((hub.next(2, NOW), hub.next(3, NOW), hub.next(4, NOW)), (Some(64), Some(64), None));
    hub.turn(NOW + 15_001);
    assert_eq!(hub.next(4, NOW), Some(5));
    assert_eq!(hub.outbox.len(), 134);
}

#[test]
fn readers_complete_abandon_or_let_their_lock_end() {
    let mut hub = Hub::default();
    hub.settings.deliveries_max = 3;
    let settings = hub.settings;
    hub.ends("d", 2);
    hub.turn(NOW);
    assert_eq!(hub.next(1, NOW), Some(2));
    assert_eq!(hub.outbox.complete(LockToken(2), NOW), Err(LockLost));
    assert_eq!(hub.outbox.complete(LockToken(1), NOW + 60_000), Err(LockLost), "too late");
    for (n, released) in [(1, vec![]), (2, vec![Need::Release(Sequence(3))])] {
        assert_eq!(hub.next(n, NOW), Some(2));
        let record = hub.outbox.abandon(LockToken(n), &settings, NOW).unwrap();
        assert_eq!(hub.next(9, NOW), None, "it is on its way");
        assert_eq!(hub.hear(record), released);
        assert_eq!(hub.after_a_crash(), hub.outbox.batches[0].kept);
    }
    assert_eq!(hub.next(3, NOW), Some(2));
    let record = hub.outbox.abandon(LockToken(3), &settings, NOW).unwrap();
    assert_eq!(record, Record::Over { items: [Sequence(1), Sequence(2)].into() });
    hub.outbox.lost(&record);
    assert_eq!(hub.next(4, NOW), Some(2), "as if it had not been decided");
    let record = hub.outbox.complete(LockToken(4), NOW).unwrap();
    let bury = Need::Bury { oldest: Sequence(1), at: Sequence(5) };
    let released = [1, 2, 4].map(|at| Need::Release(Sequence(at)));
    assert_eq!(hub.hear(record), [&released[..], &[bury]].concat());
    assert!(hub.outbox.is_empty() && hub.after_a_crash().is_empty());
    assert_eq!(hub.outbox.complete(LockToken(4), NOW), Err(LockLost), "never twice");
}

#[test]
fn what_nobody_reads_expires() {
    let mut hub = Hub::default();
    hub.ends("d", 1);
    hub.turn(NOW);
    let end = NOW + 15_000 + 3_600_000;
    assert_eq!(hub.outbox.deadline(&hub.settings), Some(end));
    assert_eq!(hub.next(1, end - 1), Some(1));
    assert!(!hub.turn(end), "somebody reads it");
    assert_eq!(hub.next(2, end + 59_999), None, "its lock has ended, and it has");
    assert!(hub.turn(end + 59_999));
    assert!(hub.outbox.is_empty());
}

#[test]
fn a_deleted_device_takes_its_feedback_along() {
    let mut hub = Hub::default();
    hub.ends("a", 1);
    hub.ends("b", 1);
    hub.turn(NOW);
    hub.ends("a", 1);
    let a = DeviceId::parse("a").unwrap();
    assert_eq!(hub.outbox.forget(&a, Generation(8)), None, "another life");
    assert_eq!(hub.next(1, NOW), Some(2));
    let record = hub.outbox.forget(&a, Generation(7)).unwrap();
    hub.hear(record);
    assert_eq!(hub.outbox.len(), 1);
    let record = hub.outbox.complete(LockToken(1), NOW).unwrap();
    assert_eq!(record, Record::Over { items: [Sequence(2)].into() });
}
