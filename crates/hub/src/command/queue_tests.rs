//! The rows of B2, one by one; whole histories are in `history_tests`.

use store::log::Need;

use super::super::Ack;
use super::super::examples::message;
use super::*;

const NOW: u64 = 1_600_000_000_000;
const ONE: Holder = Holder::Connection(1);
const TWO: Holder = Holder::Connection(2);

/// A queue whose records are facts at once.
#[derive(Default)]
struct Device {
    queue: Queue,
    settings: Settings,
    log: u64,
    needs: Vec<Need>,
}

impl Device {
    fn hear(&mut self, record: &Record) {
        self.log += 1;
        let (at, dead_max) = (Sequence(self.log), self.settings.dead_letters_max);
        self.queue.heard(record, at, dead_max, &mut self.needs);
    }

    fn send(&mut self, sent: &Message<'_>, now_ms: u64) -> Result<u64, Refusal> {
        let record = self.queue.enqueue(sent, &self.settings, now_ms)?;
        self.hear(&record);
        Ok(self.queue.last_sequence)
    }

    fn next(&mut self, to: Holder, now_ms: u64) -> Option<(u64, u32)> {
        let delivery = self.queue.deliver(to, self.settings.lock_ms, now_ms, |_| true)?;
        Some((delivery.content.read().sequence, delivery.deliveries))
    }

    fn settle(&mut self, claim: Claim, how: Settlement, now_ms: u64) -> Option<Vec<Report>> {
        let step = self.queue.settle(claim, how, &self.settings, now_ms).ok()?;
        self.hear(&step.record);
        Some(step.reports)
    }

    fn over(&mut self, step: Option<Step>) -> (Vec<u64>, Vec<&'static str>) {
        let Some(step) = step else { return Default::default() };
        self.hear(&step.record);
        let Record::Ended(ended) = step.record else { panic!("an end") };
        let reports = step.reports.iter().map(|report| report.outcome.status_code());
        (ended.sequences.into(), reports.collect())
    }

    fn dead(&self) -> Vec<(u64, Outcome)> {
        let dead = self.queue.dead_letters();
        dead.map(|one| (one.content.read().sequence, one.outcome)).collect()
    }
}

fn full() -> Message<'static> {
    message(Some("m"), Ack::Full, None)
}

fn sent(connection: u64, sequence: u64) -> Claim {
    Claim::Sent { connection, sequence }
}

#[test]
fn every_settlement_ends_as_the_table_says() {
    let max = Settings::default().deliveries_max;
    for (how, times, code, dead) in [
        (Settlement::Complete, 1, "Success", None),
        (Settlement::Reject, 1, "Rejected", Some(Outcome::Rejected)),
        (Settlement::Abandon, max, "DeliveryCountExceeded", Some(Outcome::DeliveryCountExceeded)),
    ] {
        let mut device = Device::default();
        assert_eq!(device.send(&full(), NOW), Ok(1));
        for n in 1..=times {
            assert_eq!(device.next(ONE, NOW), Some((1, n - 1)), "{how:?}");
            assert_eq!(device.next(ONE, NOW), None, "it is locked");
            let reports = device.settle(sent(1, 1), how, NOW + 5).unwrap();
            let told = reports.iter().map(|one| (one.message_id.as_deref(), one.at_ms));
            let expected = if n == times { vec![(Some("m"), NOW + 5)] } else { vec![] };
            assert_eq!(told.collect::<Vec<_>>(), expected);
            assert!(reports.iter().all(|one| one.outcome.status_code() == code));
        }
        assert_eq!((device.next(ONE, NOW), device.queue.count()), (None, 0));
        assert_eq!(device.settle(sent(1, 1), how, NOW), None, "never twice");
        assert_eq!(device.dead(), dead.map(|outcome| (1, outcome)).into_iter().collect::<Vec<_>>());
        assert_eq!(device.send(&full(), NOW), Ok(2), "numbers are not used again");
    }
}

