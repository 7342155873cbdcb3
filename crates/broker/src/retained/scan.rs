//! Finding the topics a filter matches without visiting the others.
//!
//! Owns the order of topics and how to skip in it. Refuses to know who asks.
//!
//! Topics are in the order of their levels, so that everything below a level is one range. Where a
//! topic does not match, the scan seeks to the first that could (a skip-scan): `a/+/c` costs two
//! seeks for each level below `a`, however much lies below it.

use std::cmp::Ordering;

use mqtt::topic::TopicFilter;

use super::block::Entry;
use super::topics::Topics;

/// Where a scan goes on. The default is the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanCursor {
    next: Vec<u8>,
    /// Whether `next` itself is done already.
    beyond: bool,
}

/// Whether a scan has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScanEnd {
    /// There may be more: call again.
    More,
    /// Every matching topic was returned.
    Done,
}

/// What one chunk did.
pub(super) struct Chunk {
    pub(super) end: ScanEnd,
    /// Keys looked at; the cost of the chunk.
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests count the cost"))]
    pub(super) visited: usize,
}

impl ScanCursor {
    /// Behind `topic`: for a caller that keeps the last topic it got, such as an HTTP
    /// continuation token.
    pub fn after(topic: &str) -> Self {
        Self { next: topic.as_bytes().to_vec(), beyond: true }
    }
}

/// Looks for at most `limit` matching messages from `cursor` on and moves it behind them.
pub(super) fn chunk(
    topics: &Topics,
    filter: TopicFilter<'_>,
    cursor: &mut ScanCursor,
    limit: usize,
    now_ms: u64,
    each: &mut impl FnMut(&Entry),
) -> Chunk {
    let pattern = Pattern::of(filter);
    let visited_max = limit.saturating_mul(VISITS_A_RESULT).saturating_add(VISITS_A_CHUNK);
    let (mut visited, mut found) = (0, 0);
    if cursor.next.is_empty() && !cursor.beyond {
        cursor.next.extend_from_slice(pattern.literal_prefix());
    }
    let mut walk = topics.walk(&cursor.next, cursor.beyond);
    loop {
        let Some(entry) = walk.next() else {
            return Chunk { end: ScanEnd::Done, visited };
        };
        let topic = entry.topic();
        visited += 1;
        match pattern.place(topic, &mut cursor.next) {
            Place::Matches => {
                remember(cursor, topic);
                if !entry.publication.expired(now_ms) {
                    each(entry);
                    found += 1;
                }
            }
            Place::Below => remember(cursor, topic),
            Place::Skip => {
                cursor.beyond = false;
                walk.seek(&cursor.next);
            }
            Place::End => return Chunk { end: ScanEnd::Done, visited },
        }
        if found >= limit || visited >= visited_max {
            return Chunk { end: ScanEnd::More, visited };
        }
    }
}

fn remember(cursor: &mut ScanCursor, topic: &[u8]) {
    cursor.next.clear();
    cursor.next.extend_from_slice(topic);
    cursor.beyond = true;
}

/// Where a key stands to a pattern.
enum Place {
    /// It matches.
    Matches,
    /// It does not, but keys right behind it may.
    Below,
    /// It does not, nor does any before the place written.
    Skip,
    /// No key from here on matches.
    End,
}

/// A filter taken apart for comparing it with keys.
struct Pattern<'f> {
    filter: &'f str,
    /// The levels before a final `#`.
    levels: Vec<&'f str>,
    tail: Tail,
    /// The beginning up to the first wildcard, as the beginning of a topic.
    prefix: Vec<u8>,
}

#[derive(PartialEq, Eq)]
enum Tail {
    /// The filter ends with its last level.
    Ends,
    /// The filter ends with `#`.
    Everything,
}

impl<'f> Pattern<'f> {
    fn of(filter: TopicFilter<'f>) -> Self {
        let text = filter.as_str();
        let mut levels: Vec<&str> = text.split('/').collect();
        let tail = if levels.last() == Some(&"#") {
            levels.pop();
            Tail::Everything
        } else {
            Tail::Ends
        };
        let fixed: Vec<&str> = levels.iter().copied().take_while(|l| *l != "+").collect();
        let prefix = fixed.join("/").into_bytes();
        Self { filter: text, levels, tail, prefix }
    }

    fn literal_prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// Compares a key level by level; writes where to go on into `target` for [`Place::Skip`].
    fn place(&self, key: &[u8], target: &mut Vec<u8>) -> Place {
        if key.first() == Some(&b'$') && self.filter.starts_with(['+', '#']) {
            // MQTT 5, 4.7.2-1: over the whole range of `$` in one step.
            return skip_to(target, &[], &[b'$' + 1]);
        }
        let mut start = 0;
        // Where the level of the last `+` ends: beyond it is where to look when all is lost here.
        let mut plus_end = None;
        for (n, wanted) in self.levels.iter().enumerate() {
            if start > key.len() {
                // The key has fewer levels than the filter; its children come right behind it.
                return self.below(key, n, target);
            }
            let end = level_end(key, start);
            if *wanted == "+" {
                plus_end = Some(end);
            } else {
                match key[start..end].cmp(wanted.as_bytes()) {
                    Ordering::Less => {
                        return skip_to(target, &key[..start], wanted.as_bytes());
                    }
                    Ordering::Equal => {}
                    Ordering::Greater => return beyond(key, plus_end, target),
                }
            }
            start = end + 1;
        }
        if start > key.len() || self.tail == Tail::Everything {
            return Place::Matches;
        }
        // The key has more levels than the filter, and so has everything below this level.
        match self.levels.last() {
            Some(&"+") => skip_to(target, &key[..start - 1], &[BEHIND_SEPARATOR]),
            _ => beyond(key, plus_end, target),
        }
    }

