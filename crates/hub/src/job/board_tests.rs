//! All jobs of a hub, their bounds and what the log keeps (iot-hub C7).

use super::super::{End, HISTORY_MS, Plan, Replay, Status};
use super::*;
use crate::Lists;
use std::sync::Arc;

const NOW: u64 = 1_600_000_000_000;

/// A board whose records are facts at once, and the log that they lie in.
#[derive(Default)]
struct Hub {
    board: Board,
    log: Vec<Record>,
}

fn planned(id: &str, start: &str) -> Planned {
    let body = format!(
        r#"{{"type":"scheduleUpdateTwin","updateTwin":{{"tags":{{"a":1}}}},"startTime":"{start}"}}"#
    );
    let plan = Plan::read(JobId::parse(id).unwrap(), body.as_bytes(), NOW).unwrap();
    Planned { plan: Arc::new(plan), body: body.into_bytes().into() }
}

fn ids(ids: &[&str]) -> Vec<DeviceId> {
    ids.iter().map(|id| DeviceId::parse(id).unwrap()).collect()
}

impl Hub {
    fn hear(&mut self, record: Record) -> Vec<Need> {
        self.log.push(record.clone());
        let mut needs = Vec::new();
        self.board.heard(record, Sequence(self.log.len() as u64), &mut needs);
        needs
    }

    fn plan(&mut self, id: &str, start: &str) -> Result<Sequence, ErrorCode> {
        let record = self.board.plan(planned(id, start)).map_err(|refusal| refusal.code)?;
        self.hear(record);
        Ok(Sequence(self.log.len() as u64))
    }

    /// A job that has begun with these devices.
    fn begun(&mut self, id: &str, devices: &[&str]) -> Sequence {
        let job = self.plan(id, "").unwrap();
        self.hear(Record::Selected { job, devices: ids(devices) });
        let parts = [Sequence(self.log.len() as u64)].into();
        self.hear(Record::Begun { job, at_ms: NOW, parts });
        job
    }

    fn status(&self, job: Sequence) -> Status {
        self.board.job(job).unwrap().status(NOW)
    }

    /// What a start finds of it.
    fn after_a_crash(&self) -> (Board, Lists) {
        let mut replay = Replay::default();
        for (at, record) in (1..).zip(&self.log) {
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            replay.take(Sequence(at), Record::decode(&bytes).unwrap());
        }
        replay.finish()
    }
}

fn done(job: Sequence, device: u32) -> Record {
    Record::Done(Done { job, device, during_ms: (NOW, NOW + 1), outcome: Ok(None) })
}

#[test]
fn ids_are_there_once_and_jobs_in_their_order() {
    let mut hub = Hub::default();
    let later = hub.plan("later", "2020-09-13T12:26:50Z").unwrap();
    let first = hub.plan("first", "").unwrap();
    let exists = Err(ErrorCode::JobAlreadyExists);
    assert_eq!(hub.plan("first", ""), exists);
    let record = hub.board.plan(planned("x", "")).unwrap();
    assert_eq!(hub.plan("x", ""), exists, "it is on its way");
    hub.board.lost(&record);
    hub.plan("x", "").unwrap();
    assert_eq!(hub.board.find(&JobId::parse("first").unwrap()), Ok(first));
    let missing = hub.board.find(&JobId::parse("y").unwrap()).unwrap_err();
    assert_eq!(missing.code, ErrorCode::JobNotFound);
    assert_eq!((hub.status(later), hub.status(first)), (Status::Scheduled, Status::Queued));
    assert_eq!(hub.board.startable(NOW), [first, Sequence(3)]);
    assert_eq!(hub.board.startable(NOW + 10_000).len(), 3);
    assert_eq!(hub.board.deadline(NOW), Some(NOW + 10_000));
    assert_eq!(hub.board.deadline(NOW + 10_000), None, "it may begin, as soon as others let it");
    let behind: Vec<_> = hub.board.behind(later).map(|(job, _)| job.0).collect();
    assert_eq!(behind, [2, 3]);
    for n in 3..ACTIVE_MAX {
        hub.plan(&format!("j{n}"), "").unwrap();
    }
    assert_eq!(hub.plan("more", ""), Err(ErrorCode::ThrottlingMaxActiveJobCountExceeded));
    let record = hub.board.cancel(&JobId::parse("x").unwrap(), NOW).unwrap();
    hub.hear(record);
    assert!(hub.plan("more", "").is_ok());
}

