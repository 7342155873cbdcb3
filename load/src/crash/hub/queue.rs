//! The account of one device's commands: sent, taken by the hub, delivered, settled. Refuses to
//! know who asks, and how.

use super::section::Wrong;
use std::collections::BTreeMap;

/// The books of a queue.
#[derive(Debug, Default)]
pub struct Queue {
    commands: Vec<Command>,
    /// By number in the queue: the command that it was given to.
    numbers: BTreeMap<u64, usize>,
    /// What a command may come to that is sent now: a purge may be about to end it.
    new: End,
    /// Commands that the hub has taken.
    pub accepted: u64,
    /// Deliveries.
    pub delivered: u64,
    /// Settlements that the hub has confirmed, or that lasted by what came after.
    pub settled: u64,
}

#[derive(Debug)]
struct Command {
    fate: Fate,
    end: End,
    /// Given back: asked for, and confirmed.
    abandoned: (u64, u64),
    /// Its number in the queue.
    sequence: Option<u64>,
    hold: Hold,
}

/// Whether its device may have it, so that a purge passes over it (iot-hub B2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    Waits,
    Delivered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// No answer: it may be there, once.
    Open,
    /// It is there.
    Accepted,
    /// It must never come.
    Refused,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    /// It has to be delivered.
    #[default]
    None,
    /// A purge that was not answered may have ended it.
    Perhaps,
    /// Its device has settled it by this connection, and nobody confirmed it.
    Asked(u64),
    /// It is over.
    Over,
}

/// What a device does with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Completed or rejected.
    Ended,
    /// Given back.
    Abandoned,
}

/// A purge that was begun, by what was there for certain.
#[derive(Debug)]
pub struct Purge {
    /// Those that have to be among what is purged.
    certain: Vec<usize>,
}

impl Queue {
    /// A command is about to be sent; its number here, which is its body.
    pub fn send(&mut self) -> u64 {
        let (fate, end, abandoned, sequence) = (Fate::Open, self.new, (0, 0), None);
        self.commands.push(Command { fate, end, abandoned, sequence, hold: Hold::Waits });
        self.commands.len() as u64 - 1
    }

    /// The hub has taken it under a number.
    ///
    /// # Errors
    /// When the number is another's, or it has another.
    pub fn accept(&mut self, command: u64, sequence: u64) -> Result<(), Wrong> {
        self.accepted += 1;
        let at = self.known(command)?;
        self.number(at, sequence)?;
        self.commands[at].fate = Fate::Accepted;
        Ok(())
    }

    /// The hub has refused it.
    ///
    /// # Errors
    /// When it was delivered already.
    pub fn refuse(&mut self, command: u64) -> Result<(), Wrong> {
        let at = self.known(command)?;
        if self.commands[at].sequence.is_some() {
            return Err(format!("command {command} was refused and delivered"));
        }
        self.commands[at].fate = Fate::Refused;
        Ok(())
    }

    /// It came to its device, by this connection.
    ///
    /// # Errors
    /// When it is over, was never sent, or has another number.
    pub fn deliver(
        &mut self,
        command: u64,
        sequence: u64,
        deliveries: u64,
        connection: u64,
    ) -> Result<(), Wrong> {
        self.delivered += 1;
        let at = self.known(command)?;
        self.number(at, sequence)?;
        let Command { fate, end, abandoned: (asked, confirmed), .. } = self.commands[at];
        if fate == Fate::Refused {
            return Err(format!("command {command} was refused and is delivered"));
        }
        if end == End::Over || end == End::Asked(connection) {
            return Err(format!("command {command} was settled and is delivered again"));
        }
        if !(confirmed..=asked).contains(&deliveries) {
            return Err(format!("command {command} says {deliveries}, not {confirmed} to {asked}"));
        }
        // It is there, whether its sender was told or not, and no purge has ended it.
        self.commands[at].fate = Fate::Accepted;
        self.commands[at].end = End::None;
        self.commands[at].hold = Hold::Delivered;
        Ok(())
    }

    /// Its device is about to settle it.
    pub fn settle(&mut self, command: u64, how: Settled, connection: u64) {
        if let Ok(at) = self.known(command) {
            match how {
                Settled::Ended => self.commands[at].end = End::Asked(connection),
                Settled::Abandoned => self.commands[at].abandoned.0 += 1,
            }
        }
    }

    /// What it did with it lasts.
    ///
    /// # Errors
    /// When it was over before.
    pub fn confirm(&mut self, command: u64, how: Settled) -> Result<(), Wrong> {
        let at = self.known(command)?;
        self.settled += 1;
        if self.commands[at].end == End::Over {
            return Err(format!("command {command} was settled twice"));
        }
        match how {
            Settled::Ended => self.commands[at].end = End::Over,
            Settled::Abandoned => {
                self.commands[at].abandoned.1 += 1;
                self.commands[at].hold = Hold::Waits;
            }
        }
        Ok(())
    }

