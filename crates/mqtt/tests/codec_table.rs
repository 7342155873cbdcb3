//! Each row of `codec/*.txt`: bytes, and the packet or what is wrong with it. A row that decodes
//! is also encoded again.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::fmt::Write as _;
use std::path::PathBuf;

use mqtt::limits::PACKET_BYTES_MAX;
use mqtt::wire::{Packet, Properties, ProtocolName, Version, decode, frame, frame_v31};

#[test]
fn fixed_header_rows() {
    check("frame");
}

#[test]
fn connect_rows() {
    check("connect");
}

#[test]
fn connack_rows() {
    check("connack");
}

#[test]
fn publish_rows() {
    check("publish");
}

#[test]
fn acknowledgement_rows() {
    check("ack");
}

#[test]
fn subscribe_and_unsubscribe_rows() {
    check("subscribe");
}

#[test]
fn disconnect_and_auth_rows() {
    check("disconnect");
}

/// Every packet of the tables, cut anywhere: never a panic, and incomplete until its last byte.
#[test]
fn a_packet_is_incomplete_until_its_last_byte() {
    for table in TABLES {
        for row in rows(table).iter().filter(|row| row.result.starts_with("ok")) {
            for cut in 0..row.bytes.len().min(400) {
                assert_eq!(frame(&row.bytes[..cut], row.max), Ok(None), "{}", row.name);
            }
        }
    }
}

/// A repeat of MQTT 3.1 has DUP set where later versions forbid it.
#[test]
fn mqtt_31_repeats_with_dup() {
    for (repeat, plain) in [(0x6A, 0x62), (0x8A, 0x82), (0xAA, 0xA2)] {
        assert!(frame(&[repeat, 2, 0, 1], 100).is_err());
        let bytes = [repeat, 2, 0, 1];
        let found = frame_v31(&bytes, 100).unwrap().unwrap();
        assert_eq!((found.first, found.body, found.len), (plain, &[0, 1][..], 4));
        assert_eq!(frame_v31(&[repeat], 100), Ok(None));
        assert!(frame_v31(&[repeat, 2, 0, 1], 3).is_err(), "bounds hold");
    }
    for wrong in [0x60, 0x80, 0x6B, 0x4A, 0xC8, 0x00] {
        assert!(frame_v31(&[wrong, 2, 0, 1], 100).is_err(), "{wrong:02x}");
    }
}

struct Row {
    name: String,
    version: Version,
    canonical: bool,
    max: usize,
    bytes: Vec<u8>,
    result: String,
}

fn check(table: &str) {
    let rows = rows(table);
    if std::env::var_os("BLESS").is_some() {
        return bless(table, &rows);
    }
    let mut wrong = String::new();
    for row in &rows {
        let seen = outcome(row);
        if seen != row.result {
            writeln!(wrong, "{}\n  wanted {}\n  seen   {seen}", row.name, row.result).unwrap();
        }
        encodes_again(row);
    }
    assert!(wrong.is_empty(), "{table}:\n{wrong}");
}

fn outcome(row: &Row) -> String {
    let found = match frame(&row.bytes, row.max) {
        Ok(None) => return "more".to_owned(),
        Ok(Some(found)) => found,
        Err(wrong) => return failure(wrong),
    };
    assert_eq!(found.len, row.bytes.len(), "{}: the row is one packet", row.name);
    match decode(found, row.version) {
        Ok(packet) => format!("ok {}", summary(&packet)),
        Err(wrong) => failure(wrong),
    }
}

fn failure(wrong: mqtt::error::Wrong) -> String {
    format!("err {:02X} {}: {}", wrong.reason.code(), wrong.clause, wrong.what)
}

