//! Answers as people and programs read them: columns, words, lines. Refuses to know what they are
//! of.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::Context;
use serde_json::Value;

/// Writes to stdout.
///
/// # Errors
/// When it cannot be written; that nobody reads on is none.
pub fn say(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        // `gridhub session list | head -1` is a fine way to end.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to stdout"),
    }
}

/// One line of JSON each.
pub fn lines(all: &[Value]) -> String {
    all.iter().map(|one| format!("{one}\n")).collect()
}

/// Columns as wide as what stands in them: a title, and by a JSON pointer what stands below it.
pub fn table<const N: usize>(columns: &[(&str, &str); N], all: &[Value]) -> String {
    let mut rows = vec![columns.map(|(title, _)| title.to_owned())];
    let cell = |one: &Value, at: &str| word(one.pointer(at).unwrap_or(&Value::Null));
    rows.extend(all.iter().map(|one| columns.map(|(_, at)| cell(one, at))));
    let wide = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| wide(column).unwrap_or(0));
    let mut text = String::new();
    for row in &rows {
        let cells: String =
            row.iter().zip(widths).map(|(c, width)| format!("{c:width$}  ")).collect();
        // Writing to a String does not fail.
        let _ = writeln!(text, "{}", cells.trim_end());
    }
    text
}

/// A value in words.
pub fn word(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::String(text) => shown(text),
        other => other.to_string(),
    }
}

/// Names are the clients' own: what would move a terminal's cursor is written out.
pub fn shown(text: &str) -> String {
    let is_plain = |c: &char| !c.is_control();
    text.chars()
        .map(|c| if is_plain(&c) { c.to_string() } else { c.escape_default().to_string() })
        .collect()
}
