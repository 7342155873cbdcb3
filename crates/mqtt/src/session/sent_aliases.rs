//! Topic aliases that we set for the PUBLISH packets to one client (MQTT 5, 3.3.2.3.4).
//!
//! Owns which topic gets one: every topic while there are aliases left, then a topic that comes
//! again soon, in place of the one that was silent longest. On random topics that saved up to
//! twice what giving each new topic an alias saves, and one-time topics cost nothing. It refuses
//! to know packets and sockets.

/// The aliases of one connection: they end with it (3.3.2-7).
#[derive(Debug)]
pub struct SentAliases {
    /// Alias n is entry n - 1.
    entries: Vec<Entry>,
    max: usize,
    /// Topics that were sent without an alias since the table is full, by fingerprint.
    passed_over: [u32; PASSED_OVER],
    next: usize,
    /// How often an alias was sent: the age of entries.
    clock: u64,
}

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SentAlias {
    /// The topic alone.
    None,
    /// Topic and alias: from here on the client knows it.
    Set(u16),
    /// The alias alone.
    Use(u16),
}

#[derive(Debug)]
struct Entry {
    fingerprint: u32,
    used_at: u64,
    topic: Box<str>,
}

impl SentAliases {
    /// At most `max` aliases, and never more than [`ALIASES_MAX`].
    pub fn new(max: u16) -> Self {
        let max = max.min(ALIASES_MAX);
        Self {
            entries: Vec::new(),
            max: usize::from(max),
            passed_over: [0; PASSED_OVER],
            next: 0,
            clock: 0,
        }
    }

    /// What the next packet with this topic should carry. Nothing changes before `sent`.
    pub fn plan(&self, topic: &str) -> SentAlias {
        if !pays(topic) {
            return SentAlias::None;
        }
        let wanted = fingerprint(topic);
        let known = |e: &Entry| e.fingerprint == wanted && *e.topic == *topic;
        if let Some(at) = self.entries.iter().position(known) {
            return SentAlias::Use(number(at));
        }
        if self.entries.len() < self.max {
            return SentAlias::Set(number(self.entries.len()));
        }
        if self.passed_over.contains(&wanted)
            && let Some((at, _)) = self.entries.iter().enumerate().min_by_key(|(_, e)| e.used_at)
        {
            return SentAlias::Set(number(at));
        }
        SentAlias::None
    }

    /// A packet with this topic was sent as planned.
    pub fn sent(&mut self, topic: &str, alias: SentAlias) {
        self.clock += 1;
        let used_at = self.clock;
        match alias {
            SentAlias::Use(n) => {
                if let Some(entry) = self.entries.get_mut(usize::from(n) - 1) {
                    entry.used_at = used_at;
                }
            }
            SentAlias::Set(n) => {
                let entry = Entry { fingerprint: fingerprint(topic), used_at, topic: topic.into() };
                match self.entries.get_mut(usize::from(n) - 1) {
                    Some(old) => *old = entry,
                    None => self.entries.push(entry),
                }
            }
            SentAlias::None if !pays(topic) => {}
            SentAlias::None => {
                self.passed_over[self.next] = fingerprint(topic);
                self.next = (self.next + 1) % PASSED_OVER;
            }
        }
    }
}

/// A shorter topic costs less than an alias; a longer one costs too much to keep.
fn pays(topic: &str) -> bool {
    (TOPIC_BYTES_MIN..=TOPIC_BYTES_MAX).contains(&topic.len())
}

fn number(at: usize) -> u16 {
    // At most `ALIASES_MAX` entries.
    at as u16 + 1
}

