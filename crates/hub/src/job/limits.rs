//! Every bound of jobs (iot-hub C7).

use std::ops::RangeInclusive;

/// The id of a job, in characters.
pub const JOB_ID_CHARS_MAX: usize = 64;
/// What `maxExecutionTimeInSeconds` may be. Ours: a week.
pub const EXECUTION_TIME_RANGE: RangeInclusive<u32> = 1..=604_800;
/// What it is where it is not given.
pub const EXECUTION_TIME_DEFAULT: u32 = 3600;
/// Devices that one job works on at a time. Ours.
pub const WORK_MAX: usize = 100;
/// The payload of a device's answer that a job keeps, in bytes; a longer one is kept as null. Ours:
/// a job may have a million devices.
pub const KEPT_PAYLOAD_BYTES_MAX: usize = 4096;
