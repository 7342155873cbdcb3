//! `cargo xtask counts`: instructions of the hot paths, counted by callgrind, against the record.
//!
//! Counts do not depend on how busy the machine is, so that three per cent can be told. Owns the
//! record `bench/counts.txt` and what makes two counts comparable: one build profile, one set of
//! processor features, no environment. What is counted is crate `counts`'.
use crate::command::{cargo, exists, output, run as execute};
use crate::{clients, root, test};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

/// Counts every case, or those whose names hold one of `arguments`; with `--accept` writes the
/// record instead of comparing.
///
/// # Errors
/// When a build or a case fails, or a case takes over 3 % more than the record says.
pub fn run(arguments: &[String]) -> Result<()> {
    let accept = arguments.iter().any(|a| a == "--accept");
    let wanted: Vec<&String> = arguments.iter().filter(|a| !a.starts_with("--")).collect();
    if let Some(other) = arguments.iter().find(|a| a.starts_with("--") && *a != "--accept") {
        bail!("there is no option '{other}'");
    }
    clients::debian("valgrind", "valgrind");
    if !exists("valgrind") {
        // A count that nobody sees is a count nobody has.
        if std::env::var_os("CI").is_some() {
            bail!("valgrind is missing, and CI is set");
        }
        eprintln!("xtask: SKIPPED counts: valgrind is missing");
        return Ok(());
    }
    let root = root();
    // As the tests build, so that features unify alike and nothing builds twice.
    let build = ["build", "--profile", "ci", "--workspace", "--all-targets"];
    execute(cargo(&root).args(build))?;
    let program = test::target(&root).join("ci/counts");
    let listed = output(&mut Command::new(&program))?;
    let names = String::from_utf8(listed.stdout).context("names of cases")?;
    let names: Vec<&str> = names
        .lines()
        .filter(|name| wanted.is_empty() || wanted.iter().any(|w| name.contains(w.as_str())))
        .collect();
    if names.is_empty() {
        bail!("no case has a name like that; {} without arguments lists them", program.display());
    }
    let counted = all(&program, &names)?;
    let file = root.join(RECORD);
    let mut record = Record::read(&file)?;
    let compiler = compiler()?;
    if accept {
        record.compiler = compiler;
        if wanted.is_empty() {
            record.counts.clear();
        }
        record.counts.extend(counted);
        std::fs::write(&file, record.text()).with_context(|| file.display().to_string())?;
        eprintln!("xtask: wrote {}", file.display());
        return Ok(());
    }
    let (page, risen) = compare(&record.counts, &counted, wanted.is_empty());
    print!("{page}");
    if record.compiler != compiler {
        eprintln!("xtask: NOT JUDGED: {RECORD} is of {}, this is {compiler}", record.compiler);
        return Ok(());
    }
    if risen > 0 {
        bail!("{risen} of them: make it cheaper, or say why not in the commit that runs {ACCEPT}");
    }
    Ok(())
}

/// What is on record.
#[derive(Default)]
struct Record {
    compiler: String,
    counts: BTreeMap<String, f64>,
}

impl Record {
    /// Nothing where there is no file.
    fn read(file: &Path) -> Result<Self> {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(e).with_context(|| file.display().to_string()),
        };
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut record = Self::default();
        for line in text.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty()) {
            let (name, value) = line.split_once('|').with_context(|| format!("{line}: no |"))?;
            let (name, value) = (name.trim(), value.trim());
            if name == COMPILER {
                record.compiler = value.to_owned();
            } else {
                let count = value.parse().with_context(|| format!("{line}: no number"))?;
                record.counts.insert(name.to_owned(), count);
            }
        }
        Ok(record)
    }

    fn text(&self) -> String {
        let counts = self.counts.iter().map(|(name, count)| format!("{name} | {count:.1}\n"));
        format!("{HEAD}{COMPILER} | {}\n{}", self.compiler, counts.collect::<String>())
    }
}

