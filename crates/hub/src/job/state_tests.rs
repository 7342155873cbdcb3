//! Jobs from their request to their end, and their documents (iot-hub C7).

use super::super::JobId;
use super::*;

const NOW: u64 = 1_600_000_000_000;

fn job(start: &str) -> Job {
    let body = format!(
        r#"{{"type":"scheduleDeviceMethod","queryCondition":"tags.a = 1","startTime":"{start}",
            "cloudToDeviceMethod":{{"methodName":"m","payload":1}},
            "maxExecutionTimeInSeconds":60}}"#
    );
    Job::new(Arc::new(Plan::read(JobId::parse("j").unwrap(), body.as_bytes(), NOW).unwrap()))
}

fn devices(count: usize) -> Vec<DeviceId> {
    (0..count).map(|n| DeviceId::parse(&format!("d{n}")).unwrap()).collect()
}

fn refused() -> Refusal {
    Refusal::new(ErrorCode::DeviceNotOnline, "not there")
}

fn counts(job: &Job) -> [usize; 5] {
    let Statistics { devices, failed, succeeded, running, pending } = job.statistics();
    [devices, failed, succeeded, running, pending]
}

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_job_goes_through_its_devices() {
    let mut job = job("2020-09-13T12:26:41Z");
    assert_eq!((job.status(NOW), job.deadline()), (Status::Scheduled, NOW + 1_000));
    assert_eq!(job.status(NOW + 1_000), Status::Queued);
    assert_eq!(job.next(NOW), None, "it has not begun");
    job.begun(devices(3), NOW + 1_000);
    assert_eq!((job.status(NOW), job.deadline()), (Status::Running, NOW + 61_000));
    let work = job.next(NOW + 1_000).unwrap();
    assert_eq!((work.number, work.device.as_str()), (0, "d0"));
    assert_eq!(job.next(NOW + 1_000).map(|work| work.number), Some(1));
    assert_eq!(counts(&job), [3, 0, 0, 2, 1]);
    let response = Reply { status: 200, payload: b"{}".as_slice().into() };
    job.done(0, (NOW + 1_000, NOW + 2_000), Ok(Some(Response::of(response, &Losses::default()))));
    job.done(0, (NOW + 1_000, NOW + 2_000), Err(refused()));
    job.done(9, (NOW + 1_000, NOW + 2_000), Err(refused()));
    assert_eq!(counts(&job), [3, 0, 1, 1, 1], "once, and nobody else");
    job.done(1, (NOW + 1_000, NOW + 3_000), Err(refused()));
    let line = |number| text(|out| assert!(job.write_device(number, out)));
    let expected = concat!(
        r#"{"deviceId":"d0","jobId":"j","jobType":"scheduleDeviceMethod","status":"completed","#,
        r#""startTimeUtc":"2020-09-13T12:26:41.0000000Z","#,
        r#""endTimeUtc":"2020-09-13T12:26:42.0000000Z","#,
        r#""createdDateTimeUtc":"2020-09-13T12:26:40.0000000Z","#,
        r#""lastUpdatedDateTimeUtc":"2020-09-13T12:26:42.0000000Z","#,
        r#""outcome":{"deviceMethodResponse":{"status":200,"payload":{}}}}"#
    );
    assert_eq!(line(0), expected);
    let error = r#""error":{"code":"404103","description":"not there"}}"#;
    assert!(line(1).ends_with(error), "{}", line(1));
    assert!(line(2).contains(r#""status":"pending""#), "{}", line(2));
    assert!(!job.write_device(3, &mut Vec::new()));
    assert_eq!(job.end_due(NOW + 4_000), None);
    assert!(job.next(NOW + 4_000).is_some());
    job.done(2, (NOW + 4_000, NOW + 5_000), Ok(None));
    assert_eq!(job.end_due(NOW + 5_000), Some(End::Completed));
    job.ended(End::Completed, NOW + 5_000);
    assert_eq!((job.status(NOW), job.deadline()), (Status::Completed, NOW + 5_000 + HISTORY_MS));
    assert_eq!(counts(&job), [3, 1, 2, 0, 0]);
    let expected = concat!(
        r#"{"jobId":"j","queryCondition":"tags.a = 1","#,
        r#""createdTime":"2020-09-13T12:26:40.0000000Z","#,
        r#""startTime":"2020-09-13T12:26:41.0000000Z","endTime":"2020-09-13T12:26:45.0000000Z","#,
        r#""maxExecutionTimeInSeconds":60,"type":"scheduleDeviceMethod","#,
        r#""cloudToDeviceMethod":{"methodName":"m","payload":1,"responseTimeoutInSeconds":30,"#,
        r#""connectTimeoutInSeconds":0},"status":"completed","deviceJobStatistics":{"#,
        r#""deviceCount":3,"failedCount":1,"succeededCount":2,"runningCount":0,"pendingCount":0}}"#
    );
    assert_eq!(text(|out| job.write(NOW, out)), expected);
    let e = job.cancel().unwrap_err();
    assert_eq!(e.code, ErrorCode::OperationNotAllowedInCurrentState);
}

#[test]
fn jobs_end_in_every_way() {
    let begun = |count| {
        let mut job = job("");
        job.begun(devices(count), NOW);
        job
    };
    assert_eq!(begun(0).end_due(NOW), Some(End::Completed));
    let mut all_failed = begun(1);
    all_failed.next(NOW).unwrap();
    all_failed.done(0, (NOW, NOW), Err(refused()));
    let end = all_failed.end_due(NOW).unwrap();
    all_failed.ended(end, NOW);
    assert_eq!((all_failed.status(NOW), counts(&all_failed)), (Status::Failed, [1, 1, 0, 0, 0]));
    let said = text(|out| all_failed.write(NOW, out));
    assert!(said.contains(r#""failureReason":"all devices have failed""#), "{said}");
    assert_eq!(job("").end_due(NOW + 999_999), None, "a job that waits takes no time");
    let mut slow = begun(2);
    slow.next(NOW).unwrap();
    assert_eq!(slow.end_due(NOW + 59_999), None);
    assert_eq!(slow.end_due(NOW + 60_000), Some(End::TimeOver));
    slow.ended(End::TimeOver, NOW + 60_000);
    assert_eq!((slow.status(NOW), slow.next(NOW)), (Status::Failed, None));
    slow.done(0, (NOW, NOW + 61_000), Ok(None));
    assert_eq!((slow.status(NOW), counts(&slow)), (Status::Failed, [2, 0, 1, 0, 1]));
    let rest = text(|out| assert!(slow.write_device(1, out)));
    assert!(rest.contains(r#""status":"canceled""#), "{rest}");
    for end in [End::Completed, End::AllFailed, End::TimeOver, End::TooMany, End::Cancelled] {
        assert_eq!(End::of_number(end.number()), Some(end));
        assert_eq!(end.why().is_some(), end.status() == Status::Failed);
        let status = end.status();
        assert_eq!(Status::parse(&status.as_str().to_uppercase()), Some(status));
    }
    assert_eq!((Status::parse("unknown"), End::of_number(5)), (None, None));
}

#[test]
fn who_was_not_asked_after_all_comes_again() {
    let mut job = job("");
    job.begun(devices(4), NOW);
    assert_eq!((job.next(NOW).unwrap().number, job.next(NOW).unwrap().number), (0, 1));
    job.lost(0);
    job.lost(3);
    assert_eq!(counts(&job), [4, 0, 0, 1, 3]);
    let numbers: Vec<u32> = std::iter::from_fn(|| job.next(NOW).map(|work| work.number)).collect();
    assert_eq!(numbers, [0, 2, 3]);
    assert_eq!(job.in_work().count(), 4);
    job.done(2, (NOW, NOW), Ok(None));
    job.asked(&[2, 3], NOW + 1);
    let left: Vec<_> = job.in_work().collect();
    assert_eq!(left, [(0, NOW), (1, NOW), (3, NOW)], "what is done is not undone");
}

#[test]
fn work_and_memory_have_bounds() {
    let mut job = job("");
    job.begun(devices(WORK_MAX + 1), NOW);
    let begun = std::iter::from_fn(|| job.next(NOW).map(|work| work.number)).count();
    assert_eq!(begun, WORK_MAX);
    job.done(0, (NOW, NOW), Ok(None));
    assert_eq!(job.next(NOW).map(|work| work.number), Some(WORK_MAX as u32));
    let losses = Losses::default();
    let max = KEPT_PAYLOAD_BYTES_MAX;
    for (len, kept, lost) in [(max, max, 0), (max + 1, 0, 1), (1 << 17, 0, 2)] {
        let reply = Reply { status: 1, payload: vec![b'1'; len].into() };
        assert_eq!(Response::of(reply, &losses).payload.len(), kept);
        assert_eq!(losses.of(Loss::AnswerTooLong), lost);
    }
}
