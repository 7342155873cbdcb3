//! Which partition a device's messages are in. Refuses to know messages.

use super::limits::{PARTITIONS_MAX, PARTITIONS_MIN};

/// How many partitions a channel has, 2 to 32: fixed when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partitions(u8);

impl Partitions {
    /// `None` = it is no such number.
    pub fn new(count: u64) -> Option<Self> {
        let count = u8::try_from(count).ok()?;
        (PARTITIONS_MIN..=PARTITIONS_MAX).contains(&count).then_some(Self(count))
    }

    /// How many.
    pub fn count(self) -> usize {
        usize::from(self.0)
    }

    /// The partition of a device and its modules, from 0. The numbers are what readers know a
    /// device's messages by: they never change.
    pub fn of(self, device: &str) -> usize {
        let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
        let mut hash = device.bytes().fold(FNV_BASIS, fnv);
        // Its low bits hardly know the first characters.
        hash = (hash ^ (hash >> 33)).wrapping_mul(MIX);
        hash ^= hash >> 33;
        (hash % u64::from(self.0)) as usize
    }
}

impl Default for Partitions {
    /// As many as a new hub has.
    fn default() -> Self {
        Self(4)
    }
}

const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;
const MIX: u64 = 0xff51_afd7_ed55_8ccd;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_its_partition_for_good_and_all_are_used() {
        let four = Partitions::default();
        let names = ["device1", "device2", "pump", "Pump", "D1", "a"];
        assert_eq!(names.map(|name| four.of(name)), PINNED);
        let mut counts = [0; 32];
        let all = Partitions::new(32).unwrap();
        (0..32_000).for_each(|n| counts[all.of(&format!("device-{n:06}"))] += 1);
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
        for (count, good) in [(1, false), (2, true), (32, true), (33, false), (1 << 32, false)] {
            assert_eq!(Partitions::new(count).is_some(), good, "{count}");
        }
    }

    const PINNED: [usize; 6] = [3, 1, 0, 2, 2, 1];
}