#[test]
fn a_job_goes_on_where_it_was() {
    let mut hub = Hub::default();
    let job = hub.plan("j", "").unwrap();
    let needs = hub.hear(Record::Selected { job, devices: ids(&["gone"]) });
    assert!(needs.is_empty());
    let (_, lists) = hub.after_a_crash();
    assert_eq!(lists.stale, [Sequence(2)], "it selects anew");
    hub.hear(Record::Selected { job, devices: ids(&["a", "b"]) });
    hub.hear(Record::Selected { job, devices: ids(&["c"]) });
    let parts = [3, 4].map(Sequence).into();
    let needs = hub.hear(Record::Begun { job, at_ms: NOW, parts });
    assert_eq!(needs, [Need::Release(Sequence(2))]);
    let late = hub.hear(Record::Selected { job, devices: ids(&["d"]) });
    assert_eq!(late, [Need::Release(Sequence(6))]);
    hub.hear(done(job, 0));
    hub.hear(Record::Asking { job, at_ms: NOW + 5, devices: [2].into() });
    let (board, Lists { mut stale, .. }) = hub.after_a_crash();
    stale.sort_unstable();
    assert_eq!(stale, [2, 6].map(Sequence));
    let (now, then) = (hub.board.job(job).unwrap(), board.job(job).unwrap());
    assert_eq!(now.statistics(), then.statistics());
    assert_eq!((then.statistics().devices, then.statistics().succeeded), (3, 1));
    assert_eq!(then.in_work().collect::<Vec<_>>(), [(2, NOW + 5)]);
    for number in 0..3 {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        assert!(now.write_device(number, &mut a) && then.write_device(number, &mut b));
        assert_eq!(a, b);
    }
    hub.hear(done(job, 2));
    hub.hear(done(job, 1));
    let [ended] = &*hub.board.turn(NOW + 9) else { panic!("it ends") };
    assert_eq!(*ended, Record::Ended { job, at_ms: NOW + 9, end: End::Completed });
    assert!(hub.board.turn(NOW + 9).is_empty(), "once");
    assert!(hub.board.working(job).is_none());
    let cancelled = hub.board.cancel(&JobId::parse("j").unwrap(), NOW).unwrap_err();
    assert_eq!(cancelled.code, ErrorCode::OperationNotAllowedInCurrentState);
    hub.board.lost(&ended.clone());
    let [ended] = &*hub.board.turn(NOW + 10) else { panic!("it is tried again") };
    hub.hear(ended.clone());
    assert_eq!(hub.status(job), Status::Completed);
    assert_eq!(hub.after_a_crash().0.job(job).unwrap().status(NOW), Status::Completed);
}

#[test]
fn history_ends_by_time_and_by_number() {
    let mut hub = Hub::default();
    let job = hub.begun("j", &["a"]);
    let record = hub.board.cancel(&JobId::parse("j").unwrap(), NOW).unwrap();
    hub.hear(record);
    assert!(hub.board.turn(NOW + HISTORY_MS - 1).is_empty());
    assert_eq!(hub.board.deadline(NOW), Some(NOW + HISTORY_MS));
    let [forgotten] = &*hub.board.turn(NOW + HISTORY_MS) else { panic!("it goes") };
    assert_eq!(*forgotten, Record::Forgotten { job });
    let needs = hub.hear(forgotten.clone());
    assert!(hub.board.take_lost().is_empty(), "its time had come");
    let released = [2, 3, 4, 1].map(|at| Need::Release(Sequence(at)));
    let bury = Need::Bury { oldest: job, at: Sequence(5) };
    assert_eq!(needs, [&released[..], &[bury]].concat());
    assert_eq!(hub.hear(done(job, 0)), [Need::Release(Sequence(6))], "too late");
    let (board, lists) = hub.after_a_crash();
    assert_eq!(board.jobs.len(), 0);
    assert_eq!((lists.stale.len(), lists.tombstones), (5, vec![(job, Sequence(5))]));
    assert!(hub.plan("j", "").is_ok(), "its id is free");

    let mut full = Hub::default();
    for n in 0..=HISTORY_MAX {
        let id = format!("j{n}");
        full.plan(&id, "").unwrap();
        let record = full.board.cancel(&JobId::parse(&id).unwrap(), NOW).unwrap();
        full.hear(record);
    }
    let [forgotten] = &*full.board.turn(NOW) else { panic!("one is too many") };
    assert_eq!(*forgotten, Record::Forgotten { job: Sequence(1) });
    assert!(full.board.turn(NOW).is_empty());
    assert!(full.board.take_lost().is_empty());
    full.hear(forgotten.clone());
    assert_eq!(full.board.take_lost(), [Loss::HistoryFull]);
}

