//! Two reactors behave as one: clients of different homes hear each other.
use e2e::device::Device;
use e2e::raw::{Raw, connect, publish, subscribe};
use e2e::{Options, Server};
use serde_json::Value;

/// Enough names that both homes are used.
const CLIENTS: usize = 12;

fn two() -> Server {
    Server::start(&Options::with(&["--reactors", "2"]))
}

#[test]
fn everyone_hears_everyone() {
    let server = two();
    let mut clients: Vec<Raw> =
        (0..CLIENTS).map(|n| Raw::v5(&server, &format!("client-{n}"))).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        let filter = if n % 2 == 0 { "all/+" } else { "all/x" };
        client.send(&subscribe(1, filter, 1));
        assert_eq!(client.packet().0, 0x90);
    }
    for n in 0..CLIENTS {
        let load = [u8::try_from(n).unwrap()];
        let message = publish(0x32, "all/x", 7, Some(&[]), &load);
        clients[n].send(&message);
        for (hearer, client) in clients.iter_mut().enumerate() {
            // The sender's own copy and its PUBACK come in either order.
            let expected = if hearer == n { 2 } else { 1 };
            for _ in 0..expected {
                let (first, body) = client.packet();
                match first {
                    0x40 => assert_eq!(&body[..2], &[0, 7]),
                    _ => {
                        assert_eq!(body.last(), load.last(), "{hearer} hears {n}");
                        client.send(&e2e::raw::packet(0x40, &body[7..9]));
                    }
                }
            }
        }
    }
}

#[test]
fn order_holds_across_reactors() {
    let server = two();
    let mut hearers: Vec<Raw> = (0..4)
        .map(|n| {
            let mut raw = Raw::v5(&server, &format!("hearer-{n}"));
            raw.send(&subscribe(1, "order", 0));
            assert_eq!(raw.packet().0, 0x90);
            raw
        })
        .collect();
    let mut sender = Raw::v5(&server, "sender");
    let numbers: Vec<u16> = (0..500).collect();
    let bytes: Vec<u8> = numbers
        .iter()
        .flat_map(|n| publish(0x30, "order", 0, Some(&[]), &n.to_be_bytes()))
        .collect();
    sender.send(&bytes);
    for hearer in &mut hearers {
        for n in &numbers {
            let (_, body) = hearer.packet();
            assert_eq!(&body[body.len() - 2..], n.to_be_bytes());
        }
    }
}

#[test]
fn a_take_over_reaches_the_other_reactor() {
    let server = two();
    for n in 0..CLIENTS {
        let name = format!("same-{n}");
        let mut older = Raw::v5(&server, &name);
        let mut newer = Raw::v5(&server, &name);
        older.disconnected(0x8E);
        newer.ping();
    }
}

#[test]
fn a_session_is_found_from_any_connection() {
    let server = two();
    let expiry = [0x11, 0, 0, 14, 16];
    for n in 0..CLIENTS {
        let name = format!("durable-{n}");
        for (flags, present) in [(0, 0), (0, 1)] {
            let mut raw = Raw::open(&server);
            raw.send(&connect(5, flags, &name, &expiry));
            let (_, connack) = raw.packet();
            assert_eq!(&connack[..2], &[present, 0], "{name}");
            raw.send(&[0xE0, 0]);
            assert_eq!(raw.closed(), []);
        }
    }
}

#[test]
fn retained_messages_are_seen_from_every_reactor() {
    let server = two();
    let mut sender = Raw::v5(&server, "sender");
    sender.send(&publish(0x33, "kept", 1, Some(&[]), b"here"));
    assert_eq!(sender.packet().0, 0x40);
    for n in 0..CLIENTS {
        let mut raw = Raw::v5(&server, &format!("late-{n}"));
        raw.send(&subscribe(1, "kept", 0));
        assert_eq!(raw.packet().0, 0x90);
        assert_eq!(raw.packet().0, 0x31);
    }
}

/// A module is at home where its device is, which its name alone does not say.
#[test]
fn the_session_of_a_module_is_shown_and_ended() {
    let server = two();
    for n in 0..CLIENTS {
        let name = format!("device1/m{n}");
        let made = server.verb(&["device", "create", &name, "--json"]).output();
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        let key = made["authentication"]["symmetricKey"]["primaryKey"].as_str().unwrap();
        let mut device = Device::connect(&server, &name, key);
        let shown = server.verb(&["session", "show", &name, "--json"]).output();
        let text = String::from_utf8_lossy(&shown.stderr).into_owned();
        assert_eq!(shown.status.code(), Some(0), "{name}: {text}");
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        assert_eq!(shown["clientId"], *name);
        let ended = server.verb(&["session", "disconnect", &name]).output();
        assert_eq!(ended.status.code(), Some(0), "{name}");
        device.raw.disconnected(0x98);
    }
}
