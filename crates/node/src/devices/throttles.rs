//! How much a hub and each of its devices may do (iot-hub A13, C9): so much in a second or a
//! minute, so many messages a day, all by the domain clock. Owns the counting; refuses to know
//! what an operation is answered. It is memory: a start begins with full buckets and an empty day.

use crate::shard::Shard;
use broker::rate::{Bucket, Rate, SharedBucket};
use hub::errors::{ErrorCode, Refusal};
use hub::identity::IdentityId;
use hub::plane::Status;
use hub::registry::Ids;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metered {
    /// CONNECT of a device that would be let in.
    Connects,
    /// Messages of devices, by MQTT and by HTTP.
    Telemetry,
    /// Twins that devices and services read.
    TwinReads,
    /// Writes into twins, by devices and services.
    TwinUpdates,
    /// Commands that services send.
    Commands,
    /// Bytes of method requests, in blocks of 4 KiB.
    MethodBytes,
    /// Requests for identities.
    Registry,
    /// Pages of queries.
    Queries,
}

/// What the hub may do, or one device or module. The default bounds nothing.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    rates: [Option<Rate>; METERED],
    /// Messages of a day (UTC): telemetry, twins, commands and methods count, once for each 4 KiB
    /// that are begun. 0 = any number.
    pub messages_per_day_max: u32,
}

/// The bounds of a hub and what of them is used up.
#[derive(Debug)]
pub struct Throttles {
    hub: Bounds,
    device: Bounds,
    state: State,
    buckets: [SharedBucket; METERED],
    day: AtomicU64,
    /// Operations that had to wait, since the start.
    throttled: [AtomicU64; METERED],
}

/// Whether there is a bound: asked for every operation, so it is no look at all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Off,
    /// The hub is bounded; devices are not.
    Hub,
    /// Devices are, and the hub may be.
    Devices,
}

/// What one device or module has used up.
#[derive(Default)]
pub(super) struct Used {
    buckets: [Bucket; METERED],
    day: Day,
}

/// Why an operation has to wait. Nothing was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttled {
    /// Whose bound it is.
    pub whose: Whose,
    /// Which bound.
    pub by: By,
    /// Whole seconds, at least one, after which it may go.
    pub retry_after_s: u32,
}

/// Whose bound is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Of all together.
    Hub,
    /// Of this one.
    Device,
}

/// Which bound is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Of a second or a minute.
    Rate,
    /// Of a day.
    Quota,
}

/// The day since 1970 and the messages of it, in one number.
#[derive(Debug, Clone, Copy, Default)]
struct Day(u64);

impl Bounds {
    /// Bounds one kind.
    pub fn set(&mut self, kind: Metered, rate: Option<Rate>) {
        self.rates[kind as usize] = rate;
    }

    fn is_off(&self) -> bool {
        self.messages_per_day_max == 0 && self.rates.iter().all(Option::is_none)
    }
}

impl Throttles {
    /// Of a hub, and of each device and module.
    pub fn new(hub: Bounds, device: Bounds) -> Self {
        let state = match (hub.is_off(), device.is_off()) {
            (true, true) => State::Off,
            (false, true) => State::Hub,
            (_, false) => State::Devices,
        };
        let (buckets, day, throttled) = Default::default();
        Self { hub, device, state, buckets, day, throttled }
    }

    /// Whether nothing is bounded.
    pub fn is_off(&self) -> bool {
        self.state == State::Off
    }

    /// Counts what a service asks for that is about no single device: so many at once, all or
    /// none.
    ///
    /// # Errors
    /// They have to wait.
    pub fn take(&self, kind: Metered, count: usize, now_ms: u64) -> Result<(), Throttled> {
        self.take_for(kind, (count, 0), None, now_ms)
    }

    /// Operations of one kind that had to wait, since the start.
    pub fn throttled(&self, kind: Metered) -> u64 {
        self.throttled[kind as usize].load(Ordering::Relaxed)
    }

    /// Counts so many operations of so many bytes each, or that they have to wait.
    fn take_for(
        &self,
        kind: Metered,
        (count, bytes): (usize, usize),
        used: Option<&mut Used>,
        now_ms: u64,
    ) -> Result<(), Throttled> {
        let taken = self.decide(kind, (count as u64, bytes as u64), used, now_ms);
        if taken.is_err() {
            self.throttled[kind as usize].fetch_add(count as u64, Ordering::Relaxed);
        }
        taken
    }

