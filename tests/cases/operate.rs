//! What an operator does from a second terminal: sessions looked at and ended, the log looked at,
//! copied while it is written, and put back elsewhere.
use crate::accept::subscribed;
use crate::watched::metric;
use e2e::curl::Curl;
use e2e::raw::{Raw, connect, packet, publish, subscribe};
use e2e::server::Folder;
use e2e::{Foreign, Options, Server, Verb, until};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a verb that succeeds prints.
#[track_caller]
fn told(server: &Server, words: &[&str]) -> String {
    let output = server.verb(words).output();
    assert_eq!(output.status.code(), Some(0), "{words:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn lines(server: &Server, words: &[&str]) -> Vec<Value> {
    told(server, words).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A client whose session lasts an hour, with a subscription at QoS 1.
fn keeper(server: &Server, client: &str, filter: &str) -> Raw {
    let mut raw = Raw::open(server);
    raw.send(&connect(5, 0, client, &[0x11, 0, 0, 14, 16]));
    assert_eq!(raw.packet().1[1], 0, "CONNACK");
    raw.send(&subscribe(1, filter, 1));
    subscribed(&mut raw, &[1]);
    raw
}

#[test]
fn sessions_are_listed_shown_disconnected_and_deleted() {
    let server = Server::new();
    let mut seen = keeper(&server, "plant 1/ä", "seen/#");
    let mut other = Raw::v5(&server, "other");
    let listed = lines(&server, &["session", "list", "--json"]);
    let ids: Vec<_> = listed.iter().map(|one| &one["clientId"]).collect();
    assert_eq!(ids, ["other", "plant 1/ä"]);
    assert_eq!(listed[1]["connected"], true);
    assert_eq!(listed[1]["subscriptions"], 1);
    let table = told(&server, &["session", "list"]);
    assert!(table.starts_with("CLIENT ID"), "{table}");
    assert!(table.contains("plant 1/ä") && table.lines().count() == 3, "{table}");

    assert_eq!(told(&server, &["session", "disconnect", "plant 1/ä"]), "");
    seen.disconnected(0x98);
    for id in 1..=3 {
        other.send(&publish(0x32, "seen/a", id, Some(&[]), b"kept"));
        assert_eq!(other.packet().0, 0x40, "PUBACK");
    }
    let shown = until("the session to be alone", || {
        let shown = lines(&server, &["session", "show", "plant 1/ä", "--json"]);
        (shown[0]["connected"] == false).then_some(shown)
    });
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0]["bounds"]["queueMessages"]["used"], 3);
    assert_eq!(shown[0]["subscriptions"], json!([{"filter": "seen/#", "qos": 1}]));
    let page = told(&server, &["session", "show", "plant 1/ä"]);
    assert!(page.contains("queueMessages         3 of 100000 (0 %)"), "{page}");
    assert!(page.contains("subscription          seen/# (QoS 1)"), "{page}");

    assert_eq!(told(&server, &["session", "delete", "plant 1/ä"]), "");
    assert_eq!(lines(&server, &["session", "list", "--json"]).len(), 1);
}

