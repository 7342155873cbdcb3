//! The figures as a page: medians, ranges, ratios, and the verdict on each bar.
use super::figures::{Figures, Spread};
use super::scenario::{Bar, Row, Scenario};
use super::server::Competitor;
use super::start::Start;
use crate::command::output;
use anyhow::Result;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Command;

/// The runs of one scenario.
#[derive(Default)]
pub struct Measured {
    /// By competitor: the pair's number and what it said.
    runs: BTreeMap<Competitor, Vec<(usize, Figures)>>,
    /// What went wrong.
    pub notes: Vec<String>,
}

impl Measured {
    /// Keeps a run, or why it failed.
    pub fn add(&mut self, who: Competitor, pair: usize, figures: Result<Figures>) {
        match figures {
            Ok(figures) => self.runs.entry(who).or_default().push((pair, figures)),
            Err(why) => self.notes.push(format!("{}, run {}: {why:#}", who.name(), pair + 1)),
        }
    }

    fn values(&self, who: Competitor, figure: &str) -> Vec<(usize, f64)> {
        let runs = self.runs.get(&who).into_iter().flatten();
        runs.filter_map(|(pair, f)| f.get(figure).map(|v| (*pair, v))).collect()
    }

    fn spread(&self, who: Competitor, figure: &str) -> Option<Spread> {
        let values: Vec<f64> = self.values(who, figure).into_iter().map(|(_, v)| v).collect();
        Spread::of(&values)
    }

    /// Of gridhub to another in the same pair.
    fn ratio(&self, to: Competitor, figure: &str) -> Option<Spread> {
        let base: BTreeMap<usize, f64> = self.values(to, figure).into_iter().collect();
        let ours = self.values(Competitor::Gridhub, figure).into_iter();
        let ratios = ours.filter_map(|(pair, v)| base.get(&pair).map(|b| v / b));
        Spread::of(&ratios.filter(|r| r.is_finite()).collect::<Vec<_>>())
    }
}

/// A figure that only gridhub has.
pub struct Own {
    /// What was measured.
    pub name: &'static str,
    /// For the reader.
    pub unit: &'static str,
    /// Nothing when it was not measured.
    pub value: Option<Spread>,
    /// The most that the median may be.
    pub most: Option<f64>,
    /// What is to be reached in the end.
    pub goal: &'static str,
}

/// The page as it grows.
pub struct Report {
    table: String,
    notes: Vec<String>,
    arguments: String,
}

impl Report {
    /// Begins with the command that repeats it.
    pub fn new(arguments: &[String]) -> Self {
        let arguments = arguments.iter().map(|a| format!(" {a}")).collect();
        Self { table: String::new(), notes: Vec::new(), arguments }
    }

    /// One line for each figure of the scenario.
    pub fn scenario(&mut self, scenario: &Scenario, measured: &Measured) {
        for row in scenario.rows {
            let cell = |who| shown(measured.spread(who, row.figure));
            let to_floor = measured.ratio(Competitor::Floor, row.figure);
            let to_mosquitto = measured.ratio(Competitor::Mosquitto, row.figure);
            self.line(&[
                scenario.name.to_string(),
                row.unit.to_string(),
                cell(Competitor::Floor),
                cell(Competitor::Gridhub),
                cell(Competitor::Mosquitto),
                shown(to_floor),
                shown(to_mosquitto),
                bar(row),
                verdict(row, measured).to_string(),
                row.goal.to_string(),
            ]);
        }
        let named = |note: &String| format!("{}: {note}", scenario.name);
        self.notes.extend(measured.notes.iter().map(named));
    }

    /// The lines about starting, which only gridhub has.
    pub fn start(&mut self, start: &Start) {
        let size = start.binary_bytes.map(|b| Spread::of(&[b as f64 / 1e6]));
        let resident = start.resident_bytes.map(|s| Spread {
            median: s.median / 1e6,
            low: s.low / 1e6,
            high: s.high / 1e6,
        });
        let rows = [
            ("start, first run", "ms to ready", start.first_ms, None, "1000"),
            ("start, data exists", "ms to ready", start.later_ms, Some(150.0), "150"),
            ("binary, stripped", "MB", size.flatten(), None, "20"),
            ("resident when ready", "MB", resident, None, "25"),
        ];
        for (name, unit, value, most, goal) in rows {
            self.own(&Own { name, unit, value, most, goal });
        }
        self.notes.extend(start.note.iter().map(|n| format!("start: {n}")));
    }

    /// A line about something that only gridhub has.
    pub fn own(&mut self, row: &Own) {
        let held = row.value.zip(row.most).map(|(v, most)| v.median <= most);
        let bar = row.most.map_or("-".into(), |m| format!("{m}"));
        let dash = || "-".to_string();
        self.line(&[
            row.name.into(),
            row.unit.into(),
            dash(),
            shown(row.value),
            dash(),
            dash(),
            dash(),
            bar,
            word(held, row.most.is_some()).into(),
            row.goal.into(),
        ]);
    }

    /// Own rows, or why there are none.
    pub fn owns(&mut self, name: &str, rows: Result<Vec<Own>>) {
        match rows {
            Ok(rows) => rows.iter().for_each(|row| self.own(row)),
            Err(why) => self.notes.push(format!("{name}: {why:#}")),
        }
    }

