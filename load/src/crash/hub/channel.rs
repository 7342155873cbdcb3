//! The account of the telemetry channel: what devices sent and were acknowledged, and what readers
//! of the partitions were shown at which offset. Refuses to know who asks, and how.

use super::section::Wrong;
use super::shown::Shown;

/// The books of the channel.
#[derive(Debug, Default)]
pub struct Channel {
    devices: Vec<Sender>,
    shown: Shown<Message>,
    /// Acknowledgements.
    pub acknowledged: u64,
    /// Messages that readers were shown for the first time at an offset.
    pub read: u64,
}

/// Device and number.
pub type Message = (usize, u64);

#[derive(Debug, Default)]
struct Sender {
    /// By number: what is known of a message.
    sent: Vec<Sent>,
    /// The first that may come as new.
    next: u64,
    partition: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    acknowledged: bool,
    seen: bool,
}

impl Channel {
    /// For so many devices.
    pub fn new(devices: usize) -> Self {
        let devices = (0..devices).map(|_| Sender::default()).collect();
        Self { devices, ..Self::default() }
    }

    /// A message is about to be sent for the first time; its number.
    pub fn send(&mut self, device: usize) -> u64 {
        let sent = &mut self.devices[device].sent;
        sent.push(Sent::default());
        sent.len() as u64 - 1
    }

    /// PUBACK came.
    pub fn acknowledge(&mut self, device: usize, number: u64) {
        self.acknowledged += 1;
        let sent =
            usize::try_from(number).ok().and_then(|at| self.devices[device].sent.get_mut(at));
        if let Some(sent) = sent {
            sent.acknowledged = true;
        }
    }

    /// A reader was shown these of a partition, from an offset on, without a gap.
    ///
    /// # Errors
    /// With the first that cannot be.
    pub fn show(
        &mut self,
        partition: usize,
        from: u64,
        records: &[(u64, Message)],
    ) -> Result<(), Wrong> {
        let end = records.last().map_or(from, |(offset, ..)| offset + 1);
        for (device, number) in self.shown.show(partition, from..end, records)? {
            self.read += 1;
            self.devices[device].come(partition, number)?;
        }
        Ok(())
    }

    /// The highest offset of a partition that anybody was shown, less `back` messages; 0 = none.
    pub fn place(&self, partition: usize, back: usize) -> u64 {
        self.shown.place(partition, back)
    }

    /// Acknowledged messages that no reader was shown, when all was read: device and number.
    pub fn missing(&self) -> Vec<(usize, u64)> {
        let mut missing = Vec::new();
        for (device, sender) in self.devices.iter().enumerate() {
            let lost = |(_, sent): &(u64, &Sent)| sent.acknowledged && !sent.seen;
            missing.extend((0..).zip(&sender.sent).filter(lost).map(|(n, _)| (device, n)));
        }
        missing
    }
}

impl Sender {
    /// A message came into the channel: what is new comes in its order, what comes again may.
    fn come(&mut self, partition: usize, number: u64) -> Result<(), Wrong> {
        if *self.partition.get_or_insert(partition) != partition {
            return Err(format!("a device's messages are in {partition} and elsewhere"));
        }
        let sent = usize::try_from(number).ok().and_then(|at| self.sent.get_mut(at));
        let Some(sent) = sent else { return Err(format!("{number} was never sent")) };
        let first = !std::mem::replace(&mut sent.seen, true);
        if first && number < self.next {
            return Err(format!("{number} comes for the first time behind {}", self.next - 1));
        }
        self.next = self.next.max(number + 1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(count: u64) -> Channel {
        let mut channel = Channel::new(2);
        (0..count).for_each(|_| _ = channel.send(0));
        channel
    }

    #[test]
    fn a_right_history_is_right() {
        let mut channel = sent(4);
        channel.acknowledge(0, 0);
        channel.acknowledge(0, 2);
        // 1 was not acknowledged and did not come; 2 was sent again.
        channel.show(1, 1, &[(1, (0, 0)), (3, (0, 2))]).unwrap();
        channel.show(1, 3, &[(3, (0, 2)), (4, (0, 2)), (7, (0, 3))]).unwrap();
        channel.show(1, 0, &[(1, (0, 0)), (3, (0, 2)), (4, (0, 2)), (7, (0, 3))]).unwrap();
        assert!(channel.missing().is_empty());
        assert_eq!((channel.place(1, 0), channel.place(1, 1), channel.place(1, 9)), (7, 4, 1));
        assert_eq!((channel.read, channel.place(0, 3)), (4, 0));
    }

    #[test]
    fn wrong_histories_are_seen() {
        type Shown = (usize, u64, &'static [(u64, Message)]);
        let rows: [(&str, &[Shown]); 6] = [
            ("out of order", &[(0, 0, &[(1, (0, 1)), (2, (0, 0))])]),
            ("never sent", &[(0, 0, &[(1, (0, 9))])]),
            ("two partitions", &[(0, 0, &[(1, (0, 0))]), (1, 0, &[(1, (0, 1))])]),
            ("rewritten", &[(0, 0, &[(1, (0, 0))]), (0, 1, &[(1, (0, 1))])]),
            (
                "gone",
                &[
                    (0, 0, &[(1, (0, 0)), (2, (0, 1))]),
                    (0, 1, &[(2, (0, 1))]),
                    (0, 1, &[(3, (0, 2))]),
                ],
            ),
            ("behind", &[(0, 0, &[(3, (0, 0))]), (0, 0, &[(2, (0, 1)), (3, (0, 0))])]),
        ];
        for (name, history) in rows {
            let mut channel = sent(3);
            let judged: Result<Vec<()>, Wrong> =
                history.iter().map(|(p, from, records)| channel.show(*p, *from, records)).collect();
            assert!(judged.is_err(), "{name}");
        }
        let mut lost = sent(2);
        lost.acknowledge(0, 1);
        lost.show(0, 0, &[(1, (0, 0))]).unwrap();
        assert_eq!(lost.missing(), [(0, 1)]);
    }
}
