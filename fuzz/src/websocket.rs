//! WebSocket framing: a client's frames in any pieces against a plain reading of RFC 6455, and
//! what the server writes against the same. Refuses to know the handshake.

use mqtt::websocket::{Code, End, Framing, Next};

use crate::choices::Choices;
use crate::websocket_oracle::{Heard, client_frames, hear, server_frames};

/// First byte: raw bytes, or frames made of the rest; then what the socket gave.
pub fn check(data: &[u8]) {
    let mut choices = Choices::new(data);
    let how = choices.byte();
    let bytes = match how % 3 {
        0 => choices.rest().to_vec(),
        _ => frames(&mut choices),
    };
    reads(&bytes, usize::from(how));
    writes(&bytes, usize::from(how));
}

/// Proper frames for the most part: header fields by choice, payload from what is left.
fn frames(c: &mut Choices<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    while !c.is_empty() {
        let first = c.pick(FIRST);
        let first = if c.one_in(16) { c.byte() } else { first };
        let length = match c.below(16) {
            0 => 0,
            15 => c.below(256) + 126,
            n => n,
        };
        let mut payload = c.take(length.min(60)).to_vec();
        if first & 0x0F == 8 && c.one_in(2) {
            let code = c.pick(&[1000u16, 1001, 1005, 2999, 3000]);
            payload.splice(..payload.len().min(2), code.to_be_bytes());
        }
        payload.resize(payload.len().max(length.min(300)), b'x');
        let masked = if c.one_in(32) { 0 } else { 0x80 };
        out.push(first);
        let n = payload.len();
        // Sometimes a length in more bytes than it needs.
        let width = if c.one_in(32) { 8 } else { 0 };
        match n {
            0..=125 if width == 0 => out.push(masked | n as u8),
            126.. if width == 0 => {
                out.push(masked | 126);
                out.extend((n as u16).to_be_bytes());
            }
            _ => {
                out.push(masked | 127);
                out.extend((n as u64).to_be_bytes());
            }
        }
        let mask = [c.byte(), c.byte(), 3, 4];
        if masked != 0 {
            out.extend(mask);
        }
        out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    }
    out
}

/// Any pieces give the same, and that is what the oracle hears.
fn reads(bytes: &[u8], how: usize) {
    let wanted = hear(bytes);
    for piece in [bytes.len().max(1), 1, 2, 3 + how % 13] {
        let mut framing = Framing::new();
        let mut mqtt = Vec::new();
        for part in bytes.chunks(piece) {
            let mut part = part.to_vec();
            let was_over = framing.end().is_some();
            let n = framing.decode(&mut part);
            assert!(n <= part.len() && !(was_over && n > 0), "nothing is heard behind the end");
            mqtt.extend_from_slice(&part[..n]);
        }
        assert_eq!(mqtt, wanted.payload, "pieces of {piece}: {bytes:02X?}");
        ends(&framing, &wanted);
        let said = server_frames(&written(&mut framing, &[], 5)).expect("whole frames");
        assert!(said.payload.is_empty());
        assert_eq!(said.pong, wanted.pong, "the latest ping is answered (5.5.3)");
        match (said.close, &wanted.close) {
            (None, None) => {}
            (Some(code), Some(allowed)) => {
                assert!(allowed.contains(&code), "{code:?} of {allowed:?}: {bytes:02X?}");
            }
            (said, wanted) => panic!("Close {said:?}, not {wanted:?}: {bytes:02X?}"),
        }
    }
}

fn ends(framing: &Framing, wanted: &Heard) {
    match (framing.end(), wanted.close.is_some(), wanted.is_wrong) {
        (None, false, _) | (Some(End::Closed), true, false) => {}
        (Some(End::Wrong(wrong)), true, true) => {
            assert!(
                wrong.clause.starts_with("RFC 6455, ") || wrong.clause.starts_with("MQTT 5, 6")
            );
        }
        (end, ..) => panic!("{end:?}, not {wanted:?}"),
    }
}

/// What is written in any pieces is frames of exactly those bytes; a client's frames of them are
/// read back as the same bytes.
fn writes(mqtt: &[u8], how: usize) {
    let mut framing = Framing::new();
    let mut ping = client_frames(0x89, b"p", [1, 2, 3, 4]);
    assert_eq!(framing.decode(&mut ping), 0);
    framing.close(Code::GoingAway);
    let bytes = written(&mut framing, mqtt, 1 + how % 70);
    let said = server_frames(&bytes).expect("whole frames");
    assert_eq!((&*said.payload, said.close), (mqtt, Some(Some(1001))));
    assert_eq!(said.pong.as_deref(), Some(&b"p"[..]));
    assert!(!framing.is_waiting() && framing.next(b"more") == Next::Nothing);
    let mut back = client_frames(0x82, mqtt, [how as u8, 0, 9, 255]);
    let n = Framing::new().decode(&mut back);
    assert_eq!(&back[..n], mqtt);
}

/// Everything that goes to a socket which takes `step` bytes at a time.
fn written(framing: &mut Framing, mut mqtt: &[u8], step: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let (n, ours) = match framing.next(mqtt) {
            Next::Nothing => return out,
            Next::Frame(bytes) | Next::Mqtt(bytes) if bytes.is_empty() => {
                panic!("nothing to write is said as Nothing")
            }
            Next::Frame(bytes) => {
                let n = bytes.len().min(step);
                out.extend_from_slice(&bytes[..n]);
                (n, true)
            }
            Next::Mqtt(bytes) => {
                let n = bytes.len().min(step);
                out.extend_from_slice(&bytes[..n]);
                (n, false)
            }
        };
        framing.wrote(n);
        if !ours {
            mqtt = &mqtt[n..];
        }
    }
}

const FIRST: &[u8] = &[0x82, 0x82, 0x02, 0x00, 0x80, 0x89, 0x8A, 0x88, 0x81, 0xC2, 0x09];
