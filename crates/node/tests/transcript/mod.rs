//! Runs transcripts: text files with what clients send and what they receive. Every file is run
//! with several numbers of reactors and must read the same with each (core.md 3).
//! `BLESS=1` writes what was received into the file instead: read it before you commit it.

pub mod authority;
pub mod bounds;
pub mod client_packet;
pub mod connection;
pub mod fields;
pub mod fold;
pub mod keeping;
pub mod reactors;
pub mod script;
pub mod server_packet;
pub mod words;
pub mod world;

use keeping::Kept;
use script::{Action, Line, Then};
use std::path::Path;
use world::World;

/// Runs `transcripts/NAME.txt` with 1, 2 and 8 reactors, or those that the file names.
pub fn run(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/transcripts/{name}.txt"));
    let expected = std::fs::read_to_string(&path).expect("a transcript has its file");
    let lines = script::parse(&expected);
    let counts = reactor_counts(&lines);
    let first = play(&lines, counts[0], Kept::InMemory);
    for n in &counts[1..] {
        let other = play(&lines, *n, Kept::InMemory);
        assert!(other == first, "{name}: {n} reactors differ\n{}", difference(&first, &other));
    }
    let kept = settings(&lines, "kept ").next();
    for n in counts.into_iter().filter(|_| kept.is_none()) {
        let other = play(&lines, n, Kept::InLog);
        let difference = difference(&first, &other);
        assert!(other == first, "{name}: with a log {n} reactors differ\n{difference}");
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, first).expect("a transcript can be written");
    } else {
        assert!(first == expected, "{name}\n{}", difference(&expected, &first));
    }
}

/// No file without its test.
pub fn check_listed(names: &[&str]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    for entry in std::fs::read_dir(folder).expect("the folder of the transcripts") {
        let path = entry.expect("a file in it").path();
        let name = path.file_stem().and_then(|s| s.to_str()).expect("a name in ASCII");
        assert!(names.contains(&name), "{name}.txt is in no test");
    }
}

/// Plays a script and gives it back with what was received.
fn play(lines: &[Line], reactors: usize, kept: Kept) -> String {
    let mut world = World::new(reactors, limits(lines), memory_bytes_max(lines), kept);
    let mut out = String::new();
    let mut push = |line: &str| {
        out.push_str(line);
        out.push('\n');
    };
    for line in lines {
        match line {
            Line::Prose(text) => push(text),
            Line::Output => {}
            Line::Step { text, actions, then } => {
                push(text);
                actions.iter().for_each(|a| world.act(a));
                if *then == Then::Settle {
                    world.settle();
                    world.received().iter().for_each(|line| push(line));
                }
            }
        }
    }
    out
}

fn settings<'l>(lines: &'l [Line], name: &'l str) -> impl Iterator<Item = &'l str> {
    let actions = lines.iter().flat_map(|line| match line {
        Line::Step { actions, .. } => actions.as_slice(),
        _ => &[],
    });
    actions.filter_map(move |a| match a {
        Action::Setting(text) => text.strip_prefix(name),
        _ => None,
    })
}

fn limits(lines: &[Line]) -> broker::limits::Limits {
    let text = settings(lines, "limits ").next().unwrap_or("open");
    bounds::limits(text)
}

fn memory_bytes_max(lines: &[Line]) -> usize {
    let text = settings(lines, "memory ").next();
    text.map_or(PLENTY, |n| n.parse().expect("a number of bytes"))
}

fn reactor_counts(lines: &[Line]) -> Vec<usize> {
    let text = settings(lines, "reactors ").next().unwrap_or("1 2 8");
    text.split_whitespace().map(|n| n.parse().expect("a number of reactors")).collect()
}

/// The first lines that differ, with what is before them.
fn difference(expected: &str, got: &str) -> String {
    let (want, have): (Vec<_>, Vec<_>) = (expected.lines().collect(), got.lines().collect());
    let at = want.iter().zip(&have).take_while(|(a, b)| a == b).count();
    let around = |lines: &[&str], sign: char| -> String {
        let some = lines.iter().skip(at).take(SHOWN);
        some.map(|line| format!("{sign} {line}\n")).collect()
    };
    let before: String =
        want[at.saturating_sub(SHOWN)..at].iter().map(|line| format!("  {line}\n")).collect();
    format!("line {}:\n{before}{}{}", at + 1, around(&want, '-'), around(&have, '+'))
}

/// Memory that no script fills.
const PLENTY: usize = 1 << 30;
/// Lines of a difference.
const SHOWN: usize = 8;
