//! MQTT over WebSocket with frames by hand: shapes that clients send, and shapes that none should.
use crate::accept::problem;
use e2e::raw::{Raw, packet, publish, string, subscribe};
use e2e::site::Site;
use e2e::websocket::{WebSocket, connect, first, frame, handshake, large, request};
use e2e::{Options, Server};
use std::time::{Duration, Instant};

fn reactors(count: &str) -> Server {
    Server::start(&Options::with(&["--reactors", count]))
}

/// A client that hears everything.
#[track_caller]
fn hearer(server: &Server, client_id: &str) -> WebSocket {
    let mut socket = WebSocket::v5(server, client_id);
    socket.send(&subscribe(1, "#", 0));
    assert_eq!(socket.packet().0, 0x90);
    socket
}

/// A CONNECT with a will `gone` on topic `will`.
fn connect_with_will(server: &Server, client_id: &str) -> Vec<u8> {
    let strings = [string("will"), string("gone"), string("any"), string(&server.token())];
    let begin = [&string("MQTT")[..], &[5, 0xC6, 0, 60, 0], &string(client_id), &[0]].concat();
    packet(0x10, &[begin, strings.concat()].concat())
}

/// The payload of the next PUBLISH of QoS 0 without properties.
#[track_caller]
fn payload(socket: &mut WebSocket, topic: &str) -> Vec<u8> {
    let (first, body) = socket.packet();
    assert_eq!(first & 0xFE, 0x30);
    let named = string(topic);
    assert!(body.starts_with(&named), "{body:02x?}");
    body[named.len() + 1..].to_vec()
}

#[test]
fn three_paths_and_their_queries() {
    let server = Server::new();
    for path in ["/mqtt", "/", "/$iothub/websocket", "/$iothub/websocket?iothub-no-client-cert=1"] {
        let mut socket = WebSocket::open(&server, path);
        socket.send(&connect(&server, "one"));
        assert_eq!(socket.packet().0, 0x20, "{path}");
        socket.ping();
    }
}

#[test]
fn one_byte_a_frame() {
    let server = reactors("2");
    let packets =
        [connect(&server, "bytes"), subscribe(1, "a", 0), publish(0x30, "a", 0, Some(&[]), b"x")];
    // Whole messages of one byte, and one message in frames of one byte with pings in between.
    for whole in [true, false] {
        let mut socket = WebSocket::open(&server, "/mqtt");
        for packet in &packets {
            for (n, byte) in packet.iter().enumerate() {
                let opcode = match n {
                    _ if whole => first::BINARY,
                    0 => first::BEGIN,
                    n if n + 1 == packet.len() => first::END,
                    _ => first::MIDDLE,
                };
                socket.write(&frame(opcode, &[*byte]));
                if n == 1 {
                    socket.write(&frame(first::PING, packet.get(..3).expect("longer")));
                }
            }
        }
        assert_eq!(socket.packet().0, 0x20);
        assert_eq!(socket.packet().0, 0x90);
        assert_eq!(payload(&mut socket, "a"), b"x");
        socket.ping();
        assert_eq!(socket.pongs.last().map(Vec::as_slice), packets[2].get(..3));
    }
}

#[test]
fn several_packets_in_a_frame_and_a_packet_over_several() {
    let server = Server::new();
    let mut socket = WebSocket::open(&server, "/mqtt");
    let first = publish(0x30, "a", 0, Some(&[]), b"1");
    let second = publish(0x30, "a", 0, Some(&[]), b"2");
    let (begin, end) = second.split_at(3);
    let all = [connect(&server, "many"), subscribe(1, "a", 0), first, begin.to_vec()].concat();
    socket.send(&all);
    assert_eq!(socket.packet().0, 0x20);
    assert_eq!(socket.packet().0, 0x90);
    assert_eq!(payload(&mut socket, "a"), b"1");
    socket.send(&[end, &[0xC0, 0]].concat());
    assert_eq!(payload(&mut socket, "a"), b"2");
    assert_eq!(socket.packet(), (0xD0, vec![]));
}

