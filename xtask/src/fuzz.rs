//! `cargo xtask fuzz`: libFuzzer over the properties of crate `fuzz`, and their corpus.
//!
//! Owns how a target is built and run: coverage counters and overflow checks, no sanitizer, because
//! without `unsafe` there is nothing for one to find in our own code. New inputs gather under the
//! target directory; only `--minimize` writes to the tree. Knows no target by name.
use crate::command::{cargo, output, run as execute, succeeds};
use crate::{root, test};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the named targets, or all of them, one after the other.
///
/// # Errors
/// When a build fails, or after the last target when one of them found something.
pub fn run(arguments: &[String]) -> Result<()> {
    let root = root();
    let all = targets(&root)?;
    let options = Options::parse(arguments, &all)?;
    let fuzzer = Fuzzer::new(&root)?;
    let mut found = Vec::new();
    for target in &options.targets {
        execute(fuzzer.cargo("build").arg(target))?;
        let done = match options.work {
            Work::Search { minutes } => fuzzer.search(target, minutes),
            Work::Minimize => fuzzer.minimize(target),
        };
        if let Err(error) = done {
            eprintln!("xtask: {target}: {error:#}");
            found.push(target.as_str());
        }
    }
    if !found.is_empty() {
        let folder = fuzzer.findings.display();
        bail!("failed: {}; inputs that broke a property lie in {folder}", found.join(", "));
    }
    Ok(())
}

/// What to do with which targets.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    targets: Vec<String>,
    work: Work,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Work {
    /// Look for inputs that break a property.
    Search { minutes: u32 },
    /// Write the smallest corpus that covers as much into the tree.
    Minimize,
}

impl Options {
    fn parse(arguments: &[String], all: &[String]) -> Result<Self> {
        let (mut targets, mut work) = (Vec::new(), Work::Search { minutes: 1 });
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--all" => targets.clone_from(&all.to_vec()),
                "--minimize" => work = Work::Minimize,
                "--minutes" => {
                    // libFuzzer takes 0 for no bound.
                    let number = rest.next().and_then(|text| text.parse().ok()).filter(|n| *n > 0);
                    work = Work::Search { minutes: number.context("--minutes takes 1 or more")? };
                }
                name if all.iter().any(|t| t == name) => targets.push(name.to_owned()),
                other => bail!("there is no target '{other}'; there are {}", all.join(", ")),
            }
        }
        if targets.is_empty() {
            bail!("name a target or --all; there are {}", all.join(", "));
        }
        Ok(Self { targets, work })
    }
}

