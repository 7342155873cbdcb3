//! The verbs of the binary, as a user in a second terminal runs them.
use crate::accept::{connect, plain, publish};
use e2e::server::Folder;
use e2e::{Foreign, Server, Verb, paho};
use serde_json::{Value, json};
use std::process::Output;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_is_published_is_heard() {
    let server = Server::new();
    let words = ["subscribe", "cli/#", "other", "--qos", "1", "--json", "-n", "3"];
    let mut hearer = server.verb(&words).spawn();
    hearer.note("cli/#");
    let file = Folder::new();
    let path = file.path().join("body");
    std::fs::write(&path, "from a file").unwrap();
    let publishes: [&[&str]; 3] = [
        &["publish", "cli/a", "-m", "hello", "--qos", "1", "--property", "unit=C"],
        &["publish", "other", "-f", path.to_str().unwrap(), "--qos", "2"],
        &["publish", "cli/b", "-m", "last"],
    ];
    for words in publishes {
        let output = server.verb(words).output();
        assert_eq!(output.status.code(), Some(0), "{words:?}: {}", said(&output));
    }
    let lines: Vec<Value> = (0..3).map(|_| hearer.json()).collect();
    assert_eq!((&lines[0]["topic"], &lines[0]["payload"]), (&json!("cli/a"), &json!("hello")));
    assert_eq!(lines[0]["qos"], 1);
    assert!(lines[0]["properties"].to_string().contains("unit"), "{}", lines[0]);
    assert_eq!(lines[1]["payload"], "from a file");
    assert_eq!(lines[2]["topic"], "cli/b");
    assert_eq!(hearer.ended().code(), Some(0));
    assert_eq!(hearer.rest(), [""; 0], "nothing else on stdout");
}

#[test]
fn what_is_no_text_comes_as_base64() {
    if !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    let mut hearer = server.verb(&["subscribe", "raw", "--json", "-n", "1"]).spawn();
    hearer.note("raw");
    let path = "/mqtt/messages?api-version=2025-08-01-preview&topic=raw";
    e2e::curl::Curl::to(&server, path).post(&[0xFF, 0, 1]).send();
    let line = hearer.json();
    assert_eq!(line["payloadBase64"], "/wAB");
    assert!(line["payload"].is_null());
    assert!(hearer.ended().success());
}

#[test]
fn standard_input_and_retained() {
    use std::io::Write;
    let server = Server::new();
    let mut verb = server.verb(&["publish", "kept", "-", "--retain", "--qos", "1"]);
    verb.0.stdin(std::process::Stdio::piped());
    let mut child = verb.0.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"piped").unwrap();
    assert!(child.wait().unwrap().success());
    let hearer = server.verb(&["subscribe", "kept", "--json", "-n", "1"]).spawn();
    let line = hearer.json();
    assert_eq!((&line["payload"], &line["retain"]), (&json!("piped"), &json!(true)));
}

#[test]
fn a_second_terminal_needs_no_flags() {
    let server = Server::new();
    // Verbs look for `.gridhub` where they are and in the parents of that.
    let inside = server.data().parent().unwrap().join("a/b");
    std::fs::create_dir_all(&inside).unwrap();
    let output = Verb::new(&["publish", "simply", "-m", "works"]).within(&inside).output();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let folder = Folder::new();
    let nowhere = Verb::new(&["publish", "simply", "-m", "x"]).within(folder.path()).output();
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(said(&nowhere).contains("gridhub dev"), "it says what to do: {}", said(&nowhere));
}

#[test]
fn refusals_exit_with_1_and_usage_with_2() {
    let server = Server::new();
    let output = server.verb(&["publish", "a/#", "-m", "x", "--qos", "1"]).output();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("a/#"), "{}", said(&output));
    let reserved = server.verb(&["publish", "$SYS/x", "-m", "x", "--qos", "1"]).output();
    assert_eq!(reserved.status.code(), Some(1), "{}", said(&reserved));
    for words in [&["publish"][..], &["fly"], &["publish", "a", "--qos", "3"], &[]] {
        assert_eq!(Verb::new(words).output().status.code(), Some(2), "{words:?}");
    }
    assert_eq!(Verb::new(&["--version"]).output().status.code(), Some(0));
}

#[test]
fn subscribing_without_a_count_goes_on() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let hearer = server.verb(&["subscribe", "on", "--json"]).spawn();
    hearer.note("on");
    let mut sender = paho();
    connect(&mut sender, &plain(&server, 5, "sender"));
    for payload in ["1", "2", "3"] {
        publish(&mut sender, "on", payload, 0);
        assert_eq!(hearer.json()["payload"], payload);
    }
}

#[test]
fn configurations_are_checked_with_line_and_suggestion() {
    let folder = Folder::new();
    let check = |text: &str| {
        let file = folder.path().join("gridhub.toml");
        std::fs::write(&file, text).unwrap();
        Verb::new(&["config", "check", file.to_str().unwrap()]).output()
    };
    let good = check("[listeners]\nmqtt = [\"127.0.0.1:1883\"]\n");
    assert_eq!(good.status.code(), Some(0), "{}", said(&good));
    let misspelt = check("[namespace]\nprofil = \"open\"\n");
    assert_eq!(misspelt.status.code(), Some(1));
    let text = said(&misspelt);
    assert!(text.contains("gridhub.toml") && text.contains(":2"), "file and line: {text}");
    assert!(text.contains("profile"), "a suggestion: {text}");
    for wrong in ["profile = \"shut\"", "profile = 7", "profile = ", "[limits]\nnope = 1"] {
        let output = check(&format!("[namespace]\n{wrong}\n"));
        assert_eq!(output.status.code(), Some(1), "{wrong}: {}", said(&output));
    }
    let early = check("[namespace]\nprofile = \"iot-hub\"\n");
    assert_eq!(early.status.code(), Some(1));
    assert!(said(&early).contains("[hub]"), "{}", said(&early));
    let missing = Verb::new(&["config", "check", "nowhere.toml"]).within(folder.path()).output();
    assert_eq!(missing.status.code(), Some(1));
    assert!(said(&missing).contains("nowhere.toml"));
}

#[test]
fn tokens_and_certificates_are_made_offline() {
    let server = Server::new();
    let above = server.data().parent().unwrap();
    let token = Verb::new(&["token", "--name", "n", "--ttl", "5m"]).within(above).output();
    assert_eq!(token.status.code(), Some(0), "{}", said(&token));
    let text = String::from_utf8(token.stdout).unwrap();
    assert_eq!((text.lines().count(), text.trim().split('.').count()), (1, 3), "{text}");
    let out = above.join("out");
    let words = ["cert", "pump", "--out", out.to_str().unwrap(), "--json"];
    let made = Verb::new(&words).within(above).output();
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    for name in ["cert_file", "key_file"] {
        let text = std::fs::read_to_string(made[name].as_str().unwrap()).unwrap();
        assert!(text.starts_with("-----BEGIN"), "{name}");
    }
    for wrong in [&["token", "--ttl", "soon"][..], &["token", "--role", "king"]] {
        assert_eq!(Verb::new(wrong).within(above).output().status.code(), Some(2), "{wrong:?}");
    }
}
