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
    Job::new(Plan::read(JobId::parse("j").unwrap(), body.as_bytes(), NOW).unwrap())
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
    assert_eq!((job.status(NOW), job.deadline()), (Status::Scheduled, Some(NOW + 1_000)));
    assert_eq!(job.status(NOW + 1_000), Status::Queued);
    assert_eq!(job.next(NOW), None, "it has not begun");
    job.begin(devices(3), NOW + 1_000);
    assert_eq!((job.status(NOW), job.deadline()), (Status::Running, Some(NOW + 61_000)));
    let work = job.next(NOW + 1_000).unwrap();
    assert_eq!((work.number, work.device.as_str()), (0, "d0"));
    assert_eq!(job.next(NOW + 1_000).map(|work| work.number), Some(1));
    assert_eq!(counts(&job), [3, 0, 0, 2, 1]);
    let response = Reply { status: 200, payload: b"{}".as_slice().into() };
    job.done(0, Ok(Some(response.into())), NOW + 2_000);
    job.done(0, Err(refused()), NOW + 2_000);
    job.done(2, Err(refused()), NOW + 2_000);
    job.done(9, Err(refused()), NOW + 2_000);
    assert_eq!(counts(&job), [3, 0, 1, 1, 1], "nobody works on the others");
    job.done(1, Err(refused()), NOW + 3_000);
    let late = text(|out| job.write_devices(out, |out| out.push(b'\n')));
    let expected = concat!(
        r#"{"deviceId":"d0","jobId":"j","jobType":"scheduleDeviceMethod","status":"completed","#,
        r#""startTimeUtc":"2020-09-13T12:26:41.0000000Z","#,
        r#""endTimeUtc":"2020-09-13T12:26:42.0000000Z","#,
        r#""createdDateTimeUtc":"2020-09-13T12:26:40.0000000Z","#,
        r#""lastUpdatedDateTimeUtc":"2020-09-13T12:26:42.0000000Z","#,
        r#""outcome":{"deviceMethodResponse":{"status":200,"payload":{}}}}"#
    );
    let lines: Vec<&str> = late.lines().collect();
    assert_eq!(lines[0], expected);
    let error = r#""error":{"code":"404103","description":"not there"}}"#;
    assert!(lines[1].ends_with(error), "{}", lines[1]);
    assert!(lines[2].contains(r#""status":"pending""#), "{}", lines[2]);
    assert!(job.next(NOW + 4_000).is_some());
    job.done(2, Ok(None), NOW + 5_000);
    assert_eq!((job.status(NOW), job.deadline()), (Status::Completed, None));
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
    let e = job.cancel(NOW).unwrap_err();
    assert_eq!(e.code, ErrorCode::OperationNotAllowedInCurrentState);
}

#[test]
fn jobs_end_in_every_way() {
    let mut none = job("");
    none.begin(Vec::new(), NOW);
    assert_eq!(none.status(NOW), Status::Completed);
    let mut all_failed = job("");
    all_failed.begin(devices(1), NOW);
    all_failed.begin(devices(9), NOW);
    all_failed.next(NOW).unwrap();
    all_failed.done(0, Err(refused()), NOW);
    assert_eq!((all_failed.status(NOW), counts(&all_failed)), (Status::Failed, [1, 1, 0, 0, 0]));
    let said = text(|out| all_failed.write(NOW, out));
    assert!(said.contains(r#""failureReason":"all devices have failed""#), "{said}");
    let mut slow = job("");
    slow.turn(NOW + 999_999);
    assert_eq!(slow.status(NOW), Status::Queued, "a job that waits takes no time");
    slow.begin(devices(2), NOW);
    slow.next(NOW).unwrap();
    slow.turn(NOW + 59_999);
    assert_eq!(slow.status(NOW), Status::Running);
    slow.turn(NOW + 60_000);
    assert_eq!((slow.status(NOW), slow.next(NOW)), (Status::Failed, None));
    slow.done(0, Ok(None), NOW + 61_000);
    assert_eq!((slow.status(NOW), counts(&slow)), (Status::Failed, [2, 0, 1, 0, 1]));
    let mut cancelled = job("");
    cancelled.cancel(NOW).unwrap();
    cancelled.begin(devices(1), NOW);
    assert_eq!((cancelled.status(NOW), counts(&cancelled)), (Status::Cancelled, [0; 5]));
    for status in [all_failed, slow, cancelled].map(|job| job.status(NOW)) {
        assert_eq!(Status::parse(&status.as_str().to_uppercase()), Some(status));
    }
    assert_eq!(Status::parse("unknown"), None);
}

#[test]
fn work_and_memory_have_bounds() {
    let mut job = job("");
    job.begin(devices(WORK_MAX + 1), NOW);
    let begun = std::iter::from_fn(|| job.next(NOW).map(|work| work.number)).count();
    assert_eq!(begun, WORK_MAX);
    job.done(0, Ok(None), NOW);
    assert_eq!(job.next(NOW).map(|work| work.number), Some(WORK_MAX));
    for (len, kept) in [(KEPT_PAYLOAD_BYTES_MAX, KEPT_PAYLOAD_BYTES_MAX), (1 << 17, 0)] {
        let reply = Reply { status: 1, payload: vec![b'1'; len].into() };
        assert_eq!(Response::from(reply).payload.len(), kept);
    }
}
