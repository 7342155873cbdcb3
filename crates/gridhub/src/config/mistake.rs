//! What is wrong with a configuration, and where: key path, file, line, column, nearest known key.
//! Knows nothing of what the keys mean.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use hub::OutOfRange;
use toml::de::{DeTable, DeValue};

use super::duration::HumanDuration;

/// One rule of meaning that a configuration breaks, at a key path such as
/// `auth.issuers[0].pem_file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Key path; an empty one stands for the whole file.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Mistake {
    /// A mistake at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }

    /// A setting of `section` that the hub does not take; of a time the key has no unit.
    pub fn out_of_range(section: &str, wrong: &OutOfRange) -> Self {
        let OutOfRange { name, value, from, to } = *wrong;
        let (key, [value, from, to]) = match name.strip_suffix("_ms") {
            Some(key) => (key, [value, from, to].map(|ms| HumanDuration::from_ms(ms).to_string())),
            None => (name, [value, from, to].map(|number| number.to_string())),
        };
        let message = format!("{value} is not in the range of {from} to {to}");
        Self::new(format!("{section}.{key}"), message)
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the file, with line and column from 1 when they are known.
    File { path: PathBuf, line_column: Option<(usize, usize)> },
    /// In an environment variable or in `--set`: its name as the user wrote it.
    Override(String),
}

/// A mistake with its place: one line for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Where.
    pub place: Place,
    /// What is wrong and what to do.
    pub message: String,
}

/// Everything wrong with a configuration; never empty.
#[derive(Debug)]
pub struct Mistakes(pub Vec<Located>);

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File { path, line_column: Some((line, column)) } => {
                write!(f, "{}:{line}:{column}: {}", path.display(), self.message)
            }
            Place::File { path, line_column: None } => {
                write!(f, "{}: {}", path.display(), self.message)
            }
            Place::Override(name) => write!(f, "{name}: {}", self.message),
        }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, located) in self.0.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            located.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// Puts a mistake of meaning at its key in `text`, or at the nearest key around it that the file
/// has.
pub fn locate(mistake: &Mistake, file: &Path, text: &str) -> Located {
    let span = DeTable::parse(text).ok().and_then(|table| find(table.get_ref(), &mistake.path));
    let message = if mistake.path.is_empty() {
        mistake.message.clone()
    } else {
        format!("{}: {}", mistake.path, mistake.message)
    };
    let line_column = span.map(|span| line_column(text, span.start));
    Located { place: Place::File { path: file.to_owned(), line_column }, message }
}

/// Puts an error of the TOML reader at its place, with the nearest known key.
pub fn locate_parse(error: &toml::de::Error, file: &Path, text: &str) -> Located {
    let line_column = error.span().map(|span| line_column(text, span.start));
    let place = Place::File { path: file.to_owned(), line_column };
    Located { place, message: explain(error.message()) }
}

/// Turns serde's sentence on an unknown field or variant into one with a suggestion.
pub fn explain(message: &str) -> String {
    let what = if message.starts_with("unknown field") {
        "unknown key"
    } else if message.starts_with("unknown variant") {
        "unknown value"
    } else {
        return message.trim_end().to_owned();
    };
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(unknown) = quoted.next() else { return message.to_owned() };
    let known: Vec<&str> = quoted.collect();
    match nearest(unknown, &known) {
        Some(near) => format!("{what} '{unknown}'; did you mean '{near}'?"),
        None if known.is_empty() => format!("{what} '{unknown}'; nothing is allowed here"),
        None => format!("{what} '{unknown}'; known here: {}", known.join(", ")),
    }
}

/// The candidate that differs from `word` by the fewest edits, when that is a plausible slip.
pub fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let plain = |text: &str| -> String {
        text.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
    };
    let word = plain(word);
    let allowed = (word.chars().count() / 3).clamp(1, 4);
    candidates
        .iter()
        .map(|candidate| (edits(&word, &plain(candidate)), *candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, substitutions and swaps of neighbours between two short words.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (above[j] + 1).min(row[j - 1] + 1).min(above[j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

/// The span of the deepest key of `path` that exists.
fn find(table: &DeTable<'_>, path: &str) -> Option<Range<usize>> {
    let mut best = None;
    let mut steps = path.split('.').flat_map(|part| {
        let (key, indexes) = part.split_once('[').unwrap_or((part, ""));
        let indexes = indexes.trim_end_matches(']').split("][").filter(|i| !i.is_empty());
        std::iter::once(key).chain(indexes)
    });
    let (key, value) = table.get_key_value(steps.next()?)?;
    best.replace(key.span());
    let mut here = value.get_ref();
    for step in steps {
        match here {
            DeValue::Table(table) => match table.get_key_value(step) {
                Some((key, value)) => {
                    best.replace(key.span());
                    here = value.get_ref();
                }
                None => break,
            },
            DeValue::Array(array) => {
                match step.parse::<usize>().ok().and_then(|at| array.get(at)) {
                    Some(value) => {
                        best.replace(value.span());
                        here = value.get_ref();
                    }
                    None => break,
                }
            }
            _ => break,
        }
    }
    best
}

/// Line and column, both from 1, columns in characters.
fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_nearest_key() {
        let known = ["packet_bytes_max", "receive_max", "hostname", "clientGroups"];
        for (word, want) in [
            ("packet_byte_max", Some("packet_bytes_max")),
            ("hostnmae", Some("hostname")),
            ("client_groups", Some("clientGroups")),
            ("entirely_else", None),
        ] {
            assert_eq!(nearest(word, &known), want, "{word}");
        }
    }

    #[test]
    fn finds_the_deepest_key_there_is() {
        let text = "[auth]\nanonymous = \"never\"\n[[auth.issuers]]\nissuer = \"i\"\n";
        let at = |path: &str| {
            let located = locate(&Mistake::new(path, "m"), Path::new("f"), text);
            match located.place {
                Place::File { line_column, .. } => line_column.map(|(line, _)| line),
                Place::Override(_) => None,
            }
        };
        assert_eq!(at("auth.anonymous"), Some(2));
        assert_eq!(at("auth.issuers[0].issuer"), Some(4));
        assert_eq!(at("auth.issuers[0].pem_file"), Some(3));
        assert_eq!(at("listeners"), None);
    }
}