fn encodes_again(row: &Row) {
    let Ok(Some(found)) = frame(&row.bytes, row.max) else { return };
    let Ok(packet) = decode(found, row.version) else { return };
    let mut once = Vec::new();
    packet.encode(row.version, PACKET_BYTES_MAX, &mut once).unwrap();
    if row.canonical {
        assert_eq!(once, row.bytes, "{}: encodes to the same bytes", row.name);
    }
    let found = frame(&once, PACKET_BYTES_MAX).unwrap().unwrap();
    let again = decode(found, row.version).unwrap();
    let mut twice = Vec::new();
    again.encode(row.version, PACKET_BYTES_MAX, &mut twice).unwrap();
    assert_eq!(once, twice, "{}: our own form is stable", row.name);
}

fn summary(packet: &Packet<'_>) -> String {
    let name = packet.name();
    let properties =
        |p: Properties<'_>| p.iter().map(|property| format!(" {property:?}")).collect::<String>();
    match packet {
        Packet::Connect(c) => {
            let will = c.will.as_ref().map_or(String::new(), |w| {
                let retain = if w.retain { " retain" } else { "" };
                let payload = text(w.payload);
                let props = properties(w.properties);
                format!(" will({:?} QoS {}{retain} {payload}{props})", w.topic, w.qos.bits())
            });
            let clean = if c.clean_start { " clean" } else { "" };
            let user = c.user_name.map_or(String::new(), |u| format!(" user {u:?}"));
            let password = c.password.map_or(String::new(), |p| format!(" password {}", text(p)));
            let (id, keep, props) = (c.client_id, c.keep_alive, properties(c.properties));
            let old = if c.name == ProtocolName::MqIsdp { " MQIsdp" } else { "" };
            format!(
                "{name} {:?}{old} {id:?}{clean} keep {keep}{will}{user}{password}{props}",
                c.version
            )
        }
        Packet::ConnAck(c) => {
            let present = if c.session_present { " session" } else { "" };
            format!("{name}{present} {}{}", c.reason, properties(c.properties))
        }
        Packet::Publish(p) => {
            let flags = [(p.dup, " DUP"), (p.retain, " RETAIN"), (p.has_subscription_id, " ids")];
            let flags: String = flags.iter().filter(|f| f.0).map(|f| f.1).collect();
            let id = p.packet_id.map_or(String::new(), |id| format!(" #{}", id.get()));
            let (topic, qos) = (text(p.topic.as_bytes()), p.qos.bits());
            let props = properties(p.properties);
            format!("{name} {topic} QoS {qos}{id}{flags} {}{props}", text(p.payload))
        }
        Packet::PubAck(a) | Packet::PubRec(a) | Packet::PubRel(a) | Packet::PubComp(a) => {
            format!("{name} #{} {}{}", a.packet_id.get(), a.reason, properties(a.properties))
        }
        Packet::Subscribe(s) => {
            let mut line = format!("{name} #{}{}", s.packet_id.get(), properties(s.properties));
            for f in s.filters.iter() {
                let (o, wrong) = (f.options, f.filter.err());
                let marks = [(o.no_local, " nl"), (o.retain_as_published, " rap")];
                let marks: String = marks.iter().filter(|m| m.0).map(|m| m.1).collect();
                let (qos, handling) = (o.qos.bits(), o.retain_handling);
                write!(line, " ({:?} {qos}{marks} {handling:?}", f.text).unwrap();
                line += &wrong.map_or(")".to_owned(), |wrong| format!(" {wrong:?})"));
            }
            line
        }
        Packet::Unsubscribe(u) => {
            let mut line = format!("{name} #{}{}", u.packet_id.get(), properties(u.properties));
            for (filter, parsed) in u.filters.iter() {
                write!(line, " {filter:?}").unwrap();
                line += &parsed.err().map_or(String::new(), |wrong| format!(" {wrong:?}"));
            }
            line
        }
        Packet::SubAck(mqtt::wire::SubAck { packet_id, reasons, properties: p })
        | Packet::UnsubAck(mqtt::wire::UnsubAck { packet_id, reasons, properties: p }) => {
            format!("{name} #{} {reasons:02X?}{}", packet_id.get(), properties(*p))
        }
        Packet::Disconnect(d) => format!("{name} {}{}", d.reason, properties(d.properties)),
        Packet::Auth(a) => format!("{name} {}{}", a.reason, properties(a.properties)),
        Packet::PingReq | Packet::PingResp => name.to_owned(),
    }
}

fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.len() <= 60 => format!("{text:?}"),
        _ if bytes.len() <= 60 => format!("{bytes:02X?}"),
        _ => format!("<{} bytes>", bytes.len()),
    }
}

fn path(table: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/codec", &format!("{table}.txt")].iter().collect()
}

fn rows(table: &str) -> Vec<Row> {
    let lines = std::fs::read_to_string(path(table)).unwrap();
    lines.lines().filter(|line| is_row(line)).map(parse_row).collect()
}

fn is_row(line: &str) -> bool {
    !line.starts_with('#') && !line.trim().is_empty()
}

fn parse_row(line: &str) -> Row {
    let columns: Vec<&str> = line.splitn(4, '|').map(str::trim).collect();
    let [name, how, bytes, result] = columns[..] else { panic!("four columns: {line}") };
    let (version, max) = how.split_once("max=").unwrap_or((how, ""));
    Row {
        name: name.to_owned(),
        version: if version.starts_with('4') { Version::V311 } else { Version::V5 },
        canonical: !version.contains('~'),
        max: max.parse().unwrap_or(PACKET_BYTES_MAX),
        bytes: assemble(bytes),
        result: result.to_owned(),
    }
}

fn bless(table: &str, rows: &[Row]) {
    let lines = std::fs::read_to_string(path(table)).unwrap();
    let mut rows = rows.iter();
    let mut out = String::new();
    for line in lines.lines() {
        if is_row(line) {
            let columns: Vec<&str> = line.splitn(4, '|').collect();
            let seen = outcome(rows.next().unwrap());
            writeln!(out, "{}| {seen}", columns[..3].iter().fold(String::new(), join)).unwrap();
        } else {
            writeln!(out, "{line}").unwrap();
        }
    }
    std::fs::write(path(table), out).unwrap();
}

fn join(mut line: String, column: &&str) -> String {
    if !line.is_empty() {
        line.push('|');
    }
    line + column
}

/// The little language of `codec/README.md`.
fn assemble(source: &str) -> Vec<u8> {
    let mut open: Vec<(char, Vec<u8>)> = vec![(' ', Vec::new())];
    let mut rest = source.trim_start();
    while let Some(next) = rest.chars().next() {
        rest = match next {
            '{' | '[' => {
                open.push((next, Vec::new()));
                &rest[1..]
            }
            '}' | ']' => {
                let (kind, inner) = open.pop().unwrap();
                let outer = &mut open.last_mut().unwrap().1;
                match kind {
                    '{' => outer.extend(varint(inner.len())),
                    _ => outer.extend((inner.len() as u16).to_be_bytes()),
                }
                outer.extend(inner);
                &rest[1..]
            }
            '"' | '\'' => {
                let (inner, behind) = rest[1..].split_once(next).unwrap();
                let outer = &mut open.last_mut().unwrap().1;
                if next == '"' {
                    outer.extend((inner.len() as u16).to_be_bytes());
                }
                outer.extend(inner.as_bytes());
                behind
            }
            _ => {
                let (word, behind) = rest.split_once(' ').unwrap_or((rest, ""));
                let (digits, times) = word.split_once('*').unwrap_or((word, "1"));
                let bytes = hex(digits).repeat(times.parse().unwrap());
                open.last_mut().unwrap().1.extend(bytes);
                behind
            }
        }
        .trim_start();
    }
    assert_eq!(open.len(), 1, "blocks are closed: {source}");
    open.pop().unwrap().1
}

fn hex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2), "pairs of digits: {digits}");
    let pairs = (0..digits.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = (value % 128) as u8;
        value /= 128;
        out.push(if value > 0 { low | 0x80 } else { low });
        if value == 0 {
            return out;
        }
    }
}

const TABLES: [&str; 7] =
    ["frame", "connect", "connack", "publish", "ack", "subscribe", "disconnect"];
