//! How it ends: everyone is told, the exit status is 0, and in time.
use crate::accept::{connect, plain, tls, with};
use e2e::raw::{Raw, publish, subscribe};
use e2e::{Foreign, Options, Server, paho};
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn sigterm_tells_v5_clients_and_exits_with_0() {
    if !Foreign::Paho.ready() {
        return;
    }
    let mut server = Server::new();
    let (mut new, mut old, mut secure) = (paho(), paho(), paho());
    connect(&mut new, &plain(&server, 5, "new"));
    connect(&mut old, &plain(&server, 4, "old"));
    let credential = json!({"user": "x", "password": server.token()});
    connect(&mut secure, &with(tls(&server, 5, "secure"), credential));
    let start = Instant::now();
    server.terminate();
    for client in [&mut new, &mut secure] {
        let answer = client.ask(&json!({"do": "closed"}));
        assert_eq!((&answer["reason"], &answer["by_packet"]), (&json!(0x8B), &json!(true)));
    }
    assert_eq!(old.ask(&json!({"do": "closed"}))["by_packet"], false);
    let status = server.ended();
    assert_eq!(status.code(), Some(0), "{}", server.said().join("\n"));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_planned_stop_sends_no_will() {
    if !Foreign::Paho.ready() {
        return;
    }
    let mut server = Server::new();
    let (mut mortal, mut watcher) = (paho(), paho());
    let will = json!({"will": {"topic": "will", "payload": "gone", "qos": 1}});
    connect(&mut mortal, &with(plain(&server, 5, "mortal"), will));
    connect(&mut watcher, &plain(&server, 5, "watcher"));
    crate::accept::subscribe(&mut watcher, "will", 1);
    server.terminate();
    assert_eq!(watcher.ask(&json!({"do": "closed"}))["reason"], 0x8B);
    assert_eq!(watcher.ask(&json!({"do": "quiet"}))["waiting"], 0);
    assert!(server.ended().success());
}

#[test]
fn sigterm_right_behind_the_ready_line_is_heard() {
    for _ in 0..5 {
        let mut server = Server::start(&Options::with(&["--ephemeral"]));
        server.terminate();
        assert_eq!(server.ended().code(), Some(0), "{}", server.said().join("\n"));
    }
}

#[test]
fn sigterm_in_the_middle_of_a_flood_ends_in_time() {
    let mut server = Server::start(&Options::with(&["--reactors", "2"]));
    let mut hearers: Vec<Raw> = (0..4)
        .map(|n| {
            let mut raw = Raw::v5(&server, &format!("hearer-{n}"));
            raw.send(&subscribe(1, "flood/#", 0));
            assert_eq!(raw.packet().0, 0x90);
            raw
        })
        .collect();
    let burst: Vec<u8> = (1..=200_u16)
        .flat_map(|id| publish(0x32, &format!("flood/{}", id % 7), id, Some(&[]), &[b'x'; 100]))
        .collect();
    let senders: Vec<Raw> = (0..4).map(|n| Raw::v5(&server, &format!("sender-{n}"))).collect();
    let (started, begun) = std::sync::mpsc::channel();
    let status = std::thread::scope(|scope| {
        for mut sender in senders {
            let (burst, started) = (&burst, started.clone());
            scope.spawn(move || {
                loop {
                    sender.send(burst);
                    for _ in 0..200 {
                        match sender.receive() {
                            Some((0x40, _)) => {}
                            // A goodbye, or a close with bytes of ours still under way.
                            Some((first, body)) => {
                                return assert_eq!((first, body[0]), (0xE0, 0x8B));
                            }
                            None => return,
                        }
                    }
                    // The test may have what it waits for already.
                    let _ = started.send(());
                }
            });
        }
        for hearer in &mut hearers {
            scope.spawn(move || hearer.disconnected(0x8B));
        }
        for _ in 0..12 {
            begun.recv_timeout(e2e::DEADLINE).expect("the flood runs");
        }
        let start = Instant::now();
        server.terminate();
        let status = server.ended();
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        status
    });
    assert_eq!(status.code(), Some(0), "{}", server.said().join("\n"));
}
