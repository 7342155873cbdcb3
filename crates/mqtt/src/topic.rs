//! Topic names, topic filters, how they match, and shared filters. It refuses to know who
//! subscribes and who may.

use std::fmt;

use crate::limits::TOPIC_BYTES_MAX;

/// A name that a message can be published on: 1 to 65,535 bytes, no wildcard, no U+0000
/// (MQTT 5, 4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName<'a>(&'a str);

impl<'a> TopicName<'a> {
    /// Checks the rules of MQTT 5, 4.7.0-1 and 4.7.3-1 to -3.
    pub fn parse(text: &'a str) -> Result<Self, TopicError> {
        check_length(text)?;
        match find_special(text.as_bytes()) {
            None => Ok(Self(text)),
            Some(0) => Err(TopicError::Nul),
            Some(_) => Err(TopicError::Wildcard),
        }
    }

    /// The text.
    #[inline]
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// The levels between the slashes; an empty level is a level.
    pub fn levels(self) -> impl Iterator<Item = &'a str> {
        self.0.split('/')
    }
}

/// A filter that a client can subscribe to: 1 to 65,535 bytes, `#` only as the whole last level,
/// `+` only as a whole level, no U+0000 (MQTT 5, 4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicFilter<'a>(&'a str);

impl<'a> TopicFilter<'a> {
    /// Checks the rules of MQTT 5, 4.7.1-1, 4.7.1-2 and 4.7.3-1 to -3, and those of 4.8.2 for a
    /// text that begins with `$share/`.
    pub fn parse(text: &'a str) -> Result<Self, TopicError> {
        check_filter(text)?;
        if text.starts_with(SHARE) {
            SharedFilter::parse(text)?;
        }
        Ok(Self(text))
    }

    /// The text.
    #[inline]
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// True if it contains `+` or `#`.
    pub fn has_wildcard(self) -> bool {
        self.0.bytes().any(|byte| byte == b'+' || byte == b'#')
    }

    /// The levels between the slashes; an empty level is a level.
    pub fn levels(self) -> impl Iterator<Item = &'a str> {
        self.0.split('/')
    }

    /// Whether a message on `topic` (a valid topic name) is for this filter. A filter that begins
    /// with a wildcard never matches a topic that begins with `$` (MQTT 5, 4.7.2-1).
    pub fn matches(self, topic: &str) -> bool {
        if topic.starts_with('$') && self.0.starts_with(['+', '#']) {
            return false;
        }
        let mut levels = topic.split('/');
        for wanted in self.0.split('/') {
            match (wanted, levels.next()) {
                ("#", _) => return true,
                ("+", Some(_)) => {}
                (wanted, Some(level)) if wanted == level => {}
                _ => return false,
            }
        }
        levels.next().is_none()
    }

    /// Whether every topic that `other` can match is matched by this filter too.
    ///
    /// `a/#` covers `a`, `a/+` and `a/+/#`; `+/#` and `#` cover each other; `+` does not cover `#`,
    /// nor `a/+/#` the filter `a/#`, which matches `a`. `#` and `+/x` cover nothing that begins
    /// with `$`, while `$SYS/#` covers `$SYS`. Several filters may cover another one together
    /// although none does alone: `a` and `a/+/#` together cover `a/#`.
    pub fn covers(self, other: TopicFilter<'_>) -> bool {
        if other.0.starts_with('$') && self.0.starts_with(['+', '#']) {
            return false;
        }
        let mut levels = self.0.split('/');
        let mut theirs = other.0.split('/');
        while let Some(ours) = levels.next() {
            match (ours, theirs.next()) {
                ("#", _) => return true,
                // A final `#` also matches the level above it, which `+` and what follows do
                // not; only for these two there is no topic above.
                ("+", Some("#")) => {
                    return matches!(other.0, "#" | "/#") && levels.next() == Some("#");
                }
                ("+", Some(_)) => {}
                (ours, Some(level)) if ours == level => {}
                _ => return false,
            }
        }
        theirs.next().is_none()
    }
}

/// A filter of the form `$share/{ShareName}/{filter}` taken apart (MQTT 5, 4.8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SharedFilter<'a> {
    /// The share name: at least one character, without `/`, `+` and `#`.
    pub share: &'a str,
    /// The filter behind it.
    pub filter: TopicFilter<'a>,
}

impl<'a> SharedFilter<'a> {
    /// `Ok(None)` when the text does not begin with `$share/`; an error when it does and breaks
    /// MQTT 5, 4.8.2-1 or 4.8.2-2.
    pub fn parse(text: &'a str) -> Result<Option<Self>, TopicError> {
        let Some(rest) = text.strip_prefix(SHARE) else { return Ok(None) };
        let (share, filter) = rest.split_once('/').ok_or(TopicError::ShareName)?;
        if share.is_empty() || share.bytes().any(is_special) {
            return Err(TopicError::ShareName);
        }
        check_filter(filter)?;
        Ok(Some(Self { share, filter: TopicFilter(filter) }))
    }
}