#[test]
fn session_verbs_say_why_they_are_refused() {
    let server = Server::new();
    for verb in ["show", "disconnect", "delete"] {
        let output = server.verb(&["session", verb, "nobody"]).output();
        assert_eq!(output.status.code(), Some(1), "{verb}: {}", said(&output));
        assert!(
            said(&output).contains("'nobody'") && output.stdout.is_empty(),
            "{}",
            said(&output)
        );
    }
    let token = server.verb(&["token", "--role", "subscriber"]).output().stdout;
    let token = String::from_utf8(token).unwrap();
    let output = server.verb(&["session", "list", "--token", token.trim()]).output();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("contributor"), "{}", said(&output));
    for words in
        [&["session"][..], &["session", "show"], &["session", "list", "--endpoint", "mqtts://h"]]
    {
        let output = server.verb(words).output();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", said(&output));
    }
    let folder = Folder::new();
    let output = Verb::new(&["session", "list"]).within(folder.path()).output();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("gridhub dev"), "{}", said(&output));
    // With endpoint, authority and token given, no data directory is needed.
    let (url, ca, token) = (server.url(), server.text("ca_file"), server.token());
    let words = ["session", "list", "--json", "--endpoint", &url, "--ca", &ca, "--token", &token];
    let output = Verb::new(&words).within(folder.path()).output();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn what_is_kept_and_how_the_log_does_is_shown() {
    if !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    let _keeper = keeper(&server, "keeper", "kept");
    let mut other = Raw::v5(&server, "other");
    other.send(&publish(0x32, "kept", 1, Some(&[]), b"x"));
    assert_eq!(other.packet().0, 0x40, "PUBACK");
    let shown = Curl::to(&server, "/admin/durability").send().json();
    assert_eq!((&shown["durability"], &shown["log"]["health"]), (&json!("disk"), &json!("well")));
    let log = server.data().join("log");
    assert_eq!(shown["log"]["directory"], log.to_str().unwrap());
    let last = shown["log"]["lastSequence"].as_u64().unwrap();
    assert!(last >= 3, "session, subscription, message: {shown}");
    let of = |name: &str| metric(&server, name, "");
    assert!(of("gridhub_log_records_total") >= 3.0);
    assert!(of("gridhub_log_commits_total") >= 1.0);
    assert!(of("gridhub_log_sync_seconds_count") >= of("gridhub_log_commits_total"));
    assert_eq!((of("gridhub_log_segments"), of("gridhub_log_health")), (1.0, 0.0));
    assert!(of("gridhub_log_bytes") > 0.0 && of("gridhub_log_refused_total") == 0.0);

    let server = Server::start(&Options::with(&["--ephemeral"]));
    let shown = Curl::to(&server, "/admin/durability").send().json();
    assert_eq!(shown, json!({"durability": "memory", "log": null}));
}

#[test]
fn a_second_start_of_dev_finds_what_the_first_acknowledged() {
    let folder = Folder::new();
    let data = folder.path().join(".gridhub");
    let mut server = Server::start(&Options::on(&data));
    keeper(&server, "keeper", "kept/#").drop_connection();
    let mut other = Raw::v5(&server, "other");
    for id in 1..=5 {
        other.send(&publish(0x32, "kept/a", id, Some(&[]), &[b'0' + id as u8]));
        assert_eq!(other.packet().0, 0x40, "PUBACK");
    }
    server.terminate();
    assert!(server.ended().success());
    let server = Server::start(&Options::on(&data));
    assert_eq!(waiting(&server, "keeper", 5), ["1", "2", "3", "4", "5"]);
}

/// The first payloads that wait for a session.
#[track_caller]
fn waiting(server: &Server, client: &str, count: usize) -> Vec<String> {
    let mut raw = Raw::open(server);
    raw.send(&connect(5, 0, client, &[0x11, 0, 0, 14, 16]));
    assert_eq!(raw.packet().1[..2], [1, 0], "CONNACK with the session");
    let mut payloads = Vec::new();
    while payloads.len() < count {
        let (first, body) = raw.packet();
        assert_eq!(first & 0xF6, 0x32, "PUBLISH at QoS 1: {first:02x} {body:02x?}");
        let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let (id, rest) = (&body[2 + topic..4 + topic], &body[4 + topic..]);
        payloads.push(String::from_utf8(rest[1 + usize::from(rest[0])..].to_vec()).unwrap());
        raw.send(&packet(0x40, id));
    }
    payloads
}