#[test]
fn locks_and_connections_end_without_counting() {
    let mut device = Device::default();
    device.send(&full(), NOW).unwrap();
    device.send(&full(), NOW).unwrap();
    assert_eq!((device.next(ONE, NOW), device.next(ONE, NOW)), (Some((1, 0)), Some((2, 0))));
    assert_eq!((device.queue.held_by(ONE), device.queue.held_by(TWO)), (2, 0));
    assert_eq!(device.queue.deadline(), Some(NOW + 60_000));
    assert_eq!(device.next(TWO, NOW + 59_999), None);
    assert_eq!(device.next(TWO, NOW + 60_000), Some((1, 0)), "its lock has ended");
    assert!(device.settle(sent(1, 1), Settlement::Complete, NOW).is_none(), "another has it");
    assert!(device.settle(sent(1, 2), Settlement::Abandon, NOW + 70_000).is_some(), "nobody else");
    assert_eq!(device.queue.disconnected(2), 1);
    assert_eq!(device.queue.disconnected(2), 0);
    assert_eq!((device.next(ONE, NOW), device.next(ONE, NOW)), (Some((1, 0)), Some((2, 1))));
}

#[test]
fn http_clients_settle_by_their_lock_until_it_ends() {
    let mut device = Device::default();
    device.send(&full(), NOW).unwrap();
    let (token, other) = (LockToken(7), LockToken(8));
    assert_eq!(device.next(Holder::Lock(token), NOW), Some((1, 0)));
    let settle = |device: &mut Device, token, now_ms| {
        let settings = device.settings;
        device.queue.settle(Claim::Locked(token), Settlement::Complete, &settings, now_ms)
    };
    assert_eq!(settle(&mut device, other, NOW), Err(LockLost));
    let late = settle(&mut device, token, NOW + 60_000).map_err(Refusal::from);
    assert_eq!(late.unwrap_err().code.number(), 412_002);
    assert_eq!(device.next(Holder::Lock(other), NOW + 60_000), Some((1, 0)));
    assert_eq!(settle(&mut device, token, NOW + 60_000), Err(LockLost));
    assert!(settle(&mut device, other, NOW + 119_999).is_ok());
    assert_eq!(settle(&mut device, other, NOW + 119_999), Err(LockLost), "it is being settled");
}

#[test]
fn what_expires_is_over_when_nobody_works_on_it() {
    let mut device = Device::default();
    for expires_ms in [NOW + 10, NOW + 30_000, NOW + 90_000] {
        let ack = if expires_ms == NOW + 10 { Ack::Positive } else { Ack::Negative };
        device.send(&message(None, ack, Some(expires_ms)), NOW).unwrap();
    }
    assert_eq!(device.queue.deadline(), Some(NOW + 10));
    assert_eq!(device.queue.turn(NOW + 9), None);
    assert_eq!(device.next(ONE, NOW + 10), Some((2, 0)), "the first has expired");
    let step = device.queue.turn(NOW + 10);
    assert_eq!(device.over(step), (vec![1], vec![]));
    assert_eq!(device.queue.turn(NOW + 60_009), None, "the second is locked");
    assert_eq!(device.queue.deadline(), Some(NOW + 60_010));
    let step = device.queue.turn(NOW + 90_000);
    assert_eq!(device.over(step), (vec![2, 3], vec!["Expired", "Expired"]));
    assert_eq!(device.dead(), [1, 2, 3].map(|n| (n, Outcome::Expired)));
    assert_eq!(device.queue.deadline(), None);
}

#[test]
fn a_purge_ends_what_waits() {
    let mut device = Device::default();
    assert_eq!(device.queue.purge(NOW), None);
    (0..3).for_each(|_| drop(device.send(&full(), NOW)));
    assert_eq!(device.next(ONE, NOW), Some((1, 0)));
    let step = device.queue.purge(NOW);
    assert_eq!(device.queue.purge(NOW), None, "it is on its way");
    assert_eq!(device.over(step), (vec![2, 3], vec!["Purged", "Purged"]));
    assert_eq!(device.queue.count(), 1, "somebody works on it");
}