    fn below(&self, key: &[u8], level: usize, target: &mut Vec<u8>) -> Place {
        match self.levels[level] {
            "+" => Place::Below,
            wanted => {
                target.clear();
                target.extend_from_slice(key);
                target.push(b'/');
                target.extend_from_slice(wanted.as_bytes());
                Place::Skip
            }
        }
    }
}

/// Behind everything that shares the key's levels up to the last `+`.
fn beyond(key: &[u8], plus_end: Option<usize>, target: &mut Vec<u8>) -> Place {
    match plus_end {
        Some(end) => skip_to(target, &key[..end], &[BEHIND_SEPARATOR]),
        None => Place::End,
    }
}

fn skip_to(target: &mut Vec<u8>, prefix: &[u8], rest: &[u8]) -> Place {
    target.clear();
    target.extend_from_slice(prefix);
    target.extend_from_slice(rest);
    Place::Skip
}

fn level_end(key: &[u8], start: usize) -> usize {
    key[start..].iter().position(|b| *b == b'/').map_or(key.len(), |at| start + at)
}

/// Comes right behind everything below a level: `/` counts as 0x00 in the order of topics.
const BEHIND_SEPARATOR: u8 = 1;

/// How many keys a chunk may look at for each message it may return, and in any case: it bounds
/// how long the lock is held when little matches.
const VISITS_A_RESULT: usize = 4;
const VISITS_A_CHUNK: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publication::Publication;
    use crate::retained::sorting;
    use mqtt::message::Message;
    use mqtt::qos::QoS;
    use std::sync::Arc;

    fn store(topics: impl Iterator<Item = String>) -> Topics {
        let all = topics.map(|topic| {
            let message = Message::new(&topic, &[], b"x", QoS::AtMostOnce, true);
            (Arc::new(Publication::new(message)), 0)
        });
        let entry = |(publication, oldest)| Entry { publication, oldest, order: 0, modified_ms: 0 };
        Topics::of(sorting::sorted(all).map(entry))
    }

    /// (messages found, keys visited) of a whole scan.
    fn cost(messages: &Topics, filter: &str) -> (usize, usize) {
        let filter = TopicFilter::parse(filter).unwrap();
        let (mut cursor, mut found, mut visited) = (ScanCursor::default(), 0, 0);
        loop {
            let chunk = chunk(messages, filter, &mut cursor, 100, 0, &mut |_| found += 1);
            visited += chunk.visited;
            if chunk.end == ScanEnd::Done {
                return (found, visited);
            }
        }
    }

    #[test]
    fn a_scan_costs_what_it_returns_among_two_hundred_thousand() {
        // a/{0..100}/{0..1000}, each level 2 also with `c`, and much around them.
        let below = |n: usize| (0..1000).map(move |m| format!("a/{n:03}/d{m}"));
        let topics = (0..100)
            .flat_map(|n| below(n).chain([format!("a/{n:03}/c")]))
            .chain((0..50_000).map(|n| format!("$sys/{n}")))
            .chain((0..50_000).map(|n| format!("z/{n}/c")));
        let messages = store(topics);
        assert_eq!(messages.len(), 200_100);
        // (filter, messages, keys it may visit at most)
        for (filter, found, visited_max) in [
            ("a/050/c", 1, 2),
            ("a/050/missing", 0, 2),
            ("a/+/c", 100, 402),
            ("a/+/d500", 100, 402),
            ("a/+/e", 0, 402),
            ("a/050/#", 1001, 1002),
            ("a/050/+/x", 0, 2005),
            ("a/+", 0, 102),
            ("+/050/c", 1, 20),
            ("z/+", 0, 50_001),
            ("+", 0, 4),
            ("b/#", 0, 1),
            ("$sys/7", 1, 2),
            ("$other/#", 0, 1),
            ("+/7/c", 1, 20),
            ("#", 150_100, 150_102),
            ("a/#", 100_100, 100_101),
        ] {
            let (hits, visited) = cost(&messages, filter);
            assert_eq!(hits, found, "{filter}");
            assert!(visited <= visited_max, "{filter} visited {visited} of {visited_max}");
        }
    }

    #[test]
    fn a_chunk_without_results_ends_early() {
        let messages = store((0..10_000).map(|n| format!("a/{n}/b")));
        let filter = TopicFilter::parse("a/+/c").unwrap();
        let mut cursor = ScanCursor::default();
        let first = chunk(&messages, filter, &mut cursor, 10, 0, &mut |_| ());
        assert_eq!(first.end, ScanEnd::More);
        assert!(first.visited <= 10 * VISITS_A_RESULT + VISITS_A_CHUNK);
        assert_ne!(cursor, ScanCursor::default());
    }
}
