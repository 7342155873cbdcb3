//! Frames as RFC 6455 draws them, whole and in pieces of every size.

use super::*;
use crate::reason::Reason;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame as a client sends it, its length in as few bytes as it takes.
fn client(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        n @ 0..=125 => frame.push(0x80 | n as u8),
        n @ 126..=0xFFFF => {
            frame.push(0x80 | 126);
            frame.extend((n as u16).to_be_bytes());
        }
        n => {
            frame.push(0x80 | 127);
            frame.extend((n as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// All MQTT bytes of `bytes`, which come in pieces of `size`.
fn decoded(framing: &mut Framing, bytes: &[u8], size: usize) -> Vec<u8> {
    let mut mqtt = Vec::new();
    for piece in bytes.chunks(size) {
        let mut piece = piece.to_vec();
        let n = framing.decode(&mut piece);
        mqtt.extend_from_slice(&piece[..n]);
    }
    mqtt
}

/// All that goes to the socket when `mqtt` waits and the socket takes `step` bytes at a time.
fn written(framing: &mut Framing, mut mqtt: &[u8], step: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let (bytes, ours) = match framing.next(mqtt) {
            Next::Nothing => return out,
            Next::Frame(bytes) => (bytes, true),
            Next::Mqtt(bytes) => (bytes, false),
        };
        let n = bytes.len().min(step);
        out.extend_from_slice(&bytes[..n]);
        framing.wrote(n);
        if !ours {
            mqtt = &mqtt[n..];
        }
    }
}

#[test]
fn the_example_of_the_standard() {
    // RFC 6455, 5.7, as a binary frame.
    let mut bytes = *b"\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    let n = Framing::new().decode(&mut bytes);
    assert_eq!(&bytes[..n], b"Hello");
}

#[test]
fn frame_boundaries_mean_nothing() {
    let large: Vec<u8> = (0..70_000_u32).map(|n| n as u8).collect();
    let stream = [
        client(0x02, b"one packet in "),
        client(0x89, b"ping"),
        client(0x00, b""),
        client(0x8A, b"a pong nobody asked for"),
        client(0x80, b"two frames; "),
        client(0x82, b""),
        client(0x82, &[b'x'; 125]),
        client(0x82, &[b'y'; 126]),
        client(0x82, &large),
        client(0x82, b"end"),
    ];
    let mut want = b"one packet in two frames; ".to_vec();
    want.extend([b'x'; 125]);
    want.extend([b'y'; 126]);
    want.extend(&large);
    want.extend(b"end");
    for size in [1, 2, 3, 7, 13, 64, 1_000, 4_096, usize::MAX] {
        let mut framing = Framing::new();
        assert!(decoded(&mut framing, &stream.concat(), size) == want, "pieces of {size}");
        assert_eq!(framing.end(), None);
        assert_eq!(written(&mut framing, b"", 1), b"\x8a\x04ping", "pieces of {size}");
    }
}

#[test]
fn violations() {
    let close = |payload: &[u8]| client(0x88, payload);
    let rows: [(&str, Vec<u8>, u16); 23] = [
        ("no mask", b"\x82\x05Hello".to_vec(), 1002),
        ("no mask, nothing in it", b"\x82\x00".to_vec(), 1002),
        ("no mask on a ping", b"\x89\x00".to_vec(), 1002),
        ("reserved bit 1 (compression)", client(0xC2, b"x"), 1002),
        ("reserved bit 2", client(0xA2, b"x"), 1002),
        ("reserved bit 3", client(0x92, b"x"), 1002),
        ("text", client(0x81, b"x"), 1003),
        ("text that is not finished", client(0x01, b"x"), 1003),
        ("opcode 3", client(0x83, b"x"), 1002),
        ("opcode 7", client(0x87, b"x"), 1002),
        ("opcode 11", client(0x8B, b"x"), 1002),
        ("opcode 15", client(0x8F, b"x"), 1002),
        ("a ping in fragments", client(0x09, b"x"), 1002),
        ("a close in fragments", client(0x08, b""), 1002),
        ("a long ping", client(0x89, &[0; 126]), 1002),
        ("a continuation of nothing", client(0x80, b"x"), 1002),
        ("a message inside a message", [client(0x02, b""), client(0x82, b"")].concat(), 1002),
        ("125 in two bytes", b"\x82\xfe\x00\x7d\0\0\0\0".to_vec(), 1002),
        ("65,535 in eight", b"\x82\xff\0\0\0\0\0\0\xff\xff\0\0\0\0".to_vec(), 1002),
        ("the top bit", b"\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0".to_vec(), 1002),
        ("half a close code", close(b"\x03"), 1002),
        ("close code 1005", close(b"\x03\xed"), 1002),
        ("a reason that is no UTF-8", close(b"\x03\xe8\xff"), 1007),
    ];
    for (name, bytes, code) in rows {
        for size in [1, usize::MAX] {
            let mut framing = Framing::new();
            let all = [client(0x82, b"before"), bytes.clone(), client(0x82, b"behind")].concat();
            assert_eq!(decoded(&mut framing, &all, size), b"before", "{name}");
            let Some(End::Wrong(wrong)) = framing.end() else { panic!("{name}: no end") };
            assert_eq!(wrong.reason, Reason::PROTOCOL_ERROR, "{name}");
            // What the broker would say instead comes too late.
            framing.close(Code::Normal);
            let [high, low] = code.to_be_bytes();
            assert_eq!(written(&mut framing, b"", 1), [0x88, 2, high, low], "{name}");
        }
    }
}

#[test]
fn an_impossible_frame_is_found_at_its_first_wrong_byte() {
    for bytes in [&b"\x81"[..], b"\x82\x05", b"\x89\xfe", b"\x0a"] {
        let mut framing = Framing::new();
        framing.decode(&mut bytes.to_vec());
        assert!(framing.end().is_some(), "{bytes:02x?}");
    }
}

#[test]
fn a_frame_of_any_length_is_streamed() {
    let mut framing = Framing::new();
    let mut head = b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0".to_vec();
    assert_eq!(framing.decode(&mut head), 0);
    for _ in 0..1_000 {
        assert_eq!(framing.decode(&mut [7; 1_000]), 1_000);
    }
    assert_eq!(framing.end(), None);
}

#[test]
fn close_is_echoed_behind_what_waits_and_ends_both_ways() {
    for (payload, want) in [(&b""[..], &b"\x88\0"[..]), (b"\x0f\xa0why", b"\x88\x02\x0f\xa0")] {
        let mut framing = Framing::new();
        let bytes = [client(0x88, payload), client(0x82, b"late"), client(0x89, b"")].concat();
        assert_eq!(decoded(&mut framing, &bytes, 3), b"");
        assert_eq!(framing.end(), Some(End::Closed));
        assert!(framing.is_waiting());
        let out = written(&mut framing, b"\xe0\0", 1);
        assert_eq!(out, [b"\x82\x02\xe0\0", want].concat());
        assert!(!framing.is_waiting());
        assert_eq!(framing.next(b"later"), Next::Nothing);
    }
}

#[test]
fn what_goes_out_is_framed_whatever_the_socket_takes() {
    let lengths = [(1, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)];
    for (length, header) in lengths {
        let mqtt = vec![0x5A; length];
        for step in [1, 3, 1_000, usize::MAX] {
            let out = written(&mut Framing::new(), &mqtt, step);
            assert_eq!(out.len(), header + length, "{length} in steps of {step}");
            assert_eq!(out[0], 0x82);
            let told = match header {
                2 => u64::from(out[1]),
                4 => u64::from(u16::from_be_bytes([out[2], out[3]])),
                _ => u64::from_be_bytes(out[2..10].try_into().unwrap()),
            };
            assert_eq!((told, &out[header..]), (length as u64, &mqtt[..]));
        }
    }
    let out = written(&mut Framing::new(), &vec![1; 100_000], 999);
    assert_eq!(out.len(), 10 + 65_536 + 4 + 34_464, "a long queue goes in several frames");
}

#[test]
fn a_pong_waits_for_the_end_of_a_frame_and_only_the_latest_ping_is_answered() {
    let mut framing = Framing::new();
    assert!(matches!(framing.next(b"abc"), Next::Frame(_)));
    framing.wrote(2);
    assert_eq!(framing.next(b"abc"), Next::Mqtt(b"abc"));
    framing.wrote(1);
    framing.decode(&mut client(0x89, b"first"));
    framing.decode(&mut client(0x89, &[b'p'; 125]));
    assert!(framing.is_waiting());
    // More bytes wait meanwhile: they are of the next frame.
    let out = written(&mut framing, b"bcdef", 50);
    let pong = [&b"\x8a\x7d"[..], &[b'p'; 125]].concat();
    assert_eq!(out, [b"bc", &pong[..], b"\x82\x03def"].concat());
    assert!(!framing.is_waiting());
}

#[test]
fn a_server_closes_once_and_last() {
    let mut framing = Framing::new();
    framing.close(Code::GoingAway);
    framing.close(Code::Normal);
    assert_eq!(written(&mut framing, b"bye", 2), b"\x82\x03bye\x88\x02\x03\xe9");
    // The peer's answer is heard and not answered again.
    framing.decode(&mut client(0x88, b"\x03\xe9"));
    assert_eq!(framing.end(), Some(End::Closed));
    assert_eq!(written(&mut framing, b"", 9), b"");
    assert!(!framing.is_waiting());
}
