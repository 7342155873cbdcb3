//! The page of record: what was measured anew takes the place of what was there, row by row.
//! Refuses to know what a row means.
use std::fmt::Write;

/// `old` with the rows of `new` in it. A run of everything brings its own head; of some rows, a
/// line under the table tells when they were measured, and by which command.
pub fn merged(old: &str, new: &str) -> String {
    let (old, new) = (Page::of(old), Page::of(new));
    if old.rows.is_empty() {
        return new.text();
    }
    let whole = new.command() == "cargo xtask bench";
    let mut rows = Vec::new();
    for row in &old.rows {
        // All rows of a name are measured together, and come where the first of them was.
        let name = name(row);
        let measured: Vec<&str> = new.of_name(name).collect();
        if measured.is_empty() {
            rows.push(*row);
        } else if !rows.contains(&measured[0]) {
            rows.extend(measured);
        }
    }
    let known = |row: &&&str| !old.rows.iter().any(|o| name(o) == name(row));
    rows.extend(new.rows.iter().filter(known));
    let mut notes: Vec<String> = Vec::new();
    for note in &old.notes {
        let about = note.trim_start_matches("- ").split(':').next().unwrap_or_default();
        if new.of_name(about).next().is_none() {
            notes.push((*note).to_owned());
        }
    }
    notes.extend(new.notes.iter().map(|note| (*note).to_owned()));
    if !whole {
        let mut names: Vec<&str> = new.rows.iter().map(|row| name(row)).collect();
        names.dedup();
        let (day, command) = (new.day(), new.command());
        notes.extend(names.iter().map(|name| format!("- {name}: {day}, `{command}`")));
    }
    let notes = notes.iter().map(String::as_str).collect();
    let head = if whole { new.head } else { old.head_as(&new) };
    Page { head, rows, notes }.text()
}

struct Page<'a> {
    head: Vec<&'a str>,
    rows: Vec<&'a str>,
    notes: Vec<&'a str>,
}

impl<'a> Page<'a> {
    fn of(text: &'a str) -> Self {
        let mut page = Self { head: Vec::new(), rows: Vec::new(), notes: Vec::new() };
        for line in text.lines() {
            match line {
                row if row.starts_with("| ") && page.begun() => page.rows.push(row),
                note if note.starts_with("- ") => page.notes.push(note),
                head if page.rows.is_empty() => page.head.push(head),
                _ => {}
            }
        }
        page
    }

    /// Whether the line under the names of the columns has come.
    fn begun(&self) -> bool {
        self.head.last().is_some_and(|line| line.starts_with("|--"))
    }

    fn of_name(&self, wanted: &str) -> impl Iterator<Item = &'a str> {
        self.rows.iter().copied().filter(move |row| name(row) == wanted)
    }

    /// The words of `new`, but the day and the command of this page.
    fn head_as(&self, new: &Page<'a>) -> Vec<&'a str> {
        let own = |line: &&'a str| {
            [DAY, REPEAT].into_iter().find(|sign| line.contains(sign)).map(|sign| {
                self.head.iter().find(|own| own.contains(sign)).copied().unwrap_or(line)
            })
        };
        new.head.iter().map(|line| own(line).unwrap_or(line)).collect()
    }

    fn day(&self) -> &'a str {
        let line = self.head.iter().find(|line| line.contains(DAY));
        line.and_then(|line| line.split(' ').next()).unwrap_or("on a day unknown")
    }

    fn command(&self) -> &'a str {
        let line = self.head.iter().find(|line| line.contains(REPEAT));
        line.and_then(|line| line.split('`').nth(1)).unwrap_or("cargo xtask bench")
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for line in self.head.iter().chain(&self.rows) {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{line}");
        }
        if !self.notes.is_empty() {
            text.push_str("\nMeasured apart from the rest, or not at all:\n\n");
            for note in &self.notes {
                let _ = writeln!(text, "{note}");
            }
        }
        text
    }
}

/// The first column.
fn name(row: &str) -> &str {
    row.split('|').nth(1).unwrap_or_default().trim()
}

/// What the line with the day and the machine has.
const DAY: &str = ", Linux ";
/// What the line with the command has.
const REPEAT: &str = "Repeat with `";

#[cfg(test)]
mod tests {
    use super::*;

    fn page(day: &str, arguments: &str, rows: &[&str]) -> String {
        let head =
            format!("# Measured\n\n{day} on a box, Linux 6.\nRepeat with `cargo xtask bench");
        let rows: String = rows.iter().map(|row| format!("| {row} |\n")).collect();
        format!("{head}{arguments}`.\n\n| scenario | figure |\n|---|---|\n{rows}")
    }

    #[test]
    fn rows_take_the_place_of_their_name() {
        let old = page("day 1", "", &["a | 1", "b | 1", "b | 2", "c | 1"]);
        let new = page("2026-11-23", " b d", &["b | 7", "b | 8", "b | 9", "d | 5"]);
        let text = merged(&old, &new);
        let rows: Vec<&str> = text.lines().filter(|l| l.starts_with("| ")).skip(1).collect();
        assert_eq!(
            rows,
            ["| a | 1 |", "| b | 7 |", "| b | 8 |", "| b | 9 |", "| c | 1 |", "| d | 5 |"]
        );
        assert!(text.contains("day 1 on a box, Linux"), "{text}");
        assert!(text.contains("- b: 2026-11-23, `cargo xtask bench b d`\n"), "{text}");
        let again = page("2026-11-24", " b", &["b | 3"]);
        let text = merged(&text, &again);
        assert!(text.contains("- d: 2026-11-23") && !text.contains("- b: 2026-11-23"), "{text}");
        assert_eq!(text.matches("| b |").count(), 1, "{text}");
    }

    #[test]
    fn a_whole_run_brings_its_head_and_keeps_what_it_does_not_measure() {
        let old = page("day 1", "", &["a | 1", "long | 1"]) + "\nMeasured:\n\n- long: day 1\n";
        let text = merged(&old, &page("day 2", "", &["a | 2"]));
        assert!(text.contains("day 2 on a box, Linux") && !text.contains("day 1 on"), "{text}");
        assert!(text.contains("| a | 2 |\n| long | 1 |\n") && text.contains("- long: day 1"));
        assert_eq!(merged("", &old), merged("", &merged("", &old)));
    }
}