#[test]
fn large_messages_go_both_ways() {
    let server = reactors("2");
    let mut hearer = hearer(&server, "hearer");
    let mut sender = WebSocket::v5(&server, "sender");
    for bytes in [125, 126, 65_535, 65_536, 300_000] {
        sender.send(&large("big", bytes));
        assert!(payload(&mut hearer, "big") == vec![b'x'; bytes], "{bytes}");
    }
}

#[test]
fn wrong_frames_are_answered_by_disconnect_and_close() {
    let server = Server::new();
    let unmasked = vec![first::BINARY, 2, 0xC0, 0];
    let rows = [
        (unmasked, 1002, "mask"),
        (frame(first::TEXT, b"text"), 1003, "text"),
        (frame(0xC2, b"x"), 1002, "reserved"),
        (frame(0x83, b"x"), 1002, "opcode"),
        (frame(first::PING, &[0; 126]), 1002, "125"),
        (frame(0x09, b"x"), 1002, "fragments"),
        (frame(first::MIDDLE, b"x"), 1002, "continuation"),
        (vec![first::BINARY, 0xFE, 0, 2, 0, 0, 0, 0, 0xC0, 0], 1002, "length"),
        (frame(first::CLOSE, &[3, 0xED]), 1002, "close code"),
        (frame(first::CLOSE, &[3, 0xE8, 0xFF]), 1007, "UTF-8"),
    ];
    for (bytes, code, why) in rows {
        let mut socket = WebSocket::v5(&server, "wrong");
        // What came in front of it counts.
        socket.write(&[frame(first::BINARY, &[0xC0, 0]), bytes].concat());
        assert_eq!(socket.packet(), (0xD0, vec![]));
        let (packets, closed) = socket.end();
        assert_eq!(closed, Some(code), "{why}");
        let [(0xE0, body)] = &packets[..] else { panic!("{why}: {packets:02x?}") };
        assert_eq!(body[0], 0x82, "{why}");
        // Behind the reason and the length of the properties.
        assert!(problem(&body[2..]).contains(why), "{why}: {}", problem(&body[2..]));
    }
    let mut early = WebSocket::open(&server, "/mqtt");
    early.write(&frame(first::TEXT, b"text"));
    assert_eq!(early.end(), (vec![], Some(1003)));
}

#[test]
fn wrong_packets_close_with_1002() {
    let server = Server::new();
    let mut socket = WebSocket::v5(&server, "wrong");
    socket.send(&[0x36, 0]);
    let (packets, code) = socket.end();
    assert_eq!((packets[0].0, packets[0].1[0], code), (0xE0, 0x81, Some(1002)));
}

#[test]
fn close_is_echoed_and_counts_as_lost() {
    let server = Server::new();
    let mut watcher = hearer(&server, "watcher");
    let codes = [(&[][..], None), (&[3, 0xE8], Some(1000)), (&[0x0F, 0xA0, b'!'], Some(4000))];
    for (close, code) in codes {
        let mut mortal = WebSocket::open(&server, "/mqtt");
        mortal.send(&connect_with_will(&server, "mortal"));
        assert_eq!(mortal.packet().0, 0x20);
        mortal.write(&[frame(first::CLOSE, close), frame(first::BINARY, &[0xC0, 0])].concat());
        assert_eq!(mortal.end(), (vec![], code));
        assert_eq!(payload(&mut watcher, "will"), b"gone");
    }
}

#[test]
fn disconnect_closes_with_1000() {
    let server = Server::new();
    // With a Close of the client's behind it, as most send it, and without.
    for close in [vec![], frame(first::CLOSE, &[3, 0xE9])] {
        let mut socket = WebSocket::v5(&server, "leaver");
        let echoed = if close.is_empty() { 1000 } else { 1001 };
        socket.write(&[frame(first::BINARY, &[0xE0, 0]), close].concat());
        assert_eq!(socket.end(), (vec![], Some(echoed)));
    }
}

