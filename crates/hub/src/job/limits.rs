//! Every bound of jobs (iot-hub C7), and what happens at it.

use std::ops::RangeInclusive;

/// The id of a job, in characters.
pub const JOB_ID_CHARS_MAX: usize = 64;
/// What `maxExecutionTimeInSeconds` may be. Ours: a week.
pub const EXECUTION_TIME_RANGE: RangeInclusive<u32> = 1..=604_800;
/// What it is where it is not given.
pub const EXECUTION_TIME_DEFAULT: u32 = 3600;
/// Jobs that run at a time; more of them wait as `queued`.
pub const RUNNING_MAX: usize = 10;
/// Jobs that have not ended; a further one is refused. Ours.
pub const ACTIVE_MAX: usize = 100;
/// Jobs that have ended and are kept; above that the oldest go before their time. Ours.
pub const HISTORY_MAX: usize = 1000;
/// How long they are kept: 30 days, in milliseconds.
pub const HISTORY_MS: u64 = 30 * 86_400_000;
/// Devices of all jobs that are kept together; a job that does not fit beside those that have not
/// ended fails. Ours: as many as a registry has.
pub const JOB_DEVICES_MAX: usize = 1_000_000;
/// Devices that one job works on at a time. Ours.
pub const WORK_MAX: usize = 100;
/// The payload of a device's answer that a job keeps, in bytes; a longer one is kept as null. Ours:
/// a job may have a million devices.
pub const KEPT_PAYLOAD_BYTES_MAX: usize = 4096;
/// All such payloads together; further ones are kept as null. Ours.
pub const KEPT_PAYLOADS_BYTES_MAX: usize = 64 << 20;