/// Why a text is no topic name or filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicError {
    /// No characters (MQTT 5, 4.7.3-1).
    Empty,
    /// More than 65,535 bytes (MQTT 5, 4.7.3-3).
    TooLong,
    /// U+0000 inside (MQTT 5, 4.7.3-2).
    Nul,
    /// A wildcard in a topic name (MQTT 5, 4.7.0-1).
    Wildcard,
    /// `#` that is not the whole last level (MQTT 5, 4.7.1-1).
    HashPlace,
    /// `+` that is not a whole level (MQTT 5, 4.7.1-2).
    PlusPlace,
    /// `$share/` without a proper share name and filter (MQTT 5, 4.8.2-1 and -2).
    ShareName,
}

impl TopicError {
    /// The statement of MQTT 5 that was violated.
    pub const fn clause(self) -> &'static str {
        match self {
            Self::Empty => "MQTT 5, 4.7.3-1",
            Self::TooLong => "MQTT 5, 4.7.3-3",
            Self::Nul => "MQTT 5, 4.7.3-2",
            Self::Wildcard => "MQTT 5, 4.7.0-1",
            Self::HashPlace => "MQTT 5, 4.7.1-1",
            Self::PlusPlace => "MQTT 5, 4.7.1-2",
            Self::ShareName => "MQTT 5, 4.8.2-2",
        }
    }

    /// What is wrong, for people.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Empty => "topic is empty",
            Self::TooLong => "topic is longer than 65535 bytes",
            Self::Nul => "topic contains U+0000",
            Self::Wildcard => "topic name contains a wildcard",
            Self::HashPlace => "# must be the whole last level of a filter",
            Self::PlusPlace => "+ must be a whole level of a filter",
            Self::ShareName => "$share/ needs a name without wildcards, a slash and a filter",
        }
    }
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what(), self.clause())
    }
}

impl std::error::Error for TopicError {}

/// The first of U+0000, `+` and `#`, if there is one. Eight bytes at a time: this runs for every
/// PUBLISH.
#[inline(always)]
pub(crate) fn find_special(bytes: &[u8]) -> Option<u8> {
    if has_special(bytes) { first_special(bytes) } else { None }
}

#[cold]
fn first_special(bytes: &[u8]) -> Option<u8> {
    bytes.iter().copied().find(|byte| is_special(*byte))
}

#[inline(always)]
fn is_special(byte: u8) -> bool {
    matches!(byte, 0 | b'+' | b'#')
}

#[inline(always)]
fn has_special(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk::<8>() else {
        return bytes.iter().any(|byte| is_special(*byte));
    };
    // The last eight bytes overlap the chunks before them: no tail to walk byte by byte.
    let mut found = word_has_special(u64::from_ne_bytes(*last));
    let (chunks, _) = bytes.as_chunks::<8>();
    for chunk in chunks {
        found |= word_has_special(u64::from_ne_bytes(*chunk));
    }
    found != 0
}

/// Non-zero if one of the eight bytes is U+0000, `+` or `#`: the classic zero-byte test, which
/// may mark further bytes above a hit but never marks without one. `+` and `#` differ in one bit
/// only, so that one test serves both.
#[inline(always)]
fn word_has_special(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    const DIFFERENT: u64 = ONES * (b'+' ^ b'#') as u64;
    const COMMON: u64 = ONES * (b'+' & b'#') as u64;
    let wildcard = (word & !DIFFERENT) ^ COMMON;
    ((word.wrapping_sub(ONES) & !word) | (wildcard.wrapping_sub(ONES) & !wildcard)) & HIGHS
}

const _: () = assert!((b'+' ^ b'#').is_power_of_two());

fn check_length(text: &str) -> Result<(), TopicError> {
    match text.len() {
        0 => Err(TopicError::Empty),
        1..=TOPIC_BYTES_MAX => Ok(()),
        _ => Err(TopicError::TooLong),
    }
}

fn check_filter(text: &str) -> Result<(), TopicError> {
    check_length(text)?;
    if find_special(text.as_bytes()).is_none() {
        return Ok(());
    }
    // Byte by byte: a start reads a million filters.
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate().filter(|(_, byte)| is_special(**byte)) {
        let begins = at == 0 || bytes[at - 1] == b'/';
        let next = bytes.get(at + 1);
        match byte {
            0 => return Err(TopicError::Nul),
            b'#' if !begins || next.is_some() => return Err(TopicError::HashPlace),
            b'+' if !begins || next.is_some_and(|next| *next != b'/') => {
                return Err(TopicError::PlusPlace);
            }
            _ => {}
        }
    }
    Ok(())
}

const SHARE: &str = "$share/";