#[test]
fn a_whole_life_in_one_write_is_lived() {
    let server = reactors("2");
    let mut watcher = hearer(&server, "watcher");
    for n in 0..8 {
        let connect = connect_with_will(&server, &format!("short-{n}"));
        let said = publish(0x30, "said", 0, Some(&[]), &[n]);
        let mut socket = WebSocket::open(&server, "/mqtt");
        // Close is there before CONNECT has its answer: what stands in front of it still counts.
        let mqtt = frame(first::BINARY, &[connect, said, vec![0xE0, 0]].concat());
        socket.write(&[mqtt, frame(first::CLOSE, &[3, 0xE8])].concat());
        let (packets, code) = socket.end();
        assert_eq!((packets.len(), packets[0].0, code), (1, 0x20, Some(1000)));
        // No will comes between.
        assert_eq!(payload(&mut watcher, "said"), [n]);
    }
}

#[test]
fn what_the_server_ends_is_told_in_both_languages() {
    let server = reactors("2");
    let mut older = WebSocket::v5(&server, "same");
    let newer = WebSocket::v5(&server, "same");
    let (packets, code) = older.end();
    assert_eq!((packets[0].1[0], code), (0x8E, Some(1000)));
    drop(newer);
    let mut stranger = WebSocket::open(&server, "/mqtt");
    stranger.send(&e2e::raw::connect(5, 2, "stranger", &[]));
    let (packets, code) = stranger.end();
    assert_eq!((packets[0].0, packets[0].1[1], code), (0x20, 0x87, Some(1000)), "no anonymous");
}

#[test]
fn a_silent_client_is_closed_by_keep_alive() {
    let server = Server::new();
    let mut socket = WebSocket::open(&server, "/mqtt");
    let mut bytes = connect(&server, "silent");
    let keep_alive = bytes.windows(2).position(|w| w == [0, 60]).expect("it is there");
    bytes[keep_alive + 1] = 1;
    socket.send(&bytes);
    assert_eq!(socket.packet().0, 0x20);
    // A WebSocket's ping is no MQTT packet.
    socket.write(&frame(first::PING, b""));
    let (packets, code) = socket.end();
    assert_eq!((packets[0].0, packets[0].1[0], code), (0xE0, 0x8D, Some(1000)));
}

#[test]
fn a_planned_stop_says_1001() {
    let mut server = reactors("2");
    let mut clients: Vec<_> = (0..4).map(|n| WebSocket::v5(&server, &format!("c{n}"))).collect();
    let mut opening = WebSocket::open(&server, "/mqtt");
    server.terminate();
    for client in &mut clients {
        let (packets, code) = client.end();
        assert_eq!((packets[0].0, packets[0].1[0], code), (0xE0, 0x8B, Some(1001)));
    }
    assert_eq!(opening.end(), (vec![], Some(1001)));
    assert_eq!(server.ended().code(), Some(0), "{}", server.said().join("\n"));
}

#[test]
fn one_deadline_covers_tls_handshake_and_connect() {
    let deadline = Duration::from_secs(2);
    let site = Site::new();
    let server = site.serve(&site.configure("", "limits.connect_deadline_s = 2"));
    // Accepted now, a WebSocket only when its time is up.
    let mut late = WebSocket::tls(&server);
    let mut silent = WebSocket::open(&server, "/mqtt");
    silent.write(&frame(first::PING, b"I am here"));
    assert_eq!(silent.end(), (vec![], Some(1000)));
    let asked = Instant::now();
    late.write(handshake("/mqtt", "").as_bytes());
    assert_eq!(late.answer().status, 101);
    assert_eq!(late.end(), (vec![], Some(1000)));
    assert!(asked.elapsed() < deadline, "{:?}", asked.elapsed());
}

#[test]
fn bytes_that_come_with_the_upgrade_are_not_lost() {
    for count in ["1", "2"] {
        let server = reactors(count);
        for n in 0..8 {
            let name = format!("early-{n}");
            let frames = [
                frame(first::BINARY, &connect(&server, &name)),
                frame(first::PING, b"early"),
                frame(first::BINARY, &subscribe(1, "a", 0)),
                frame(first::BINARY, &publish(0x30, "a", 0, Some(&[]), &[n])),
            ]
            .concat();
            let all = [handshake("/mqtt", "").as_bytes(), &frames].concat();
            // All at once; then cut in the middle of a frame.
            for cut in [all.len(), all.len() - frames.len() + 9, all.len() - 3] {
                let mut socket = WebSocket::tls(&server);
                socket.write(&all[..cut]);
                assert_eq!(socket.answer().status, 101);
                socket.write(&all[cut..]);
                assert_eq!(socket.packet().0, 0x20, "{name} {cut}");
                assert_eq!(socket.packet().0, 0x90);
                assert_eq!(payload(&mut socket, "a"), [n]);
                socket.ping();
                assert_eq!(socket.pongs, [b"early"]);
            }
        }
    }
}

