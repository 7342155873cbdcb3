//! What happened, as a hash that two runs of a seed must share, and as lines for people.

use mqtt::wire::{Packet, Version, decode, frame};
use std::fmt::Write;

/// The hash of everything so far and, if wanted, its lines.
pub(crate) struct Trace {
    hash: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    pub fn new(wanted: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, lines: wanted.then(Vec::new) }
    }

    /// Something that happened; the line is made only if somebody wants it.
    pub fn note(&mut self, what: &[usize], line: impl FnOnce() -> String) {
        for n in what {
            self.mix(*n as u64);
        }
        if let Some(lines) = &mut self.lines {
            lines.push(line());
        }
    }

    /// Bytes that went between a shard and a connection.
    pub fn bytes(&mut self, step: u64, who: &str, v: Version, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
        let Some(lines) = &mut self.lines else { return };
        let mut at = 0;
        while let Ok(Some(f)) = frame(&bytes[at..], usize::MAX) {
            let said = decode(f, v).map_or_else(|e| format!("{e:?}"), |p| describe(&p));
            lines.push(format!("{step:>6} {who} {said}"));
            at += f.len;
        }
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    pub fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }

    fn mix(&mut self, word: u64) {
        self.hash = (self.hash ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
    }
}

/// A packet in one line.
fn describe(p: &Packet<'_>) -> String {
    let mut s = p.name().to_owned();
    // Writing to a String cannot fail.
    let _ = match p {
        Packet::Connect(c) => {
            let will = c.will.map(|w| (w.topic, w.qos.bits(), w.retain, w.delay_s));
            write!(
                s,
                " {:?} id={} clean={} keep={} expiry={:?} recv={:?} max={:?} will={will:?}",
                c.version,
                c.client_id,
                c.clean_start,
                c.keep_alive,
                c.session_expiry,
                c.receive_max,
                c.packet_max
            )
        }
        Packet::ConnAck(c) => write!(s, " {:#04x} present={}", c.reason.code(), c.session_present),
        Packet::Publish(p) => {
            let id = p.packet_id.map_or(0, |id| id.get());
            let text = String::from_utf8_lossy(&p.payload[..p.payload.len().min(12)]);
            let ids: Vec<_> = p.properties.subscription_ids().collect();
            write!(
                s,
                " q{} id={id} dup={} retain={} '{}' alias={} expiry={:?} ids={ids:?} {text} ({})",
                p.qos.bits(),
                u8::from(p.dup),
                u8::from(p.retain),
                p.topic,
                p.alias,
                p.expiry,
                p.payload.len()
            )
        }
        Packet::PubAck(a) | Packet::PubRec(a) | Packet::PubRel(a) | Packet::PubComp(a) => {
            write!(s, " id={} {:#04x}", a.packet_id.get(), a.reason.code())
        }
        Packet::Subscribe(x) => {
            let all: Vec<_> =
                x.filters.iter().map(|r| (r.text, r.options.bits(Version::V5))).collect();
            write!(s, " id={} sub-id={:?} {all:x?}", x.packet_id.get(), x.subscription_id)
        }
        Packet::SubAck(x) => write!(s, " id={} {:x?}", x.packet_id.get(), x.reasons),
        Packet::Unsubscribe(x) => {
            let all: Vec<_> = x.filters.iter().map(|(text, _)| text).collect();
            write!(s, " id={} {all:?}", x.packet_id.get())
        }
        Packet::UnsubAck(x) => write!(s, " id={} {:x?}", x.packet_id.get(), x.reasons),
        Packet::Disconnect(d) => write!(s, " {:#04x} {:?}", d.reason.code(), d.session_expiry),
        Packet::Auth(a) => write!(s, " {:#04x}", a.reason.code()),
        Packet::PingReq | Packet::PingResp => Ok(()),
    };
    s
}
