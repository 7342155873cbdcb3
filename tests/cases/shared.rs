//! Shared subscriptions (MQTT 5, 4.8.2) with clients that others wrote, on one reactor and on two.
use crate::accept::{connect, payloads, plain, publish, subscribe, subscribed};
use e2e::foreign::background;
use e2e::raw::{self, Raw};
use e2e::{Foreign, Mosquitto, Options, Server, javascript, mosquitto, paho};
use std::collections::BTreeSet;

fn server(words: &[&str]) -> Server {
    Server::start(&Options::with(words))
}

fn work_is_shared(reactors: &str) {
    if !(Foreign::Paho.ready() && Foreign::MqttJs.ready() && Foreign::Mosquitto.ready()) {
        return;
    }
    let server = server(&["--reactors", reactors]);
    let filter = "$share/workers/work/#";
    let (mut python, mut js, mut sender) = (paho(), javascript(), paho());
    connect(&mut python, &plain(&server, 5, "python"));
    connect(&mut js, &plain(&server, 4, "js"));
    connect(&mut sender, &plain(&server, 5, "sender"));
    subscribe(&mut python, filter, 1);
    subscribe(&mut js, filter, 2);
    let tool = mosquitto("mosquitto_sub", &server, Mosquitto::Tcp, "mqttv5");
    // Into a pipe it would keep its lines until it ends.
    let mut command = std::process::Command::new("stdbuf");
    command.arg("-oL").arg(tool.get_program()).args(tool.get_args());
    command.args(["-d", "-W", "20", "-F", "MESSAGE %p", "-t", filter, "-q", "1", "-C", "10"]);
    let mut tool = background(command);
    while !tool.line().starts_with("Subscribed") {}
    for n in 0..30 {
        publish(&mut sender, "work/a", &n.to_string(), 1);
    }
    let mut all = BTreeSet::new();
    let mut shares = [payloads(&mut python, 10), payloads(&mut js, 10), Vec::new()];
    while shares[2].len() < 10 {
        shares[2].extend(tool.line().strip_prefix("MESSAGE ").map(str::to_owned));
    }
    assert!(tool.ended().success());
    for share in shares {
        let numbers: Vec<u32> = share.iter().map(|p| p.parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "each member gets them in order: {numbers:?}");
        all.extend(numbers);
    }
    assert_eq!(all, (0..30).collect(), "each message to one member");
}

#[test]
fn work_is_shared_on_one_reactor() {
    work_is_shared("1");
}

#[test]
fn work_is_shared_on_two_reactors() {
    work_is_shared("2");
}

#[test]
fn what_a_member_did_not_acknowledge_goes_to_another() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = server(&["--reactors", "2"]);
    let mut mortal = Raw::v5(&server, "mortal");
    mortal.send(&raw::subscribe(1, "$share/g/job", 1));
    subscribed(&mut mortal, &[1]);
    let mut heir = paho();
    connect(&mut heir, &plain(&server, 5, "heir"));
    subscribe(&mut heir, "$share/g/job", 1);
    let mut sender = Raw::v5(&server, "sender");
    for n in 0..4 {
        sender.send(&raw::publish(0x32, "job", n + 1, Some(&[]), n.to_string().as_bytes()));
        assert_eq!(sender.packet().0, 0x40);
    }
    let held: Vec<u8> = (0..2).map(|_| *mortal.packet().1.last().unwrap()).collect();
    assert_eq!(held, *b"02");
    mortal.drop_connection();
    assert_eq!(payloads(&mut heir, 4), ["1", "3", "0", "2"]);
}

#[test]
fn a_publish_that_follows_the_suback_finds_the_member() {
    let server = server(&["--reactors", "2"]);
    let mut members: Vec<Raw> = (0..4).map(|n| Raw::v5(&server, &format!("member-{n}"))).collect();
    let mut senders: Vec<Raw> = (0..4).map(|n| Raw::v5(&server, &format!("sender-{n}"))).collect();
    for n in 0..400_usize {
        let (member, sender) = (&mut members[n % 4], &mut senders[n / 4 % 4]);
        member.send(&raw::subscribe(1, &format!("$share/g{n}/first/{}", n % 3), 0));
        subscribed(member, &[0]);
        let topic = format!("first/{}", n % 3);
        sender.send(&raw::publish(0x32, &topic, 1, Some(&[]), &n.to_be_bytes()));
        let (first, body) = sender.packet();
        assert_eq!((first, body), (0x40, vec![0, 1]), "{n}: somebody hears it");
        assert!(member.packet().1.ends_with(&n.to_be_bytes()), "{n}");
        let unsubscribe = [&[0, 2, 0][..], &raw::string(&format!("$share/g{n}/first/{}", n % 3))];
        member.send(&raw::packet(0xA2, &unsubscribe.concat()));
        assert_eq!(member.packet(), (0xB0, vec![0, 2, 0, 0]), "{n}");
    }
}

#[test]
fn both_profiles_have_them_and_event_grid_for_mqtt_5_only() {
    for (profile, in_v311) in [("open", true), ("event-grid", false)] {
        let server = server(&["--profile", profile]);
        let mut new = Raw::open(&server);
        new.send(&raw::connect(5, 2, "new", &[]));
        let (_, connack) = new.packet();
        // Shared Subscription Available is 1 when it is absent (MQTT 5, 3.2.2.3.13).
        assert!(!connack.contains(&0x2A), "{profile}: {connack:02x?}");
        for (filter, reason) in [("$share/g/work/#", 1), ("$share/g", 0x8F), ("$share/+/w", 0x8F)] {
            new.send(&raw::subscribe(1, filter, 1));
            subscribed(&mut new, &[reason]);
        }
        let mut old = Raw::v311(&server, "old");
        old.send(&raw::subscribe_v311(2, "$share/g/work/#", 1));
        if in_v311 {
            assert_eq!(old.packet(), (0x90, vec![0, 2, 1]));
        } else {
            assert!(old.closed().is_empty(), "no packet says why in 3.1.1");
        }
    }
}
