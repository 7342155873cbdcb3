//! The journal's entries: any bytes are an error, or one entry whose encoding is these very bytes;
//! what a session's delivery adds up to is the same through a snapshot; and what all of them add up
//! to is the same without those that are said to mean nothing. Refuses to know which entries would
//! follow one another.

use hub::channel::{FoundGroup, GroupName};
use hub::job::{Board, Job};
use node::journal::{BadEntry, Entry, Found, Message, Publisher, Reached, Replay, Request};
use std::collections::BTreeMap;
use store::log::Kind;
use store::op::Sequence;

use crate::choices::Choices;

/// Records one after the other: a kind, a length (255 = to the end) and a payload.
pub fn check(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut reached: Option<Reached> = None;
    let (mut log, mut ends) = (Vec::new(), BTreeMap::new());
    while !choices.is_empty() {
        let kind = Kind(choices.byte());
        let payload = match choices.byte() {
            255 => choices.rest(),
            len => choices.take(usize::from(len)),
        };
        let Some(entry) = decode(kind, payload) else { continue };
        if !is_later(&entry, &mut ends) {
            continue;
        }
        log.push((Sequence(log.len() as u64 + 1), kind, payload));
        if let Some(session) = entry.session() {
            let begun = || Reached::new(session, Sequence(0));
            let reached = reached.get_or_insert_with(begun);
            reached.apply(&entry);
            same_through_a_snapshot(reached);
        }
    }
    same_without_what_is_stale(&mut log);
}

/// Whether a key ends no earlier than when it was used before: it is taken again when it has ended,
/// and the clock of the log never goes back.
fn is_later<'e>(
    entry: &Entry<'e>,
    ends: &mut BTreeMap<(&'e str, &'e str, Option<u32>), u64>,
) -> bool {
    let Entry::Message(message) = entry else { return true };
    let Publisher::Request(request) = message.publisher else { return true };
    let Request { principal, key, item, ends_at_ms } = request;
    let before = ends.entry((principal, key, item)).or_insert(ends_at_ms);
    let is_later = *before <= ends_at_ms;
    *before = ends_at_ms.max(*before);
    is_later
}

fn same_without_what_is_stale(log: &mut Vec<(Sequence, Kind, &[u8])>) {
    let before = replay(log);
    log.retain(|(at, ..)| before.stale.binary_search(at).is_err());
    let after = replay(log);
    assert_eq!(meaning(&before), meaning(&after));
    assert!(after.replaced.is_empty() && after.next_session <= before.next_session);
}

fn replay(log: &[(Sequence, Kind, &[u8])]) -> Found {
    let mut replay = Replay::new();
    for (at, kind, payload) in log {
        assert_eq!(replay.add(*at, *kind, payload), Ok(()), "it was decoded before");
    }
    replay.finish()
}

/// What is there, without what it is released by.
fn meaning(found: &Found) -> String {
    // In any order.
    let mut retained: Vec<_> =
        found.retained.iter().map(|one| (one.sequence, &one.message)).collect();
    retained.sort_unstable_by_key(|(sequence, _)| *sequence);
    let mut requests: Vec<_> = found.requests.iter().map(|one| format!("{one:?}")).collect();
    requests.sort_unstable();
    let mut sessions: Vec<_> = found.sessions.iter().map(|one| format!("{one:?}")).collect();
    sessions.sort_unstable();
    let clock = (found.clock_ms, found.clock_record);
    let device = |d: &hub::registry::Found| {
        format!("{:?} {:?} {:?}", d.identity, d.twin.as_ref().map(|t| &t.twin), d.commands)
    };
    let devices: Vec<_> = found.devices.iter().map(device).collect();
    // The first record of a group's or outlet's life is what its end is released by.
    let offsets =
        |(name, group): (&GroupName, &FoundGroup)| format!("{name:?} {:?}", group.offsets);
    let groups: Vec<_> = found.channel.groups.iter().map(offsets).collect();
    let outlets: Vec<_> = found
        .channel
        .outlets
        .iter()
        .map(|(slot, outlet)| format!("{slot:?} {:?} {:?}", outlet.name, outlet.after))
        .collect();
    let channel = (&found.channel.state, groups, outlets);
    let of_hub = format!("{devices:?} {channel:?} {:?} {:?}", found.feedback, jobs(&found.jobs));
    format!("{sessions:?} {retained:?} {requests:?} {clock:?} {of_hub}")
}

/// As services see them: all, and each device of each.
fn jobs(board: &Board) -> Vec<(Sequence, Vec<u8>)> {
    let shown = |(at, job): (Sequence, &Job)| {
        let mut out = Vec::new();
        job.write(0, &mut out);
        (0..).find(|number| !job.write_device(*number, &mut out));
        (at, out)
    };
    board.behind(Sequence(0)).map(shown).collect()
}

fn decode(kind: Kind, payload: &[u8]) -> Option<Entry<'_>> {
    let known = KINDS.contains(&kind.0);
    let entry = match Entry::decode(kind, payload) {
        Ok(entry) => entry,
        Err(bad) => {
            assert_eq!(matches!(bad, BadEntry::UnknownKind(_)), !known, "{bad}");
            return None;
        }
    };
    assert!(known && entry.kind() == kind);
    assert_eq!(encoded(&entry), payload, "{entry:?}");
    if let Entry::Message(message) = &entry {
        comes_back(message, payload);
    }
    Some(entry)
}

/// As a publication, and in the parts in which the log gets it.
fn comes_back(message: &Message<'_>, payload: &[u8]) {
    let publication = message.to_publication();
    assert_eq!(&Message::of(&publication, message.publisher), message);
    let mut bytes = Vec::new();
    message.encode_head(&mut bytes);
    message.parts().iter().for_each(|part| bytes.extend_from_slice(part));
    assert_eq!(bytes, payload);
}

fn same_through_a_snapshot(reached: &Reached) {
    let bytes = encoded(&Entry::Progress(reached.snapshot()));
    match decode(Kind(4), &bytes) {
        Some(Entry::Progress(progress)) => assert_eq!(&Reached::from(progress), reached),
        other => panic!("a snapshot is read as {other:?}"),
    }
}

fn encoded(entry: &Entry<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    entry.encode(&mut bytes);
    bytes
}

/// Those in use: 7 was given out and is never again.
const KINDS: [u8; 24] =
    [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 33, 34, 35, 36, 37];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// A corpus that decodes to nothing would hold any property.
    #[test]
    fn the_corpus_has_every_kind() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/journal");
        let mut kinds = BTreeSet::new();
        for input in std::fs::read_dir(folder).unwrap() {
            let bytes = std::fs::read(input.unwrap().path()).unwrap();
            let mut choices = Choices::new(&bytes);
            while !choices.is_empty() {
                let (kind, len) = (Kind(choices.byte()), choices.byte());
                let payload = choices.take(usize::from(len));
                kinds.extend(decode(kind, payload).map(|entry| entry.kind().0));
            }
        }
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), KINDS);
    }
}
