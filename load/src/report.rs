//! What a proof found: figures, and checks that hold or do not. One JSON line, a verdict for the
//! exit code, and a section of the page of proofs.

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// A report as it grows.
#[derive(Debug)]
pub struct Report {
    name: &'static str,
    figures: Map<String, Value>,
    checks: Vec<Check>,
}

#[derive(Debug)]
struct Check {
    what: &'static str,
    holds: bool,
    detail: String,
}

impl Report {
    /// Empty, of a proof's name.
    pub fn new(name: &'static str) -> Self {
        Self { name, figures: Map::new(), checks: Vec::new() }
    }

    /// A number or text to look at.
    pub fn figure(&mut self, name: &str, value: impl Into<Value>) {
        self.figures.insert(name.to_owned(), value.into());
    }

    /// A claim, whether it holds, and with what.
    pub fn check(&mut self, what: &'static str, holds: bool, detail: impl Into<String>) {
        self.checks.push(Check { what, holds, detail: detail.into() });
    }

    /// Two counts that must agree to the message.
    pub fn equal(&mut self, what: &'static str, left: (&str, u64), right: (&str, u64)) {
        let detail = format!("{} {} and {} {}", left.0, left.1, right.0, right.1);
        self.check(what, left.1 == right.1, detail);
    }

    /// Whether everything holds, which takes at least one check.
    pub fn holds(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.holds)
    }

    /// The one line for programs.
    pub fn line(&self) -> String {
        let broken: Vec<_> = self.checks.iter().filter(|check| !check.holds).collect();
        let broken: Vec<_> = broken.iter().map(|c| format!("{}: {}", c.what, c.detail)).collect();
        json!({
            "proof": self.name,
            "holds": self.holds(),
            "checks": self.checks.len(),
            "broken": broken,
            "figures": self.figures,
        })
        .to_string()
    }

    /// Replaces this proof's section in the page at `page`, for the command that repeats it.
    ///
    /// # Errors
    /// When the page cannot be read or written.
    pub fn record(&self, page: &Path, command: &str) -> Result<()> {
        let text = std::fs::read_to_string(page).with_context(|| page.display().to_string())?;
        let section = self.section(&format!("### {}", self.name), &today(), command);
        std::fs::write(page, replaced(&text, &format!("### {}", self.name), &section))?;
        Ok(())
    }

    fn section(&self, head: &str, day: &str, command: &str) -> String {
        let verdict = if self.holds() { "holds" } else { "DOES NOT HOLD" };
        let mut text = format!("{head}\n\n{day}, `{command}`: **{verdict}**\n\n");
        for check in &self.checks {
            let sign = if check.holds { "yes" } else { "**no**" };
            // Writing to a String does not fail.
            let _ = writeln!(text, "- {sign}: {} ({})", check.what, check.detail);
        }
        text.push_str("\n| Figure | Value |\n|---|---|\n");
        for (name, value) in &self.figures {
            let _ = writeln!(text, "| {name} | {value} |");
        }
        text.push('\n');
        text
    }
}

/// `text` with the section under `head`, up to the next heading, replaced, or put at the end.
fn replaced(text: &str, head: &str, section: &str) -> String {
    let mut out = String::new();
    let (mut inside, mut done) = (false, false);
    for line in text.lines() {
        if line.starts_with('#') {
            inside = line == head;
            if inside {
                out.push_str(section);
                done = true;
            }
        }
        if !inside {
            out.push_str(line);
            out.push('\n');
        }
    }
    if !done {
        out.push('\n');
        out.push_str(section);
    }
    format!("{}\n", out.trim_end())
}

/// The date in UTC, by the civil calendar.
fn today() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    date(since.as_secs() / 86_400)
}

/// Days since 1970-01-01 as year-month-day; eras of 400 years that begin in March.
fn date(days: u64) -> String {
    let z = days + 719_468;
    let (era, day) = (z / 146_097, z % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day + 2) / 153;
    let day = day - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_broken_check_breaks_the_verdict_and_none_proves_nothing() {
        let mut report = Report::new("x");
        assert!(!report.holds());
        report.equal("same", ("sent", 3), ("got", 3));
        assert!(report.holds());
        report.equal("same", ("sent", 3), ("got", 2));
        assert!(!report.holds() && report.line().contains("sent 3 and got 2"));
    }

    #[test]
    fn a_section_is_replaced_or_added() {
        let page = "# P\n\n## Load\n\n### a\n\nold\n\n### b\n\nkept\n";
        assert_eq!(replaced(page, "### a", "### a\n\nnew\n\n"), page.replace("old", "new"));
        assert!(replaced(page, "### c", "### c\n\nnew\n").ends_with("kept\n\n### c\n\nnew\n"));
    }

    #[test]
    fn dates_are_civil() {
        let rows =
            [(0, "1970-01-01"), (58, "1970-02-28"), (59, "1970-03-01"), (20_453, "2025-12-31")];
        for (days, text) in rows {
            assert_eq!(date(days), text);
        }
        assert_eq!(date(11_016), "2000-02-29");
    }
}
