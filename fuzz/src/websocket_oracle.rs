//! RFC 6455 read in the plainest way: frame by frame from the whole input, for a server that takes
//! binary messages only. Naive on purpose: nothing of the code under test is used.

/// What a server hears and owes.
#[derive(Debug, Default)]
pub struct Heard {
    /// Payload of all data frames.
    pub payload: Vec<u8>,
    /// The latest ping's payload.
    pub pong: Option<Vec<u8>>,
    /// The close codes that may be said, `None` for a Close without one; nothing while open.
    pub close: Option<Vec<Option<u16>>>,
    /// The peer broke a rule.
    pub is_wrong: bool,
}

/// What a client hears.
#[derive(Debug, Default)]
pub struct Said {
    /// Payload of all data frames.
    pub payload: Vec<u8>,
    /// The latest pong's payload.
    pub pong: Option<Vec<u8>>,
    /// The Close frame and its code.
    pub close: Option<Option<u16>>,
}

/// A client's bytes.
pub fn hear(bytes: &[u8]) -> Heard {
    let mut heard = Heard::default();
    let mut rest = bytes;
    let mut fragmented = false;
    while let Some(&first) = rest.first() {
        let allowed = first_byte(first, fragmented);
        if !allowed.is_empty() {
            return wrong(heard, allowed);
        }
        let Some(&second) = rest.get(1) else { return heard };
        let opcode = first & 15;
        if second < 128 || (opcode >= 8 && second & 127 > 125) {
            return wrong(heard, vec![1002]);
        }
        let (at, length) = match second & 127 {
            126 => match rest.get(2..4) {
                Some(b) => (4, u64::from(u16::from_be_bytes([b[0], b[1]]))),
                None => return heard,
            },
            127 => match rest.get(2..10).and_then(|b| <[u8; 8]>::try_from(b).ok()) {
                Some(b) => (10, u64::from_be_bytes(b)),
                None => return heard,
            },
            short => (2, u64::from(short)),
        };
        let Some(mask) = rest.get(at..at + 4) else { return heard };
        // The shortest form (5.2), and no more than 63 bits.
        if (at == 4 && length < 126) || (at == 10 && !(65_536..1 << 63).contains(&length)) {
            return wrong(heard, vec![1002]);
        }
        let behind = &rest[at + 4..];
        let have = behind.len().min(usize::try_from(length).unwrap_or(usize::MAX));
        let payload: Vec<u8> =
            behind[..have].iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]).collect();
        let whole = have as u64 == length;
        rest = &behind[have..];
        if opcode < 8 {
            fragmented = first & 128 == 0;
            heard.payload.extend(payload);
        } else if whole && opcode == 9 {
            heard.pong = Some(payload);
        } else if whole && opcode == 8 {
            return closed(heard, &payload);
        }
    }
    heard
}

/// The close codes for a first byte that must not stand here; none when it may.
fn first_byte(first: u8, fragmented: bool) -> Vec<u16> {
    let fin = first & 128 != 0;
    match first & 127 {
        0 if fragmented => vec![],
        2 if !fragmented => vec![],
        // MQTT 5, 6.0.0-1; inside another message it is wrong twice.
        1 if fragmented => vec![1002, 1003],
        1 => vec![1003],
        8..=10 if fin => vec![],
        _ => vec![1002],
    }
}

fn wrong(heard: Heard, codes: Vec<u16>) -> Heard {
    let close = Some(codes.into_iter().map(Some).collect());
    Heard { close, is_wrong: true, ..heard }
}

/// 5.5.1: the code comes back; 7.4 and the registry say which there are.
fn closed(heard: Heard, payload: &[u8]) -> Heard {
    let [high, low, reason @ ..] = payload else {
        return match payload.len() {
            0 => Heard { close: Some(vec![None]), ..heard },
            _ => wrong(heard, vec![1002]),
        };
    };
    let code = u16::from_be_bytes([*high, *low]);
    let reserved = [1004, 1005, 1006].contains(&code) || (1015..3000).contains(&code);
    let bad_code = !(1000..5000).contains(&code) || reserved;
    match (bad_code, std::str::from_utf8(reason).is_err()) {
        (false, false) => Heard { close: Some(vec![Some(code)]), ..heard },
        (true, false) => wrong(heard, vec![1002]),
        (false, true) => wrong(heard, vec![1007]),
        (true, true) => wrong(heard, vec![1002, 1007]),
    }
}

/// A server's bytes; `None` if they are not whole frames in order, unmasked, nothing behind Close.
pub fn server_frames(bytes: &[u8]) -> Option<Said> {
    let mut said = Said::default();
    let mut rest = bytes;
    while let [first, second, ..] = rest {
        let (at, length) = match second {
            0..=125 => (2, usize::from(*second)),
            126 => (4, usize::from(u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]))),
            127 => (10, u64::from_be_bytes(rest.get(2..10)?.try_into().ok()?) as usize),
            _ => return None,
        };
        let payload = rest.get(at..at + length)?;
        if said.close.is_some() {
            return None;
        }
        match first {
            0x82 => said.payload.extend_from_slice(payload),
            0x8A => said.pong = Some(payload.to_vec()),
            0x88 => {
                said.close = Some(match payload {
                    [] => None,
                    [high, low, ..] => Some(u16::from_be_bytes([*high, *low])),
                    [_] => return None,
                });
            }
            _ => return None,
        }
        rest = &rest[at + length..];
    }
    rest.is_empty().then_some(said)
}

/// One frame of a client.
pub fn client_frames(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        n @ 0..=125 => out.push(128 | n as u8),
        n @ 126..=65_535 => {
            out.push(128 | 126);
            out.extend((n as u16).to_be_bytes());
        }
        n => {
            out.push(128 | 127);
            out.extend((n as u64).to_be_bytes());
        }
    }
    out.extend(mask);
    out.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6455, 5.7, as far as it concerns binary messages.
    #[test]
    fn the_examples_of_the_standard() {
        let hello = b"\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(hear(hello).payload, b"Hello");
        assert_eq!(client_frames(0x82, b"Hello", [0x37, 0xfa, 0x21, 0x3d]), hello);
        let ping = b"\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(hear(ping).pong.as_deref(), Some(&b"Hello"[..]));
        let text = hear(b"\x81\x85");
        assert_eq!((text.close, text.is_wrong), (Some(vec![Some(1003)]), true));
        assert_eq!(hear(b"\x88\x80\0\0\0\0").close, Some(vec![None]));
        assert_eq!(hear(b"\x88\x82\0\0\0\0\x03\xed").close, Some(vec![Some(1002)]));
        assert_eq!(server_frames(b"\x8a\x05Hello").and_then(|s| s.pong), Some(b"Hello".to_vec()));
        assert!(server_frames(b"\x88\x00\x82\x00").is_none());
    }
}
