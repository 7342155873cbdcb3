//! The words of one packet, taken by name: what nobody took is an error of the script, so that no
//! misspelled option is silently ignored.

use super::words::{Word, words};

/// The words behind a packet's name, in order.
pub struct Fields {
    line: String,
    words: Vec<Word>,
}

impl Fields {
    /// Splits `line`.
    pub fn of(line: &str) -> Self {
        Self { line: line.to_owned(), words: words(line) }
    }

    /// Takes the first bare word.
    pub fn bare(&mut self) -> Option<String> {
        let at = self.words.iter().position(|w| matches!(w, Word::Bare(_)))?;
        match self.words.remove(at) {
            Word::Bare(text) => Some(text),
            Word::Pair(..) => None,
        }
    }

    /// Takes the first value of `key`.
    pub fn bytes(&mut self, key: &str) -> Option<Vec<u8>> {
        let is_key = |w: &Word| matches!(w, Word::Pair(k, _) if k == key);
        let at = self.words.iter().position(is_key)?;
        match self.words.remove(at) {
            Word::Pair(_, value) => Some(value),
            Word::Bare(_) => None,
        }
    }

    /// Takes the first value of `key` as text.
    pub fn text(&mut self, key: &str) -> Option<String> {
        let bytes = self.bytes(key)?;
        Some(String::from_utf8(bytes).unwrap_or_else(|_| panic!("{key} is no text: {}", self.line)))
    }

    /// Takes the first value of `key` as a number.
    pub fn number<T: std::str::FromStr>(&mut self, key: &str) -> Option<T> {
        let text = self.text(key)?;
        Some(text.parse().unwrap_or_else(|_| panic!("{key}={text} in: {}", self.line)))
    }

    /// Takes `key=0` or `key=1`.
    pub fn flag(&mut self, key: &str) -> Option<bool> {
        Some(self.number::<u8>(key)? == 1)
    }

    /// Takes a reason code such as `0x87`; 0 without one.
    pub fn reason(&mut self) -> u8 {
        let Some(text) = self.bare() else { return 0 };
        let digits = text.strip_prefix("0x").unwrap_or_else(|| panic!("{text} in: {}", self.line));
        u8::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("{text} in: {}", self.line))
    }

    /// Takes every remaining pair, in order.
    pub fn pairs(&mut self) -> Vec<(String, Vec<u8>)> {
        let words = std::mem::take(&mut self.words);
        let (pairs, bare): (Vec<_>, Vec<_>) =
            words.into_iter().partition(|w| matches!(w, Word::Pair(..)));
        self.words = bare;
        let pair = |w| match w {
            Word::Pair(key, value) => Some((key, value)),
            Word::Bare(_) => None,
        };
        pairs.into_iter().filter_map(pair).collect()
    }

    /// Everything must have been taken.
    pub fn end(&self) {
        assert!(self.words.is_empty(), "not understood: {:?} in: {}", self.words, self.line);
    }
}