#[test]
fn the_queue_has_its_depth() {
    let mut device = Device::default();
    for n in 1..=50 {
        assert_eq!(device.send(&full(), NOW), Ok(n));
    }
    device.next(ONE, NOW);
    let refused = device.send(&full(), NOW).unwrap_err();
    assert_eq!(refused.code.number(), 403_004);
    device.settle(sent(1, 1), Settlement::Complete, NOW).unwrap();
    assert_eq!(device.send(&full(), NOW), Ok(51));
}

#[test]
fn nothing_is_shown_before_it_is_a_fact_and_what_is_lost_comes_back() {
    let mut device = Device::default();
    let settings = device.settings;
    let first = device.queue.enqueue(&full(), &settings, NOW).unwrap();
    assert_eq!((device.next(ONE, NOW), device.queue.count()), (None, 0));
    device.queue.lost(&first);
    assert_eq!(device.send(&full(), NOW), Ok(2), "a number that nobody saw");
    assert_eq!(device.next(ONE, NOW), Some((2, 0)));
    for how in [Settlement::Complete, Settlement::Abandon, Settlement::Reject] {
        let step = device.queue.settle(sent(1, 2), how, &settings, NOW).unwrap();
        assert_eq!(device.queue.count(), 1);
        assert_eq!((device.next(ONE, NOW), device.queue.turn(u64::MAX)), (None, None));
        device.queue.lost(&step.record);
        assert_eq!(device.next(ONE, NOW), Some((2, 0)), "{how:?}");
    }
}

#[test]
fn what_does_not_fit_waits() {
    let mut device = Device::default();
    device.send(&Message { body: &[0; 100], ..Message::default() }, NOW).unwrap();
    device.send(&full(), NOW).unwrap();
    let small = |command: &Command<'_>| command.body.len() < 100;
    let delivery = device.queue.deliver(ONE, 5_000, NOW, small).unwrap();
    assert_eq!((delivery.content.read().sequence, delivery.until_ms), (2, NOW + 5_000));
    assert!(device.queue.deliver(ONE, 5_000, NOW, small).is_none());
    assert_eq!(device.next(TWO, NOW), Some((1, 0)), "and counts no delivery");
}

#[test]
fn the_log_keeps_what_is_needed() {
    let mut device = Device::default();
    device.settings.dead_letters_max = 1;
    let (release, at) = (|n| Need::Release(Sequence(n)), Sequence);
    let bury = |oldest, at| Need::Bury { oldest: Sequence(oldest), at: Sequence(at) };
    let told = |device: &mut Device| std::mem::take(&mut device.needs);
    (0..4).for_each(|_| drop(device.send(&full(), NOW)));
    assert_eq!(told(&mut device), []);
    let step = |device: &mut Device, sequence, how| {
        while device.next(ONE, NOW).is_some() {}
        device.settle(sent(1, sequence), how, NOW).unwrap();
        told(device)
    };
    assert_eq!(step(&mut device, 1, Settlement::Abandon), [], "record 5");
    assert_eq!(step(&mut device, 1, Settlement::Abandon), [release(5)], "record 6");
    let completed = step(&mut device, 1, Settlement::Complete);
    assert_eq!(completed, [release(1), release(6)], "record 7 knows the last number");
    assert_eq!(step(&mut device, 2, Settlement::Reject), [bury(1, 7)], "record 8");
    assert_eq!(step(&mut device, 3, Settlement::Complete), [release(3)], "8 is a dead letter's");
    assert_eq!(device.queue.held().collect::<Vec<_>>(), [at(4), at(2), at(8), at(9)]);
    let last = step(&mut device, 4, Settlement::Reject);
    assert_eq!(last, [release(2), bury(2, 8), bury(3, 9)], "the ring is full");
    assert_eq!(device.queue.held().collect::<Vec<_>>(), [at(4), at(10)]);
}
