//! What an operator does from a second terminal: sessions looked at and ended.
use crate::accept::subscribed;
use e2e::raw::{Raw, connect, publish, subscribe};
use e2e::server::Folder;
use e2e::{Server, Verb, until};
use serde_json::{Value, json};
use std::process::Output;

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