    fn decide(
        &self,
        kind: Metered,
        (count, bytes): (u64, u64),
        used: Option<&mut Used>,
        now_ms: u64,
    ) -> Result<(), Throttled> {
        let blocks = count * bytes.div_ceil(BLOCK_BYTES).max(1);
        let n = if kind == Metered::MethodBytes { blocks * BLOCK_BYTES } else { count };
        let messages = if kind.is_message() { blocks } else { 0 };
        let (now_us, at) = (now_ms * 1_000, kind as usize);
        let of_hub = Day(self.day.load(Ordering::Relaxed));
        let of_device = used.as_ref().map_or(Day::default(), |used| used.day);
        for (whose, day, max) in [
            (Whose::Device, of_device, self.device.messages_per_day_max),
            (Whose::Hub, of_hub, self.hub.messages_per_day_max),
        ] {
            if messages > 0 && max > 0 && day.count(now_ms) + messages > u64::from(max) {
                let retry_after_s = ((DAY_MS - now_ms % DAY_MS).div_ceil(1_000)) as u32;
                return Err(Throttled { whose, by: By::Quota, retry_after_s });
            }
        }
        let throttled = |whose, wait_us: u64| {
            let retry_after_s = u32::try_from(wait_us.div_ceil(1_000_000)).unwrap_or(u32::MAX);
            Throttled { whose, by: By::Rate, retry_after_s: retry_after_s.max(1) }
        };
        if let (Some(rate), Some(used)) = (self.device.rates[at], &used) {
            let mut bucket = used.buckets[at];
            if !bucket.take(rate, n, now_us) {
                return Err(throttled(Whose::Device, bucket.wait_us(rate, n, now_us)));
            }
        }
        if let Some(rate) = self.hub.rates[at] {
            let bucket = &self.buckets[at];
            if !bucket.take(rate, n, now_us) {
                return Err(throttled(Whose::Hub, bucket.wait_us(rate, n, now_us)));
            }
        }
        // Nothing stands against it any more.
        if let Some(used) = used {
            if let Some(rate) = self.device.rates[at] {
                used.buckets[at].take(rate, n, now_us);
            }
            used.day = used.day.with(messages, now_ms);
        }
        let more = |day| Some(Day(day).with(messages, now_ms).0);
        let _ = self.day.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        Ok(())
    }
}

impl Default for Throttles {
    fn default() -> Self {
        Self::new(Bounds::default(), Bounds::default())
    }
}

impl Metered {
    /// Every kind, in the order of its number.
    pub const ALL: [Self; METERED] = [
        Self::Connects,
        Self::Telemetry,
        Self::TwinReads,
        Self::TwinUpdates,
        Self::Commands,
        Self::MethodBytes,
        Self::Registry,
        Self::Queries,
    ];

    /// The label in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connects => "connects",
            Self::Telemetry => "telemetry",
            Self::TwinReads => "twin_reads",
            Self::TwinUpdates => "twin_updates",
            Self::Commands => "commands",
            Self::MethodBytes => "methods",
            Self::Registry => "registry",
            Self::Queries => "queries",
        }
    }

    /// Whether it counts for the quota of a day.
    fn is_message(self) -> bool {
        !matches!(self, Self::Connects | Self::Registry | Self::Queries)
    }
}

impl Day {
    fn count(self, now_ms: u64) -> u64 {
        if self.0 >> COUNT_BITS == now_ms / DAY_MS { self.0 & COUNT } else { 0 }
    }

    fn with(self, messages: u64, now_ms: u64) -> Self {
        let count = (self.count(now_ms) + messages).min(COUNT);
        Self(((now_ms / DAY_MS) << COUNT_BITS) | count)
    }
}

impl Throttled {
    /// What a device is told (A13).
    pub fn status(self) -> Status {
        match self.by {
            By::Rate => Status::THROTTLED,
            By::Quota => Status::QUOTA_EXCEEDED,
        }
    }

    /// What is too much, for people.
    pub fn why(self) -> &'static str {
        match (self.by, self.whose) {
            (By::Rate, Whose::Hub) => "the hub is asked faster than hub.throttles lets it",
            (By::Rate, Whose::Device) => "this device is faster than hub.device_throttles lets it",
            (By::Quota, Whose::Hub) => "the hub has had its messages of this day (hub.throttles)",
            (By::Quota, Whose::Device) => {
                "this device has had its messages of this day (hub.device_throttles)"
            }
        }
    }
}

/// What a service is told (C9).
impl From<Throttled> for Refusal {
    fn from(throttled: Throttled) -> Self {
        let code = match (throttled.by, throttled.whose) {
            (By::Rate, Whose::Hub) => ErrorCode::ThrottlingException,
            (By::Rate, Whose::Device) => ErrorCode::DeviceThrottlingLimitExceeded,
            (By::Quota, _) => ErrorCode::IotHubQuotaExceeded,
        };
        let text = format!("{}; try again in {} s", throttled.why(), throttled.retry_after_s);
        Self::new(code, text).after(throttled.retry_after_s)
    }
}

impl Shard {
    /// Counts an operation of a device, or of a service on it; why it has to wait, if it has to.
    #[inline]
    pub(super) fn throttle(
        &mut self,
        kind: Metered,
        id: &IdentityId,
        bytes: usize,
    ) -> Option<Throttled> {
        match &self.devices.hub {
            Some(hub) if !hub.throttles.is_off() => self.throttle_counting(kind, id, bytes),
            _ => None,
        }
    }