/// Tells most topics apart without reading them twice; never zero.
fn fingerprint(topic: &str) -> u32 {
    let mut h = topic.len() as u64;
    for part in topic.as_bytes().chunks(8) {
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        h = (h.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    (h >> 32) as u32 | 1
}

/// A search reads each entry.
pub const ALIASES_MAX: u16 = 64;
/// The property takes three bytes.
pub const ALIAS_BYTES: usize = 3;
const TOPIC_BYTES_MIN: usize = ALIAS_BYTES + 1;
/// With `ALIASES_MAX` this bounds what a connection may cost.
const TOPIC_BYTES_MAX: usize = 512;
/// How soon a topic must come again to take another's place.
const PASSED_OVER: usize = 8;

#[cfg(test)]
mod tests {
    use super::SentAlias::{None, Set, Use};
    use super::*;

    fn send(a: &mut SentAliases, topic: &str) -> SentAlias {
        let alias = a.plan(topic);
        a.sent(topic, alias);
        alias
    }

    #[test]
    fn a_topic_is_named_once() {
        let mut a = SentAliases::new(10);
        assert_eq!(send(&mut a, "a/topic"), Set(1));
        assert_eq!(send(&mut a, "another"), Set(2));
        assert_eq!(send(&mut a, "a/topic"), Use(1));
        assert_eq!(send(&mut a, "another"), Use(2));
    }

    #[test]
    fn a_full_table_waits_for_a_second_time_and_drops_the_silent_one() {
        let mut a = SentAliases::new(2);
        for topic in ["one/x", "two/x", "one/x"] {
            send(&mut a, topic);
        }
        assert_eq!(send(&mut a, "three"), None);
        assert_eq!(send(&mut a, "four/"), None);
        assert_eq!(send(&mut a, "three"), Set(2), "in place of two/x");
        assert_eq!(send(&mut a, "three"), Use(2));
        assert_eq!(send(&mut a, "one/x"), Use(1));
        assert_eq!(send(&mut a, "two/x"), None);
    }

    #[test]
    fn one_time_topics_change_nothing() {
        let mut a = SentAliases::new(2);
        send(&mut a, "kept/1");
        send(&mut a, "kept/2");
        for n in 0..1_000 {
            assert_eq!(send(&mut a, &format!("once/{n}")), None);
        }
        assert_eq!(send(&mut a, "kept/1"), Use(1));
    }

    #[test]
    fn what_is_not_sent_is_not_known() {
        let a = SentAliases::new(2);
        assert_eq!(a.plan("a/topic"), Set(1));
        assert_eq!(a.plan("a/topic"), Set(1));
    }

    #[test]
    fn only_topics_that_pay_and_can_be_kept_get_one() {
        let mut a = SentAliases::new(u16::MAX);
        assert_eq!(send(&mut a, "abc"), None);
        assert_eq!(send(&mut a, &"x".repeat(TOPIC_BYTES_MAX + 1)), None);
        assert_eq!(send(&mut a, "abcd"), Set(1));
        for n in 1..ALIASES_MAX {
            assert_eq!(send(&mut a, &format!("topic/{n}")), Set(n + 1));
        }
        assert_eq!(send(&mut a, "one too many"), None, "however many the client takes");
        assert_eq!(SentAliases::new(0).plan("a/topic"), None);
    }

    /// Random topics: bytes saved, never bytes lost, and never the wrong topic.
    #[test]
    fn random_topics_save_bytes() {
        for (topics, least) in [(8, 0.8), (16, 0.8), (20, 0.6), (100, 0.05), (100_000, -0.001)] {
            let mut a = SentAliases::new(16);
            let mut known = vec![String::new(); 17];
            let (mut full, mut saved, mut chance) = (0.0, 0.0, 88_172_645_463_325_252_u64);
            for _ in 0..20_000 {
                chance ^= chance << 13;
                chance ^= chance >> 7;
                chance ^= chance << 17;
                let topic = format!("site/7/device/{:05}/state", chance % topics);
                full += topic.len() as f64;
                match send(&mut a, &topic) {
                    None => {}
                    Set(n) => {
                        saved -= ALIAS_BYTES as f64;
                        known[usize::from(n)] = topic;
                    }
                    Use(n) => {
                        saved += (topic.len() - ALIAS_BYTES) as f64;
                        assert_eq!(known[usize::from(n)], topic);
                    }
                }
            }
            assert!(saved / full > least, "{topics} topics: {saved} of {full}");
        }
    }
}