/// A line a case, and how many of them have to be explained. `whole`: nothing was left out, so
/// what is on record only has gone.
fn compare(
    record: &BTreeMap<String, f64>,
    counted: &BTreeMap<String, f64>,
    whole: bool,
) -> (String, usize) {
    let (mut page, mut wrong) = (String::new(), 0);
    for (name, count) in counted {
        let said = match record.get(name) {
            None => {
                wrong += 1;
                "** is not on record **".to_owned()
            }
            Some(before) => {
                let change = (count / before - 1.0) * 100.0;
                if change > RISE_MAX {
                    wrong += 1;
                    format!("{change:+.1} % ** more than {RISE_MAX} % over {before:.1} **")
                } else if change < -RISE_MAX {
                    format!("{change:+.1} %, {ACCEPT} keeps that")
                } else {
                    format!("{change:+.1} %")
                }
            }
        };
        page.push_str(&format!("{name:<20} {count:>9.1}  {said}\n"));
    }
    for name in record.keys().filter(|name| whole && !counted.contains_key(*name)) {
        wrong += 1;
        page.push_str(&format!("{name:<20}         -  ** is on record, and no case **\n"));
    }
    (page, wrong)
}

/// Runs the cases, as many at once as there are cores.
fn all(program: &Path, names: &[&str]) -> Result<BTreeMap<String, f64>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let left = Mutex::new(names.iter());
    let done = Mutex::new(BTreeMap::new());
    let work = || -> Result<()> {
        loop {
            let next = left.lock().expect("no panic under this lock").next();
            let Some(name) = next else { return Ok(()) };
            let count = count(program, name)?;
            done.lock().expect("no panic under this lock").insert((*name).to_owned(), count);
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|t| t.join().expect("it returns its errors"))
    })?;
    Ok(done.into_inner().expect("no panic under this lock"))
}

/// Instructions an operation of one case.
fn count(program: &Path, name: &str) -> Result<f64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg(format!("--toggle-collect=*{COUNTED}*")).arg(program).arg(name);
    // The environment lies on the stack and moves it; the C library picks its copies by processor.
    let path = std::env::var_os("PATH").unwrap_or_default();
    valgrind.env_clear().env("PATH", path).env("GLIBC_TUNABLES", ANY_PROCESSOR);
    let done = output(&mut valgrind)?;
    let said = String::from_utf8_lossy(&done.stderr);
    if !done.status.success() {
        bail!("{name} under valgrind: {}\n{said}", done.status);
    }
    let collected =
        said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    let instructions: f64 = collected.with_context(|| format!("{name}: no count in\n{said}"))?;
    let operations: f64 = String::from_utf8_lossy(&done.stdout).trim().parse()?;
    if instructions == 0.0 {
        bail!("{name}: callgrind has not seen {COUNTED}");
    }
    Ok(instructions / operations)
}

fn compiler() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = output(Command::new(rustc).arg("--version"))?;
    Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

/// The function of crate `counts` during which callgrind collects.
const COUNTED: &str = "counted_turns";
/// Per cent.
const RISE_MAX: f64 = 3.0;
const RECORD: &str = "bench/counts.txt";
const ACCEPT: &str = "`cargo xtask counts --accept`";
const COMPILER: &str = "rustc";
/// What valgrind's processor may lack on another machine; unknown names are passed over.
const ANY_PROCESSOR: &str = "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-AVX_Fast_Unaligned_Load,-BMI2,\
     -ERMS,-FSRM,-LZCNT,-MOVBE";
const HEAD: &str = "# Instructions an operation in profile ci (a packet, a match, a delivery), \
     counted by callgrind.\n# `cargo xtask counts` compares, `cargo xtask counts --accept` writes \
     it anew.\n# Judged only with the compiler named here.\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(list: &[(&str, f64)]) -> BTreeMap<String, f64> {
        list.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn a_rise_over_three_per_cent_counts() {
        let record = counts(&[("a", 100.0), ("gone", 1.0)]);
        let wrong = |now: &[(&str, f64)], whole| compare(&record, &counts(now), whole).1;
        assert_eq!(wrong(&[("a", 102.9)], false), 0);
        assert_eq!(wrong(&[("a", 103.1)], false), 1);
        assert_eq!(wrong(&[("a", 50.0)], false), 0, "less is fine");
        assert_eq!(wrong(&[("a", 100.0), ("new", 1.0)], false), 1);
        assert_eq!(wrong(&[("a", 100.0)], true), 1, "a case that has gone");
        let page = compare(&record, &counts(&[("a", 50.0)]), false).0;
        assert!(page.contains("--accept"), "{page}");
    }

    #[test]
    fn the_record_is_read_as_it_is_written() {
        let record = Record { compiler: "rustc 1.2.3".into(), counts: counts(&[("a-b", 12.5)]) };
        let again = Record::parse(&record.text()).unwrap();
        assert_eq!((again.compiler, again.counts), (record.compiler, record.counts));
        assert!(Record::parse("a 1").is_err());
        assert!(Record::parse("a | b").is_err());
    }
}