    fn throttle_counting(
        &mut self,
        kind: Metered,
        id: &IdentityId,
        bytes: usize,
    ) -> Option<Throttled> {
        let now_ms = self.homes.now.wall_ms;
        let hub = self.devices.hub.as_ref()?;
        let known = self.devices.known.get_mut(Ids::from(id)).map(|(_, known)| known);
        let used = known
            .filter(|_| hub.throttles.state == State::Devices)
            .map(|known| &mut **known.heard.get_or_insert_default().used.get_or_insert_default());
        hub.throttles.take_for(kind, (1, bytes), used, now_ms).err()
    }
}

const METERED: usize = 8;
const BLOCK_BYTES: u64 = 4_096;
const DAY_MS: u64 = 86_400_000;
const COUNT_BITS: u32 = 40;
const COUNT: u64 = (1 << COUNT_BITS) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(kind: Metered, count: u32, seconds: u32, messages_per_day_max: u32) -> Bounds {
        let mut bounds = Bounds { messages_per_day_max, ..Bounds::default() };
        bounds.set(kind, Rate::over(count, seconds));
        bounds
    }

    fn throttled(whose: Whose, by: By, retry_after_s: u32) -> Result<(), Throttled> {
        Err(Throttled { whose, by, retry_after_s })
    }

    #[test]
    fn the_device_s_bound_and_the_hub_s_hold_together_and_a_refusal_takes_nothing() {
        assert!(Throttles::default().is_off());
        let kind = Metered::Commands;
        let throttles = Throttles::new(bounds(kind, 3, 60, 0), bounds(kind, 2, 60, 0));
        let (mut one, mut two) = (Used::default(), Used::default());
        let take = |used: &mut Used, at_ms| throttles.take_for(kind, (1, 1), Some(used), at_ms);
        assert_eq!([take(&mut one, 0), take(&mut one, 0)], [Ok(()); 2]);
        assert_eq!(take(&mut one, 0), throttled(Whose::Device, By::Rate, 30));
        assert_eq!(take(&mut two, 0), Ok(()));
        assert_eq!(take(&mut two, 0), throttled(Whose::Hub, By::Rate, 20));
        assert_eq!(take(&mut two, 20_000), Ok(()), "the refusal took nothing of its own");
        assert_eq!(take(&mut two, 40_000), Ok(()));
        assert_eq!(Metered::ALL.map(|kind| throttles.throttled(kind)), [0, 0, 0, 0, 2, 0, 0, 0]);
    }

    #[test]
    fn methods_are_metered_in_blocks() {
        let kind = Metered::MethodBytes;
        let throttles = Throttles::new(bounds(kind, 8_192, 1, 0), Bounds::default());
        let take = |bytes, at_ms| throttles.take_for(kind, (1, bytes), None, at_ms);
        assert_eq!([take(1, 0), take(4_096, 0)], [Ok(()); 2]);
        assert_eq!(take(0, 0), throttled(Whose::Hub, By::Rate, 1));
        assert_eq!(take(100_000, 1_000), Ok(()), "more than a bucket holds goes out of a full one");
    }

    #[test]
    fn many_at_once_are_taken_together_or_not_at_all() {
        let kind = Metered::Registry;
        let throttles = Throttles::new(bounds(kind, 10, 10, 0), Bounds::default());
        assert_eq!(throttles.take(kind, 6, 0), Ok(()));
        assert_eq!(throttles.take(kind, 6, 0), throttled(Whose::Hub, By::Rate, 2));
        assert_eq!(throttles.throttled(kind), 6);
        assert_eq!(throttles.take(kind, 4, 0), Ok(()), "a refusal takes nothing");
        let late_ms = 100_000;
        assert_eq!(throttles.take(kind, 100, late_ms), Ok(()), "out of a full bucket");
        assert_eq!(throttles.take(kind, 1, late_ms), throttled(Whose::Hub, By::Rate, 91));
    }

    #[test]
    fn a_day_ends_at_midnight() {
        let day = |max| bounds(Metered::Queries, 0, 1, max);
        let throttles = Throttles::new(day(4), day(3));
        let mut used = Used::default();
        let late_ms = 5 * DAY_MS - 90_000;
        let mut take =
            |kind, bytes, at_ms| throttles.take_for(kind, (1, bytes), Some(&mut used), at_ms);
        assert_eq!(take(Metered::Telemetry, 8_193, late_ms), Ok(()), "it counts three times");
        assert_eq!(take(Metered::TwinReads, 0, late_ms), throttled(Whose::Device, By::Quota, 90));
        assert_eq!(take(Metered::Connects, 0, late_ms), Ok(()), "no message");
        assert_eq!(throttles.take_for(Metered::Telemetry, (1, 0), None, late_ms), Ok(()));
        let over = throttles.take_for(Metered::Telemetry, (1, 0), None, late_ms + 500);
        assert_eq!(over, throttled(Whose::Hub, By::Quota, 90));
        assert_eq!(take(Metered::Telemetry, 0, late_ms + 90_000), Ok(()));
    }
}
