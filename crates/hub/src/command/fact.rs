//! What a record makes of a queue once it is a fact, now or at a start, and which records nobody
//! needs then. Refuses to decide.

use store::log::Need;
use store::op::Sequence;

use super::dead_letter::{DeadLetter, Proof};
use super::entry::{Entry, State};
use super::queue::Queue;
use super::record::{Ended, Record};

impl Queue {
    /// A record of the queue is a fact, in the order of the log; a start lets all that are found
    /// be heard. Appends what the log need not keep from now on. `at`: where it lies;
    /// `dead_letters_max`: as the settings have it.
    pub fn heard(
        &mut self,
        record: &Record,
        at: Sequence,
        dead_letters_max: u32,
        needs: &mut Vec<Need>,
    ) {
        match record {
            Record::Enqueued(content) => {
                let heard = Entry::new(content.clone(), State::Enqueued, at);
                self.last_sequence = self.last_sequence.max(heard.sequence);
                let sequence = heard.sequence;
                match self.entries.binary_search_by_key(&sequence, |entry| entry.sequence) {
                    Ok(place) if self.entries[place].state == State::Writing => {
                        let entry = &mut self.entries[place];
                        (entry.state, entry.content_at) = (State::Enqueued, at);
                    }
                    Ok(_) => {}
                    Err(place) => self.entries.insert(place, heard),
                }
            }
            Record::Abandoned { sequence, deliveries } => match self.find(*sequence) {
                None => needs.push(Need::Release(at)),
                Some(entry) => {
                    entry.deliveries = *deliveries;
                    entry.state = State::Enqueued;
                    needs.extend(entry.abandoned_at.replace(at).map(Need::Release));
                }
            },
            Record::Ended(ended) => self.ended(ended, at, dead_letters_max, needs),
        }
    }

    /// A record could not be made a fact: all is as if it had not been decided, and nobody works
    /// on its commands.
    pub fn lost(&mut self, record: &Record) {
        match record {
            Record::Enqueued(content) => {
                let sequence = content.read().sequence;
                let is_it = |e: &Entry| e.sequence == sequence && e.state == State::Writing;
                self.entries.retain(|entry| !is_it(entry));
            }
            Record::Abandoned { sequence, .. } => self.unsettled(&[*sequence]),
            Record::Ended(ended) => self.unsettled(&ended.sequences),
        }
    }

    /// Dead letters, the oldest first. Ours.
    pub fn dead_letters(&self) -> impl ExactSizeIterator<Item = &DeadLetter> {
        self.dead.iter()
    }

    /// Every record that the log keeps for the queue: when the device is deleted, what says so
    /// overtakes them.
    pub fn held(&self) -> impl Iterator<Item = Sequence> {
        let entries = self.entries.iter().filter(|entry| entry.state != State::Writing);
        let entries = entries.flat_map(|entry| [Some(entry.content_at), entry.abandoned_at]);
        let dead = self.dead.iter().flat_map(|one| [Some(one.content_at), one.abandoned_at]);
        entries.chain(dead).flatten().chain(self.proofs.iter().map(|proof| proof.at))
    }

    fn unsettled(&mut self, sequences: &[u64]) {
        for sequence in sequences {
            if let Some(entry) = self.find(*sequence)
                && entry.state == State::Settling
            {
                entry.state = State::Enqueued;
            }
        }
    }

    fn ended(&mut self, ended: &Ended, at: Sequence, dead_max: u32, needs: &mut Vec<Need>) {
        self.last_sequence = self.last_sequence.max(ended.last_sequence);
        let (mut oldest, mut dead) = (None, 0);
        let mut gone = self.take(&ended.sequences);
        for entry in gone.drain(..) {
            let first =
                oldest.map_or(entry.content_at, |other: Sequence| other.min(entry.content_at));
            oldest = Some(first);
            if !ended.outcome.is_dead() || dead_max == 0 {
                needs.push(Need::Release(entry.content_at));
                needs.extend(entry.abandoned_at.map(Need::Release));
                continue;
            }
            dead += 1;
            self.dead.push_back(DeadLetter {
                content: entry.content,
                outcome: ended.outcome,
                at_ms: ended.at_ms,
                deliveries: entry.deliveries,
                content_at: entry.content_at,
                abandoned_at: entry.abandoned_at,
                ended_at: at,
            });
        }
        self.proofs.push(Proof { at, oldest, dead });
        while self.dead.len() > dead_max as usize
            && let Some(letter) = self.dead.pop_front()
        {
            needs.push(Need::Release(letter.content_at));
            needs.extend(letter.abandoned_at.map(Need::Release));
            let proof = self.proofs.iter_mut().find(|proof| proof.at == letter.ended_at);
            proof.into_iter().for_each(|proof| proof.dead = proof.dead.saturating_sub(1));
        }
        self.bury(at, needs);
    }

    /// Removes those with these numbers, in their order.
    fn take(&mut self, sequences: &[u64]) -> Vec<Entry> {
        let is_in = |entry: &mut Entry| sequences.binary_search(&entry.sequence).is_ok();
        self.entries.extract_if(.., is_in).collect()
    }

    /// Lets go of ends that neither know the last sequence number nor have a dead letter.
    fn bury(&mut self, last: Sequence, needs: &mut Vec<Need>) {
        self.proofs.retain(|proof| {
            let is_needed = proof.at == last || proof.dead > 0;
            if !is_needed {
                needs.push(match proof.oldest {
                    Some(oldest) => Need::Bury { oldest, at: proof.at },
                    None => Need::Release(proof.at),
                });
            }
            is_needed
        });
    }
}