#[test]
fn a_tls_record_cut_by_the_hand_over_is_not_lost() {
    let server = reactors("2");
    for n in 0..8 {
        let mut socket = WebSocket::tls(&server);
        let connect = frame(first::BINARY, &connect(&server, &format!("cut-{n}")));
        let rest = socket.write_cut(handshake("/mqtt", "").as_bytes(), &connect, 20 + 30 * n);
        assert_eq!(socket.answer().status, 101);
        socket.write_tcp(&rest);
        assert_eq!(socket.packet().0, 0x20);
        socket.ping();
    }
}

#[test]
fn homes_on_every_reactor() {
    for count in ["1", "2"] {
        let server = reactors(count);
        let mut hearers: Vec<_> = (0..6).map(|n| hearer(&server, &format!("ws-{n}"))).collect();
        let mut plain = Raw::v5(&server, "plain");
        plain.send(&subscribe(1, "#", 0));
        assert_eq!(plain.packet().0, 0x90);
        for n in 0..hearers.len() {
            let load = [u8::try_from(n).unwrap()];
            hearers[n].send(&publish(0x30, "all", 0, Some(&[]), &load));
            for hearer in &mut hearers {
                assert_eq!(payload(hearer, "all"), load);
            }
            assert_eq!(plain.packet().1.last(), Some(&load[0]));
        }
    }
}

#[test]
fn handshakes_that_are_none() {
    let server = Server::new();
    let version = "sec-websocket-version: 13\r\n";
    let protocol = |name: &str| format!("{version}sec-websocket-protocol: {name}\r\n");
    let rows = [
        (request("/mqtt", version), 400, "must offer 'mqtt'"),
        (request("/mqtt", &protocol("chat")), 400, "must offer 'mqtt'"),
        (request("/", &protocol("mqttv3.1")), 400, "MQTT 3.1, which is not served"),
        (request("/mqtt", "sec-websocket-protocol: mqtt\r\n"), 426, "must be 13"),
        (handshake("/mqtt", "").replace("version: 13", "version: 8"), 426, "must be 13"),
        (handshake("/mqtt", "").replace("dGhl", ""), 400, "16 bytes"),
        (handshake("/elsewhere", ""), 404, "/elsewhere"),
        ("GET /mqtt HTTP/1.1\r\nhost: localhost\r\n\r\n".into(), 426, "Upgrade: websocket"),
    ];
    // One connection: it stays HTTP until a handshake is right.
    let mut socket = WebSocket::tls(&server);
    for (bytes, status, why) in rows {
        socket.write(bytes.as_bytes());
        let answer = socket.answer();
        assert_eq!(answer.status, status, "{why}: {answer:?}");
        assert!(answer.body.contains(why), "{why}: {answer:?}");
        let names_13 = answer.head.contains("sec-websocket-version: 13\r\n");
        assert_eq!(names_13, status == 426, "{answer:?}");
    }
    let offers = handshake("/mqtt", "sec-websocket-extensions: permessage-deflate\r\n");
    socket.write(offers.replace("protocol: mqtt", "protocol: chat, mqtt").as_bytes());
    let answer = socket.answer();
    assert_eq!(answer.status, 101);
    // RFC 6455, 1.3.
    for line in [
        "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n",
        "sec-websocket-protocol: mqtt\r\n",
        "upgrade: websocket\r\n",
        "x-ms-request-id: ",
    ] {
        assert!(answer.head.contains(line), "{line}: {answer:?}");
    }
    assert!(!answer.head.contains("extensions"), "{answer:?}");
    socket.send(&connect(&server, "late"));
    assert_eq!(socket.packet().0, 0x20);
}
