//! The rules that one file can break by its text alone.
//!
//! Each rule stands in a table with its reason; exceptions stand there too, by path.
use super::Finding;
use super::source::Source;

/// A word that code must not contain.
struct Ban {
    /// What to look for in masked code.
    word: &'static str,
    /// Where it is looked for.
    scope: Scope,
    reason: &'static str,
    /// Paths that begin like this may use it.
    except: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Crates without IO, their tests excepted.
    Domain,
    /// All code that is no test.
    Code,
    /// Tests too.
    Everywhere,
}

/// Rules on any text file: what must not stand in it, whatever its language.
pub fn check_text(file: &str, text: &str, findings: &mut Vec<Finding>) {
    let mut say = |line, rule: String, reason| {
        findings.push(Finding { file: file.into(), line, rule, reason });
    };
    for part in file.split('/') {
        let stem = part.split('.').next().unwrap_or(part);
        if DRAWERS.contains(&stem) {
            say(0, format!("nothing is called '{stem}'"), "a thing without a noun is not designed");
        }
    }
    let narrow = [".rs", ".py", ".js", ".sh"].iter().any(|e| file.ends_with(e));
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        for path in MACHINE_PATHS {
            if line.match_indices(path).any(|(at, _)| begins_path(line, at)) {
                say(number, format!("no path below {path}"), "it exists on one machine only");
            }
        }
        if narrow && line.chars().count() > LINE_CHARS_MAX {
            say(number, format!("a line has at most {LINE_CHARS_MAX} characters"), REVIEW);
        }
        if narrow && NOTES.iter().any(|note| line.contains(note)) {
            say(number, "no note to do it later".into(), "finish it, or name it in an issue");
        }
    }
}

/// Rules on Rust code.
pub fn check_rust(source: &Source, findings: &mut Vec<Finding>) {
    let mut say = |line, rule: String, reason| {
        findings.push(Finding { file: source.file.clone(), line, rule, reason });
    };
    let first = source.text.lines().find(|l| !l.starts_with("#!") && !l.trim().is_empty());
    if !first.is_some_and(|l| l.starts_with("//!")) {
        say(1, "a file begins with its //! doc".into(), "it says what the file refuses to know");
    }
    let lines = source.lines_outside_tests();
    if lines > FILE_LINES_MAX {
        let rule = format!("{lines} lines before the tests, at most {FILE_LINES_MAX}");
        say(0, rule, "a file that is small enough has one noun; split along the noun");
    }
    for function in source.functions() {
        if function.lines > FUNCTION_LINES_MAX {
            let (name, lines) = (function.name, function.lines);
            let rule = format!("fn {name} has {lines} lines, at most {FUNCTION_LINES_MAX}");
            say(function.line, rule, "one screen: the branching here, the work in leaves");
        }
    }
    for ban in BANS {
        if ban.except.iter().any(|path| source.file.starts_with(path)) {
            continue;
        }
        let domain = DOMAIN.iter().any(|folder| source.file.starts_with(folder));
        for at in source.find(ban.word) {
            let hit = match ban.scope {
                Scope::Domain => domain && !source.in_tests(at),
                Scope::Code => !source.in_tests(at),
                Scope::Everywhere => true,
            };
            if hit {
                say(source.line(at), format!("no `{}` here", ban.word), ban.reason);
            }
        }
    }
}

/// An absolute path begins where no other path component ends.
fn begins_path(line: &str, at: usize) -> bool {
    let before = line[..at].chars().next_back();
    !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}' | ')' | '/'))
}

const fn ban(
    word: &'static str,
    scope: Scope,
    reason: &'static str,
    except: &'static [&'static str],
) -> Ban {
    Ban { word, scope, reason, except }
}

const BANS: &[Ban] = &[
    ban("Instant::now", Scope::Domain, CLOCK, &[]),
    ban("SystemTime::now", Scope::Domain, CLOCK, &[]),
    ban("std::fs", Scope::Domain, "it decides; gridhub performs the IO", &[]),
    ban("std::net", Scope::Domain, "it decides; gridhub performs the IO", &[]),
    ban("std::process", Scope::Domain, "it decides; gridhub performs the IO", &[]),
    ban("std::env", Scope::Domain, "configuration enters as arguments", &[]),
    ban("tokio", Scope::Domain, "domain code is synchronous: the simulator runs it", &[]),
    ban("rand", Scope::Domain, "chance enters as an argument, so that runs repeat", &[]),
    ban("println!", Scope::Domain, "it tells by its effects", &[]),
    ban("eprintln!", Scope::Domain, "it tells by its effects", &[]),
    ban("thread::sleep", Scope::Everywhere, "wait for a condition, with a deadline", &[POLL]),
    ban("todo!", Scope::Everywhere, "what is not finished is refused clearly", &[]),
    ban("unimplemented!", Scope::Everywhere, "what is not finished is refused clearly", &[]),
    ban("dbg!", Scope::Everywhere, "left over", &[]),
    ban("#[ignore", Scope::Everywhere, "a bug is asserted as it is, with a note on why", &[]),
    ban("unsafe", Scope::Everywhere, "memory safety is a promise to users", &[]),
    ban("process::exit", Scope::Code, "only the outermost function ends the process", EXITS),
];