/// Publishes numbers at QoS 1 until it is told to stop; gives how many were acknowledged.
struct Load {
    acknowledged: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Load {
    fn start(server: &Server, topic: &'static str) -> Self {
        let mut raw = Raw::v5(server, "load");
        let (acknowledged, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, stopped) = (Arc::clone(&acknowledged), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut number = 0_usize;
            while !stopped.load(Ordering::Relaxed) {
                for id in 1..=AT_ONCE {
                    number += 1;
                    raw.send(&publish(0x32, topic, id, Some(&[]), number.to_string().as_bytes()));
                }
                for _ in 1..=AT_ONCE {
                    assert_eq!(raw.packet().0, 0x40, "PUBACK");
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Self { acknowledged, stop, thread }
    }

    fn reached(&self, count: usize) -> usize {
        until("acknowledgements", || {
            let now = self.acknowledged.load(Ordering::SeqCst);
            (now >= count).then_some(now)
        })
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

#[test]
fn a_backup_under_load_has_everything_acknowledged_before_it_began() {
    let server = Server::new();
    keeper(&server, "keeper", "load/#").drop_connection();
    let mut other = Raw::v5(&server, "other");
    other.send(&publish(0x33, "kept", 1, Some(&[]), b"retained"));
    assert_eq!(other.packet().0, 0x40, "PUBACK");
    let load = Load::start(&server, "load/a");
    let folder = Folder::new();
    let (file, data) = (folder.path().join("first.backup"), folder.path().join(".gridhub"));
    let before = load.reached(500);
    let made = lines(&server, &["backup", file.to_str().unwrap(), "--json"]);
    let during = load.acknowledged.load(Ordering::SeqCst);
    load.reached(during + 100);
    load.end();
    assert_eq!(made[0]["segments"], 1, "{made:?}");
    let words = ["restore", file.to_str().unwrap(), "--data", data.to_str().unwrap(), "--json"];
    let output = Verb::new(&words).output();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["sessions"], &told["retained"]), (&json!(1), &json!(1)), "{told}");
    drop(server);
    let restored = Server::start(&Options::on(&data));
    let expected: Vec<String> = (1..=before).map(|number| number.to_string()).collect();
    assert_eq!(waiting(&restored, "keeper", before), expected);
    // It goes on like any other: what is acknowledged now is found by the next start.
    let mut other = Raw::v5(&restored, "other");
    other.send(&publish(0x33, "kept/more", 1, Some(&[]), b"more"));
    assert_eq!(other.packet().0, 0x40, "PUBACK");
    drop(restored);
    let again = Server::start(&Options::on(&data));
    let mut hearer = Raw::v5(&again, "hearer");
    hearer.send(&subscribe(1, "kept/more", 1));
    subscribed(&mut hearer, &[1]);
    assert_eq!(hearer.packet().0 & 0xF1, 0x31, "the retained message");
}

#[test]
fn a_backup_without_a_server_and_refusals_of_a_restore() {
    let folder = Folder::new();
    let data = folder.path().join(".gridhub");
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let server = Server::start(&Options::on(&data));
    keeper(&server, "keeper", "kept/#").drop_connection();
    drop(server);
    let run = |words: &[&str]| Verb::new(words).within(folder.path()).output();
    let (whole, into) = (path("whole"), path("into"));
    let output = run(&["backup", &whole]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let mode = std::fs::metadata(&whole).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "messages are for the owner alone");
    let again = run(&["backup", &whole]);
    assert_eq!(again.status.code(), Some(1));
    assert!(said(&again).contains("there already"), "{}", said(&again));

    let bytes = std::fs::read(&whole).unwrap();
    let bad = path("bad");
    let mut garbled = bytes.clone();
    garbled[100] ^= 1;
    let cut = bytes.len() - 5;
    for (content, why) in [
        (&bytes[..cut], "cut off"),
        (&garbled[..], "checksum"),
        (&b"no backup at all, but long enough"[..], "no backup"),
        (&[][..], "offset 0"),
    ] {
        std::fs::write(&bad, content).unwrap();
        let output = run(&["restore", &bad, "--data", &into]);
        let why_not = said(&output);
        assert_eq!(output.status.code(), Some(1), "{why}: {why_not}");
        assert!(why_not.contains(why) && why_not.contains(&bad), "{why}: {why_not}");
        assert!(why_not.contains("at offset"), "{why_not}");
        assert!(!std::path::Path::new(&into).exists(), "a refusal leaves nothing behind");
    }
    // Neither over other data, nor under a server.
    let output = run(&["restore", &whole, "--data", &path(".gridhub")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("not empty"), "{}", said(&output));
    let output = run(&["restore", &whole, "--data", &into]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let output = run(&["restore", &whole, "--data", &into]);
    assert_eq!(output.status.code(), Some(1), "once is enough");

    let server = Server::start(&Options::with(&["--ephemeral"]));
    let (url, ca, token) = (server.url(), server.text("ca_file"), server.token());
    let words = ["backup", &path("none"), "--endpoint", &url, "--ca", &ca, "--token", &token];
    let output = run(&words);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("durability"), "{}", said(&output));
    assert!(!folder.path().join("none").exists() && !folder.path().join("none.part").exists());
}

const AT_ONCE: u16 = 20;