    /// All that waits is about to be removed. What its device has may be there again meanwhile.
    pub fn purge(&mut self) -> Purge {
        let waits =
            |c: &Command| c.fate == Fate::Accepted && c.end == End::None && c.hold == Hold::Waits;
        let certain = |(at, c): (usize, &Command)| waits(c).then_some(at);
        let certain = self.commands.iter().enumerate().filter_map(certain).collect();
        for command in &mut self.commands {
            if command.end == End::None && command.fate != Fate::Refused {
                command.end = End::Perhaps;
            }
        }
        self.new = End::Perhaps;
        Purge { certain }
    }

    /// The process that was asked to purge has ended.
    pub fn begin(&mut self) {
        self.new = End::None;
    }

    /// The hub says how many it removed. Nobody delivers meanwhile.
    ///
    /// # Errors
    /// When they are fewer than there were for certain, or more than were sent.
    pub fn purged(&mut self, purge: &Purge, count: u64) -> Result<(), Wrong> {
        let (least, most) = (purge.certain.len(), self.commands.len());
        if count < least as u64 || count > most as u64 {
            return Err(format!("a purge found {count}, of {least} to {most}"));
        }
        self.new = End::None;
        for at in &purge.certain {
            self.commands[*at].end = End::Over;
        }
        Ok(())
    }

    /// Commands that the hub has taken and that are neither delivered since nor over, when nothing
    /// comes any more.
    pub fn missing(&self) -> Vec<u64> {
        let lost = |c: &Command| c.fate == Fate::Accepted && c.end == End::None;
        (0..).zip(&self.commands).filter(|(_, c)| lost(c)).map(|(n, _)| n).collect()
    }

    fn known(&self, command: u64) -> Result<usize, Wrong> {
        let at = usize::try_from(command).ok().filter(|at| *at < self.commands.len());
        at.ok_or_else(|| format!("command {command} was never sent"))
    }

    fn number(&mut self, at: usize, sequence: u64) -> Result<(), Wrong> {
        let other = *self.numbers.entry(sequence).or_insert(at);
        if other != at {
            return Err(format!("number {sequence} is command {other}'s and command {at}'s"));
        }
        let known = *self.commands[at].sequence.get_or_insert(sequence);
        if known != sequence {
            return Err(format!("command {at} has number {known} and {sequence}: taken twice"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_history_is_right() {
        let mut queue = Queue::default();
        let (a, b, c) = (queue.send(), queue.send(), queue.send());
        queue.accept(a, 1).unwrap();
        assert_eq!(queue.missing(), [a]);
        queue.deliver(a, 1, 0, 0).unwrap();
        queue.settle(a, Settled::Abandoned, 0);
        queue.confirm(a, Settled::Abandoned).unwrap();
        queue.deliver(a, 1, 1, 0).unwrap();
        queue.settle(a, Settled::Ended, 0);
        // The process ended before the settlement lasted.
        queue.deliver(a, 1, 1, 1).unwrap();
        queue.settle(a, Settled::Ended, 1);
        queue.confirm(a, Settled::Ended).unwrap();
        // Nobody heard the answer about `b`, and it was there.
        queue.deliver(b, 2, 0, 1).unwrap();
        queue.refuse(c).unwrap();
        assert_eq!(queue.missing(), [b]);
        // A purge passes over what its device has.
        let d = queue.send();
        queue.accept(d, 3).unwrap();
        let purge = queue.purge();
        queue.purged(&purge, 1).unwrap();
        assert!(queue.missing().is_empty() && queue.deliver(d, 3, 0, 1).is_err());
        queue.deliver(b, 2, 0, 2).unwrap();
        // One that is sent meanwhile may be purged or not.
        let purge = queue.purge();
        let e = queue.send();
        queue.purged(&purge, 1).unwrap();
        queue.accept(e, 4).unwrap();
        assert!(queue.missing().is_empty(), "neither {b} nor {e}");
    }

    #[test]
    fn wrong_histories_are_seen() {
        type History = fn(&mut Queue) -> Result<(), Wrong>;
        let rows: [(&str, History); 9] = [
            ("settled twice", |q| {
                q.confirm(0, Settled::Ended)?;
                q.confirm(0, Settled::Ended)
            }),
            ("settled and again", |q| {
                q.confirm(0, Settled::Ended)?;
                q.deliver(0, 1, 0, 9)
            }),
            ("asked and again", |q| {
                q.settle(0, Settled::Ended, 3);
                q.deliver(0, 1, 0, 3)
            }),
            ("taken twice", |q| q.deliver(0, 2, 0, 0)),
            ("a number twice", |q| {
                q.send();
                q.accept(1, 1)
            }),
            ("never sent", |q| q.deliver(1, 2, 0, 0)),
            ("refused", |q| {
                q.send();
                q.refuse(1)?;
                q.deliver(1, 2, 0, 0)
            }),
            ("counted too far", |q| q.deliver(0, 1, 1, 0)),
            ("purged too few", |q| {
                let purge = q.purge();
                q.purged(&purge, 0)
            }),
        ];
        for (name, history) in rows {
            let mut queue = Queue::default();
            queue.send();
            queue.accept(0, 1).unwrap();
            assert!(history(&mut queue).is_err(), "{name}");
        }
        let mut lost = Queue::default();
        let (n, open) = (lost.send(), lost.send());
        lost.accept(n, 1).unwrap();
        assert_eq!(lost.missing(), [n], "and nothing is said of {open}");
    }
}
