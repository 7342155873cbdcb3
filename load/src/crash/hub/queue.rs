//! The account of one device's commands: sent, taken by the hub, delivered, settled, told of.
//! Refuses to know who asks, and how.

use super::ending::{Ack, Ending, Way};
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
    /// Ends that a reader of feedback was told.
    pub told: u64,
}

#[derive(Debug)]
struct Command {
    fate: Fate,
    end: End,
    ending: Ending,
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
    /// A reader of feedback was told so.
    Told,
    /// It is over.
    Over,
}

/// What a device does with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is over.
    Ended(Way),
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
    pub fn send(&mut self, ack: Ack) -> u64 {
        let (fate, end, abandoned, sequence) = (Fate::Open, self.new, (0, 0), None);
        let (mut ending, hold) = (Ending::new(ack), Hold::Waits);
        if end == End::Perhaps {
            ending.may(Way::Purged);
        }
        self.commands.push(Command { fate, end, ending, abandoned, sequence, hold });
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

    /// It came to its device, by this connection; `told` perhaps of its number, and of how often it
    /// was given back.
    ///
    /// # Errors
    /// When it is over, was never sent, or has another number.
    pub fn deliver(
        &mut self,
        command: u64,
        told: Option<(u64, u64)>,
        connection: u64,
    ) -> Result<(), Wrong> {
        self.delivered += 1;
        let at = self.known(command)?;
        told.map_or(Ok(()), |(sequence, _)| self.number(at, sequence))?;
        let Command { fate, end, abandoned: (asked, confirmed), .. } = self.commands[at];
        if fate == Fate::Refused {
            return Err(format!("command {command} was refused and is delivered"));
        }
        if matches!(end, End::Over | End::Told) || end == End::Asked(connection) {
            return Err(format!("command {command} was settled and is delivered again"));
        }
        if let Some((_, deliveries)) = told
            && !(confirmed..=asked).contains(&deliveries)
        {
            return Err(format!("command {command} says {deliveries}, not {confirmed} to {asked}"));
        }
        // It is there, whether its sender was told or not, and no purge has ended it.
        self.commands[at].fate = Fate::Accepted;
        self.commands[at].end = End::None;
        self.commands[at].ending.not_yet();
        self.commands[at].hold = Hold::Delivered;
        Ok(())
    }

    /// Its device is about to settle it.
    pub fn settle(&mut self, command: u64, how: Settled, connection: u64) {
        if let Ok(at) = self.known(command) {
            match how {
                Settled::Ended(way) => {
                    self.commands[at].end = End::Asked(connection);
                    self.commands[at].ending.may(way);
                }
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
            Settled::Ended(way) => {
                self.commands[at].end = End::Over;
                self.commands[at].ending.is(way);
            }
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
            if command.fate == Fate::Refused || matches!(command.end, End::Over | End::Told) {
                continue;
            }
            command.ending.may(Way::Purged);
            if command.end == End::None {
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
            self.commands[*at].ending.is(Way::Purged);
        }
        Ok(())
    }

    /// A reader of feedback is told how it has ended.
    ///
    /// # Errors
    /// When it has not, or not so, or when nobody is to be told.
    pub fn tell(&mut self, command: u64, way: Way) -> Result<(), Wrong> {
        self.told += 1;
        let at = self.known(command)?;
        let Command { fate, ending, end, .. } = &mut self.commands[at];
        if *fate == Fate::Refused {
            return Err(format!("command {command} was refused and is told of"));
        }
        ending.told(way).map_err(|wrong| format!("command {command}: {wrong}"))?;
        *fate = Fate::Accepted;
        if *end != End::Over {
            *end = End::Told;
        }
        Ok(())
    }

    /// The hub has taken that a reader has understood that.
    pub fn understood(&mut self, command: u64) {
        if let Ok(at) = self.known(command) {
            self.commands[at].ending.understood();
        }
    }

    /// Commands whose senders wanted to be told and were not, when all have ended.
    pub fn untold(&self) -> Vec<u64> {
        let untold = |c: &Command| c.fate == Fate::Accepted && c.ending.is_untold();
        (0..).zip(&self.commands).filter(|(_, c)| untold(c)).map(|(n, _)| n).collect()
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

/// So often a command is given back: more would make it a dead letter.
pub const GIVEN_BACK_MAX: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    const DONE: Settled = Settled::Ended(Way::Completed);

    #[test]
    fn a_right_history_is_right() {
        let mut queue = Queue::default();
        let (a, b, c) = (queue.send(Ack::Full), queue.send(Ack::Full), queue.send(Ack::Full));
        queue.accept(a, 1).unwrap();
        assert_eq!(queue.missing(), [a]);
        queue.deliver(a, Some((1, 0)), 0).unwrap();
        queue.settle(a, Settled::Abandoned, 0);
        queue.confirm(a, Settled::Abandoned).unwrap();
        queue.deliver(a, Some((1, 1)), 0).unwrap();
        queue.settle(a, DONE, 0);
        // The process ended before the settlement lasted.
        queue.deliver(a, Some((1, 1)), 1).unwrap();
        queue.settle(a, DONE, 1);
        queue.confirm(a, DONE).unwrap();
        // Nobody heard the answer about `b`, and it was there.
        queue.deliver(b, Some((2, 0)), 1).unwrap();
        queue.refuse(c).unwrap();
        assert_eq!((queue.missing(), queue.untold()), (vec![b], vec![a]));
        queue.tell(a, Way::Completed).unwrap();
        queue.understood(a);
        assert!(queue.untold().is_empty());
        // A purge passes over what its device has.
        let d = queue.send(Ack::Full);
        queue.accept(d, 3).unwrap();
        let purge = queue.purge();
        queue.purged(&purge, 1).unwrap();
        assert!(queue.missing().is_empty() && queue.deliver(d, Some((3, 0)), 1).is_err());
        queue.deliver(b, Some((2, 0)), 2).unwrap();
        // One that is sent meanwhile may be purged or not.
        let purge = queue.purge();
        let e = queue.send(Ack::Full);
        queue.purged(&purge, 1).unwrap();
        queue.accept(e, 4).unwrap();
        assert!(queue.missing().is_empty(), "neither {b} nor {e}");
    }

    #[test]
    fn wrong_histories_are_seen() {
        type History = fn(&mut Queue) -> Result<(), Wrong>;
        let rows: [(&str, History); 15] = [
            ("settled twice", |q| {
                q.confirm(0, DONE)?;
                q.confirm(0, DONE)
            }),
            ("settled and again", |q| {
                q.confirm(0, DONE)?;
                q.deliver(0, Some((1, 0)), 9)
            }),
            ("asked and again", |q| {
                q.settle(0, DONE, 3);
                q.deliver(0, Some((1, 0)), 3)
            }),
            ("taken twice", |q| q.deliver(0, Some((2, 0)), 0)),
            ("a number twice", |q| {
                q.send(Ack::Full);
                q.accept(1, 1)
            }),
            ("never sent", |q| q.deliver(1, Some((2, 0)), 0)),
            ("refused", |q| {
                q.send(Ack::Full);
                q.refuse(1)?;
                q.deliver(1, Some((2, 0)), 0)
            }),
            ("counted too far", |q| q.deliver(0, Some((1, 1)), 0)),
            ("purged too few", |q| {
                let purge = q.purge();
                q.purged(&purge, 0)
            }),
            ("told too early", |q| q.tell(0, Way::Completed)),
            ("told and comes again", |q| {
                q.settle(0, DONE, 3);
                q.tell(0, Way::Completed)?;
                q.deliver(0, None, 4)
            }),
            ("told otherwise", |q| {
                q.confirm(0, DONE)?;
                q.tell(0, Way::Purged)
            }),
            ("told after it was understood", |q| {
                q.confirm(0, DONE)?;
                q.tell(0, Way::Completed)?;
                q.understood(0);
                q.tell(0, Way::Completed)
            }),
            ("told of what never was", |q| q.tell(1, Way::Completed)),
            ("refused and told", |q| {
                q.send(Ack::Full);
                q.refuse(1)?;
                q.settle(1, DONE, 0);
                q.tell(1, Way::Completed)
            }),
        ];
        for (name, history) in rows {
            let mut queue = Queue::default();
            queue.send(Ack::Full);
            queue.accept(0, 1).unwrap();
            assert!(history(&mut queue).is_err(), "{name}");
        }
        let mut lost = Queue::default();
        let (n, open) = (lost.send(Ack::Full), lost.send(Ack::Full));
        lost.accept(n, 1).unwrap();
        assert_eq!(lost.missing(), [n], "and nothing is said of {open}");
        // A purge that was told before it was answered, and one that nobody was told of.
        let purge = lost.purge();
        lost.tell(n, Way::Purged).unwrap();
        assert!(lost.missing().is_empty());
        lost.purged(&purge, 1).unwrap();
        let last = lost.send(Ack::Negative);
        lost.accept(last, 2).unwrap();
        let purge = lost.purge();
        lost.purged(&purge, 1).unwrap();
        assert_eq!(lost.untold(), [last]);
    }
}