#[test]
fn devices_and_payloads_of_all_jobs_are_bounded() {
    let mut hub = Hub::default();
    let job = hub.begun("j", &["a", "b"]);
    assert!(hub.board.has_room(JOB_DEVICES_MAX - 2));
    assert!(!hub.board.has_room(JOB_DEVICES_MAX - 1));
    let record = hub.board.end(job, End::TooMany, NOW).unwrap();
    assert_eq!(hub.board.end(job, End::TooMany, NOW), None, "it is on its way");
    hub.hear(record);
    assert_eq!(hub.status(job), Status::Failed);
    assert!(hub.board.has_room(JOB_DEVICES_MAX), "what has ended makes room");
    hub.board.devices += JOB_DEVICES_MAX;
    assert_eq!(hub.board.turn(NOW), [Record::Forgotten { job }]);
    hub.board.devices -= JOB_DEVICES_MAX;

    let job = hub.begun("k", &["a", "b"]);
    hub.board.payload_bytes = KEPT_PAYLOADS_BYTES_MAX - 3;
    for device in 0..2 {
        let payload = b"12".as_slice().into();
        let outcome = Ok(Some(super::super::Response { status: 1, payload }));
        hub.hear(Record::Done(Done { job, device, during_ms: (NOW, NOW), outcome }));
    }
    let kept = hub.board.job(job).unwrap().payload_bytes();
    assert_eq!((kept, hub.board.payload_bytes), (2, KEPT_PAYLOADS_BYTES_MAX - 1));
    assert_eq!(hub.board.take_lost(), [Loss::AnswersFull]);
    let outcome = Ok(Some(super::super::Response { status: 1, payload: b"1".as_slice().into() }));
    hub.hear(Record::Done(Done { job, device: 0, during_ms: (NOW, NOW), outcome }));
    assert_eq!(hub.board.payload_bytes, KEPT_PAYLOADS_BYTES_MAX - 1, "it was done with");
}

#[test]
fn memory_and_numbers_follow_the_jobs() {
    let mut hub = Hub::default();
    assert_eq!(hub.board.bytes(), 0);
    let waiting = hub.plan("later", "2020-09-13T12:26:50Z").unwrap();
    let one = hub.board.bytes();
    let job = hub.plan("j", "").unwrap();
    hub.hear(Record::Selected { job, devices: ids(&["a", "bc"]) });
    let selected = hub.board.bytes();
    assert!(one > 0 && selected > 2 * one + 3, "{one} {selected}");
    let parts = [Sequence(hub.log.len() as u64)].into();
    hub.hear(Record::Begun { job, at_ms: NOW, parts });
    let begun = hub.board.bytes();
    let outcome = Ok(Some(super::super::Response { status: 1, payload: [b'1'; 1000].into() }));
    hub.hear(Record::Done(Done { job, device: 0, during_ms: (NOW, NOW), outcome }));
    let answered = hub.board.bytes();
    assert!(answered > begun + 1000, "{begun} {answered}");
    hub.hear(done(job, 1));
    let counts = |hub: &Hub| hub.board.counts(NOW).map(|(_, count)| count);
    assert_eq!(counts(&hub), [1, 0, 1, 0, 0, 0]);
    for record in hub.board.turn(NOW) {
        hub.hear(record);
    }
    assert_eq!(counts(&hub), [1, 0, 0, 1, 0, 0]);
    assert_eq!(hub.after_a_crash().0.bytes(), hub.board.bytes());
    hub.hear(Record::Forgotten { job });
    assert_eq!((hub.board.bytes(), hub.status(waiting)), (one, Status::Scheduled));
}

/// What a device is said to have answered again, and what one that is none of the job's has, takes
/// no room from others.
#[test]
fn what_is_not_kept_takes_no_room() {
    let mut hub = Hub::default();
    let job = hub.begun("j", &["a"]);
    for device in [0, 0, 7] {
        let payload = b"12".as_slice().into();
        let outcome = Ok(Some(super::super::Response { status: 1, payload }));
        hub.hear(Record::Done(Done { job, device, during_ms: (NOW, NOW), outcome }));
    }
    assert_eq!(hub.board.payload_bytes, 2);
    hub.hear(Record::Forgotten { job });
    assert_eq!(hub.board.payload_bytes, 0);
}