/// Crates that know no IO.
const DOMAIN: &[&str] = &[
    "crates/mqtt/",
    "crates/store/",
    "crates/broker/",
    "crates/hub/",
    "crates/engine/",
    "crates/node/",
];
const EXITS: &[&str] = &["crates/gridhub/src/main.rs", "crates/gridhub/src/cli"];
/// The one place that polls: the end-to-end tests watch other processes.
const POLL: &str = "tests/harness/until.rs";
const CLOCK: &str = "time enters as an argument, so that expiry is tested in milliseconds";
const REVIEW: &str = "two versions fit side by side";

const DRAWERS: [&str; 7] = ["util", "utils", "common", "helper", "helpers", "misc", "manager"];
// Split, so that this file does not find itself.
const MACHINE_PATHS: [&str; 3] =
    [concat!("/", "home/"), concat!("/", "root/"), concat!("/", "work/")];
const NOTES: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];

const LINE_CHARS_MAX: usize = 100;
const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

#[cfg(test)]
mod tests {
    use super::*;

    fn rust(file: &str, text: &str) -> Vec<(usize, String)> {
        let mut findings = Vec::new();
        check_rust(&Source::new(file, text), &mut findings);
        findings.into_iter().map(|f| (f.line, f.rule)).collect()
    }

    fn text(file: &str, text: &str) -> Vec<usize> {
        let mut findings = Vec::new();
        check_text(file, text, &mut findings);
        findings.into_iter().map(|f| f.line).collect()
    }

    #[test]
    fn a_clean_file_has_no_findings() {
        let code = "//! Doc.\n\n/// `todo!` in words is fine.\nfn a() { b(\"unsafe\") }\n";
        assert_eq!(rust("crates/mqtt/src/a.rs", code), []);
        assert_eq!(text("crates/mqtt/src/a.rs", code), [0; 0]);
    }

    #[test]
    fn each_ban_is_found_where_it_holds() {
        let rows = [
            ("crates/node/src/a.rs", "fn a() { Instant::now(); }", 1),
            ("crates/gridhub/src/clock.rs", "fn a() { Instant::now(); }", 0),
            ("crates/node/tests/a.rs", "fn a() { std::fs::read(x); }", 0),
            ("crates/gridhub/src/a.rs", "fn a() { thread::sleep(x); }", 1),
            ("crates/node/tests/a.rs", "fn a() { thread::sleep(x); }", 1),
            ("tests/harness/until.rs", "fn a() { thread::sleep(x); }", 0),
            ("crates/gridhub/src/a.rs", "fn a() { process::exit(1); }", 1),
            ("crates/gridhub/src/main.rs", "fn a() { process::exit(1); }", 0),
            ("crates/gridhub/src/cli/a.rs", "fn a() { process::exit(1); }", 0),
            ("crates/broker/src/a.rs", "use rand::Rng; fn operand() {}", 1),
            ("tests/cases/a.rs", "#[ignore = \"later\"] fn a() {}", 1),
            ("xtask/src/a.rs", "fn a() { unsafe { b() } }", 1),
        ];
        for (file, code, expected) in rows {
            let found = rust(file, &format!("//! Doc.\n{code}\n"));
            assert_eq!(found.len(), expected, "{file}: {code}: {found:?}");
        }
    }

    #[test]
    fn a_file_begins_with_its_doc() {
        assert_eq!(rust("a.rs", "fn a() {}\n").len(), 1);
        assert_eq!(rust("a.rs", "#![allow(x)]\n//! Doc.\n").len(), 0);
        assert_eq!(rust("a.rs", "").len(), 1);
    }

    #[test]
    fn long_functions_and_files_are_found() {
        let body = "    b();\n".repeat(68);
        assert_eq!(rust("a.rs", &format!("//! D\nfn a() {{\n{body}}}\n")), []);
        let found = rust("a.rs", &format!("//! D\nfn a() {{\n{body}    c();\n}}\n"));
        assert_eq!(found, [(2, "fn a has 71 lines, at most 70".to_string())]);
        let long = "//! D\n".repeat(401);
        assert_eq!(rust("a.rs", &long).len(), 1);
        assert_eq!(rust("tests/a.rs", &long).len(), 0);
    }

    #[test]
    fn names_paths_notes_and_line_length() {
        assert_eq!(text("crates/a/src/util.rs", ""), [0]);
        assert_eq!(text("crates/a/src/misc/a.rs", ""), [0]);
        assert_eq!(text("README.md", concat!("a\ncd /", "home/me")), [2]);
        assert_eq!(text("README.md", concat!("a/", "home/me, https://x.y/", "work/z")), [0; 0]);
        assert_eq!(text("a.rs", concat!("// TO", "DO later")), [1]);
        assert_eq!(text("a.rs", &"é".repeat(100)), [0; 0]);
        assert_eq!(text("a.rs", &"é".repeat(101)), [1]);
        assert_eq!(text("a.md", &"é".repeat(101)), [0; 0]);
    }
}