/// The targets that have a wrapper, in order.
fn targets(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("fuzz/targets/bin");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// cargo-fuzz, and where its files lie.
struct Fuzzer {
    root: PathBuf,
    toolchain: Toolchain,
    /// Built programs.
    build: PathBuf,
    /// Inputs found so far, a folder a target.
    corpus: PathBuf,
    /// Inputs that broke a property, a folder a target.
    findings: PathBuf,
}

/// Who may pass the compiler the flags of coverage counters.
enum Toolchain {
    /// A nightly compiler.
    Nightly,
    /// The stable one, told to take nightly's flags.
    Bootstrapped,
}

impl Fuzzer {
    fn new(root: &Path) -> Result<Self> {
        if !succeeds(cargo(root).args(["fuzz", "--version"])) {
            let wanted = ["install", "cargo-fuzz", "--locked", "--version", CARGO_FUZZ];
            execute(cargo(root).args(wanted))?;
        }
        let nightly = succeeds(Command::new("cargo").args(["+nightly", "--version"]));
        let toolchain = if nightly { Toolchain::Nightly } else { Toolchain::Bootstrapped };
        let folder = test::target(root).join("fuzz");
        Ok(Self {
            root: root.to_path_buf(),
            toolchain,
            build: folder.join("build"),
            corpus: folder.join("corpus"),
            findings: folder.join("findings"),
        })
    }

    /// `cargo fuzz VERB` with what holds for every verb.
    fn cargo(&self, verb: &str) -> Command {
        let mut command = match self.toolchain {
            Toolchain::Nightly => {
                let mut command = Command::new("cargo");
                command.arg("+nightly").current_dir(&self.root);
                command
            }
            Toolchain::Bootstrapped => {
                let mut command = cargo(&self.root);
                command.env("RUSTC_BOOTSTRAP", "1");
                command
            }
        };
        command.args(["fuzz", verb, "--fuzz-dir", "fuzz/targets", "--sanitizer", "none"]);
        command.env("CARGO_TARGET_DIR", &self.build);
        command
    }

    fn search(&self, target: &str, minutes: u32) -> Result<()> {
        let (new, findings) = (self.corpus.join(target), self.findings.join(target));
        fs::create_dir_all(&new)?;
        fs::create_dir_all(&findings)?;
        let mut command = self.cargo("run");
        command.arg(target).arg(&new).arg(self.seeds(target)).arg("--");
        command.arg(format!("-max_total_time={}", minutes * 60));
        command.arg(format!("-artifact_prefix={}/", findings.display()));
        command.args(["-max_len=4096", "-timeout=10", "-rss_limit_mb=2048"]);
        command.arg("-print_final_stats=1");
        let dictionary = self.root.join(format!("fuzz/dictionaries/{target}.dict"));
        if dictionary.is_file() {
            command.arg(format!("-dict={}", dictionary.display()));
        }
        execute(&mut command)
    }

    /// The smallest set of inputs, of the tree and found here, that covers what all of them cover.
    fn minimize(&self, target: &str) -> Result<()> {
        let smallest = self.corpus.join(format!("{target}.smallest"));
        if smallest.is_dir() {
            fs::remove_dir_all(&smallest)?;
        }
        let new = self.corpus.join(target);
        fs::create_dir_all(&smallest)?;
        fs::create_dir_all(&new)?;
        let mut command = self.cargo("run");
        command.arg(target).arg(&smallest).arg(self.seeds(target)).arg(&new).arg("--");
        // By covered code alone, not by how often: a few hundred short inputs instead of thousands.
        command.args(["-set_cover_merge=1", "-use_counters=0", "-max_len=1024"]);
        let said = output(&mut command)?;
        if !said.status.success() {
            bail!("merging failed:\n{}", String::from_utf8_lossy(&said.stderr));
        }
        let kept: Vec<_> = fs::read_dir(&smallest)?.collect::<Result<_, _>>()?;
        if kept.is_empty() {
            bail!("merging left nothing: the corpus stays as it was");
        }
        fs::remove_dir_all(self.seeds(target))?;
        fs::create_dir_all(self.seeds(target))?;
        for file in &kept {
            fs::copy(file.path(), self.seeds(target).join(file.file_name()))?;
        }
        eprintln!("xtask: {target}: {} inputs in {}", kept.len(), self.seeds(target).display());
        Ok(())
    }

    fn seeds(&self, target: &str) -> PathBuf {
        self.root.join("fuzz/corpus").join(target)
    }
}

/// Pinned, so that a run that fails today failed for our reasons.
const CARGO_FUZZ: &str = "0.13.2";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Options> {
        Options::parse(&owned(arguments), &owned(&["decoder", "topics"]))
    }

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn options_name_targets_and_work() {
        let search = |minutes| Work::Search { minutes };
        let rows: [(&[&str], &[&str], Work); 4] = [
            (&["topics"], &["topics"], search(1)),
            (&["--all", "--minutes", "30"], &["decoder", "topics"], search(30)),
            (&["--minutes", "2", "decoder"], &["decoder"], search(2)),
            (&["decoder", "--minimize"], &["decoder"], Work::Minimize),
        ];
        for (arguments, targets, work) in rows {
            let options = parsed(arguments).unwrap();
            assert_eq!((options.targets, options.work), (owned(targets), work));
        }
        for arguments in [&[][..], &["nothing"], &["--minutes"], &["topics", "--minutes", "0"]] {
            assert!(parsed(arguments).is_err(), "{arguments:?}");
        }
    }

    /// A property without a wrapper is never searched, one without a seed from nothing.
    #[test]
    fn every_target_has_a_property_a_wrapper_and_a_corpus() {
        let root = root();
        let lib = fs::read_to_string(root.join("fuzz/src/lib.rs")).unwrap();
        let manifest = fs::read_to_string(root.join("fuzz/targets/Cargo.toml")).unwrap();
        let targets = targets(&root).unwrap();
        assert_eq!(lib.matches("::check)").count(), targets.len());
        for target in targets {
            assert!(lib.contains(&format!("(\"{target}\", {target}::check)")), "{target}");
            assert!(manifest.contains(&format!("path = \"bin/{target}.rs\"")), "{target}");
            assert!(root.join("fuzz/corpus").join(&target).is_dir(), "{target}");
        }
    }
}