    fn line(&mut self, cells: &[String]) {
        let _ = writeln!(self.table, "| {} |", cells.join(" | "));
    }

    /// The whole page.
    pub fn text(&self) -> String {
        let mut page = format!(
            "# Measured\n\n{} on {}.\nRepeat with `cargo xtask bench{}`.\nServer alone on core 0 \
             with one reactor, load generator on core 1,\nloopback, 64-byte payload unless said. \
             Medians [lowest-highest]; a ratio is the median of the ratios\nwithin each pair of \
             runs. The machine is noisy: differences under 25 % mean nothing.\nIn the rows about \
             what is kept (offline and below) gridhub has its log on the disk, with \
             `fdatasync`\nbefore a PUBACK; Mosquitto keeps all in memory. Raw is a loop that \
             appends a batch as large as the\nlog's to reserved space and calls \
             `fdatasync`. Segments are 32 MiB.\n\n\
             | scenario | figure | floor | gridhub | Mosquitto | to floor | to Mosquitto | bar \
             here | verdict | goal |\n|---|---|---|---|---|---|---|---|---|---|\n{}",
            said("date", &["-u", "+%Y-%m-%d"]),
            machine(),
            self.arguments,
            self.table
        );
        if !self.notes.is_empty() {
            page.push_str("\nRuns that failed or did not take place:\n\n");
            for note in &self.notes {
                let _ = writeln!(page, "- {note}");
            }
        }
        page
    }
}

fn bar(row: &Row) -> String {
    match row.bar {
        Bar::Floor(most) => format!("{most} x floor"),
        Bar::Most(most) => format!("{most}"),
        Bar::Mosquitto(most) => format!("{most} x Mosquitto"),
        Bar::Least(least) => format!("at least {least}"),
        Bar::None => "-".into(),
    }
}

fn verdict(row: &Row, measured: &Measured) -> &'static str {
    let held = |spread: Option<Spread>, most: f64| spread.map(|s| s.median <= most);
    match row.bar {
        Bar::Floor(most) => word(held(measured.ratio(Competitor::Floor, row.figure), most), true),
        Bar::Most(most) => word(held(measured.spread(Competitor::Gridhub, row.figure), most), true),
        Bar::Mosquitto(most) => {
            word(held(measured.ratio(Competitor::Mosquitto, row.figure), most), true)
        }
        Bar::Least(least) => {
            let ours = measured.spread(Competitor::Gridhub, row.figure);
            word(ours.map(|s| s.median >= least), true)
        }
        Bar::None => word(None, false),
    }
}

fn word(held: Option<bool>, judged: bool) -> &'static str {
    match (held, judged) {
        (_, false) => "-",
        (Some(true), true) => "holds",
        (Some(false), true) => "**fails**",
        (None, true) => "not measured",
    }
}

fn shown(spread: Option<Spread>) -> String {
    let Some(Spread { median, low, high }) = spread else { return "-".into() };
    let digits = match median {
        m if m >= 100.0 => 0,
        m if m >= 10.0 => 1,
        _ => 2,
    };
    format!("{median:.digits$} [{low:.digits$}-{high:.digits$}]")
}

fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models = cpus.lines().filter_map(|l| l.strip_prefix("model name")?.split_once(": "));
    let names: Vec<&str> = models.map(|(_, name)| name).collect();
    let name = names.first().copied().unwrap_or("unknown processor");
    format!("{} x {name}, {}", names.len(), said("uname", &["-sr"]))
}

fn said(program: &str, arguments: &[&str]) -> String {
    let done = output(Command::new(program).args(arguments));
    done.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::scenario::SCENARIOS;
    use super::*;

    fn measured(floor: &[f64], ours: &[f64]) -> Measured {
        let mut measured = Measured::default();
        for (who, values) in [(Competitor::Floor, floor), (Competitor::Gridhub, ours)] {
            for (pair, value) in values.iter().enumerate() {
                let line = format!("{{\"cpu_us_per_delivery\":{value}}}");
                measured.add(who, pair, Figures::parse(&line));
            }
        }
        measured
    }

    #[test]
    fn a_bar_is_judged_by_the_median_of_paired_ratios() {
        let row = &SCENARIOS[0].rows[0];
        assert_eq!(verdict(row, &measured(&[1.0, 2.0, 1.0], &[1.9, 2.0, 9.0])), "holds");
        assert_eq!(verdict(row, &measured(&[1.0, 1.0, 1.0], &[2.1, 2.1, 1.0])), "**fails**");
        assert_eq!(verdict(row, &measured(&[1.0], &[])), "not measured");
    }

    #[test]
    fn the_page_names_what_failed() {
        let mut report = Report::new(&["--quick".into()]);
        let mut runs = measured(&[1.0], &[1.5]);
        runs.add(Competitor::Mosquitto, 0, Err(anyhow::anyhow!("stalled")));
        report.scenario(&SCENARIOS[0], &runs);
        let text = report.text();
        assert!(text.contains("| 1.50 [1.50-1.50] |"), "{text}");
        assert!(text.contains("- pairs-q0: Mosquitto, run 1: stalled"), "{text}");
        assert!(text.contains("cargo xtask bench --quick"), "{text}");
    }
}
