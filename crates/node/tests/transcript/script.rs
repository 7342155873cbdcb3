//! The lines of a transcript. Owns their grammar and refuses to know what they do.
//!
//! ```text
//! # comment
//! a> CONNECT v5 id=a       a client sends; the connection opens by itself
//! a< CONNACK 0x00 ...      what it receives: written by BLESS=1, compared otherwise
//! a> PINGREQ &             with the next line: in one turn, one connection's packets in one read
//! x300 c{n}> PINGREQ       300 lines in one turn; {n} = 0.., {n+1} = 1.., {nnn} = 000..
//! a! lost | open | stall | read      the socket: gone, opened, not read by the client, read again
//! + 90s | +real 90s | +domain 1h     both clocks, or one of them
//! limits open receive_max=2          before everything else; `reactors 1 2`, `memory BYTES` too
//! principal a name=bob publish=a/# subscribe=b expires=60s | refused=0x87 why="..." | held
//! door> PUBLISH q=1 topic=t payload="x" watch=1      a publish from outside MQTT
//! admin> disconnect a | delete a | session a | sessions | dropped | groups | shutdown
//! admin> posts full | posts free     between reactors
//! admin> memory                      how full the process is
//! ```

/// One line of a transcript file.
#[derive(Debug, Clone)]
pub enum Line {
    /// Comment or empty line: kept as it is.
    Prose(String),
    /// What a client received: made again at each run.
    Output,
    /// Something to do.
    Step {
        /// As written.
        text: String,
        /// What it stands for, one action or many.
        actions: Vec<Action>,
        /// Whether the turn ends here.
        then: Then,
    },
}

/// Whether a turn follows a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Everything settles and what was received is shown.
    Settle,
    /// The next line belongs to the same turn.
    Join,
}

/// One action.
#[derive(Debug, Clone)]
pub enum Action {
    /// A client sends a packet.
    Send(String, String),
    /// Something happens to a client's socket.
    Socket(String, String),
    /// Real and domain clock go on, in milliseconds.
    Clock { real_ms: u64, domain_ms: u64 },
    /// A rule for the authority.
    Principal(String),
    /// A publish from outside MQTT.
    Door(String),
    /// An operator's request.
    Admin(String),
    /// Bounds of the namespace, or which numbers of reactors to run with.
    Setting(String),
}

/// Parses a file.
pub fn parse(text: &str) -> Vec<Line> {
    text.lines().map(line).collect()
}

/// `90s`, `5m`, `1h`, `250ms`.
pub fn milliseconds(text: &str) -> u64 {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let n: u64 = digits.parse().unwrap_or_else(|_| panic!("a time: {text}"));
    match &text[digits.len()..] {
        "ms" => n,
        "s" => n * 1_000,
        "m" => n * 60_000,
        "h" => n * 3_600_000,
        _ => panic!("a time: {text}"),
    }
}

fn line(text: &str) -> Line {
    let first = text.split_whitespace().next().unwrap_or_default();
    if first.is_empty() || first.starts_with('#') {
        return Line::Prose(text.to_owned());
    }
    if first.ends_with('<') || first == "..." {
        return Line::Output;
    }
    let (body, then) = match text.strip_suffix(" &") {
        Some(body) => (body, Then::Join),
        None => (text, Then::Settle),
    };
    let repeats = first.strip_prefix('x').and_then(|n| n.parse::<usize>().ok());
    let actions = match repeats {
        Some(n) => {
            let pattern = body[first.len()..].trim_start();
            (0..n).map(|at| action(&filled(pattern, at))).collect()
        }
        None => vec![action(body)],
    };
    Line::Step { text: text.to_owned(), actions, then }
}

fn action(text: &str) -> Action {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim().to_owned();
    match first {
        "+" => clock(&rest, true, true),
        "+real" => clock(&rest, true, false),
        "+domain" => clock(&rest, false, true),
        "limits" | "reactors" | "memory" | "kept" => Action::Setting(text.to_owned()),
        "principal" => Action::Principal(rest),
        "door>" => Action::Door(rest),
        "admin>" => Action::Admin(rest),
        _ => match (first.strip_suffix('>'), first.strip_suffix('!')) {
            (Some(name), _) => Action::Send(name.to_owned(), rest),
            (_, Some(name)) => Action::Socket(name.to_owned(), rest),
            _ => panic!("no such line: {text}"),
        },
    }
}

fn clock(time: &str, real: bool, domain: bool) -> Action {
    let ms = milliseconds(time);
    Action::Clock { real_ms: ms * u64::from(real), domain_ms: ms * u64::from(domain) }
}

/// Replaces `{n}`, `{n+K}` and `{nnn}` by the number of the repeat.
fn filled(pattern: &str, at: usize) -> String {
    let mut text = String::new();
    let mut rest = pattern;
    while let Some((before, behind)) = rest.split_once("{n") {
        text.push_str(before);
        let (inner, after) = behind.split_once('}').expect("a closing brace");
        let width = 1 + inner.bytes().take_while(|b| *b == b'n').count();
        let plus = inner.trim_start_matches('n').trim_start_matches('+');
        let plus: usize = if plus.is_empty() { 0 } else { plus.parse().expect("{n+K}") };
        text.push_str(&format!("{:0width$}", at + plus));
        rest = after;
    }
    text + rest
}
