//! `mosquitto_pub` and `mosquitto_sub` in every QoS and all versions, over TCP, TLS and TLS with a
//! client certificate.
use e2e::foreign::{background, succeeds};
use e2e::server::Running;
use e2e::{Foreign, Mosquitto, Server, mosquitto};

const VERSIONS: [&str; 3] = ["mqttv31", "mqttv311", "mqttv5"];

/// `mosquitto_sub` for `count` messages, back when the server granted the subscription.
#[track_caller]
fn subscribed(server: &Server, by: Mosquitto, version: &str, words: &[&str]) -> Running {
    let tool = mosquitto("mosquitto_sub", server, by, version);
    // Into a pipe it would keep its lines until it ends.
    let mut command = std::process::Command::new("stdbuf");
    command.arg("-oL").arg(tool.get_program()).args(tool.get_args());
    command.args(["-d", "-W", "20", "-F", "MESSAGE %t %q %r %p"]).args(words);
    let running = background(command);
    while !running.line().starts_with("Subscribed") {}
    running
}

/// The next message: topic, QoS, retain flag, payload.
#[track_caller]
fn message(from: &Running) -> String {
    loop {
        if let Some(message) = from.line().strip_prefix("MESSAGE ") {
            return message.to_string();
        }
    }
}

fn every_qos(by: Mosquitto) {
    if !Foreign::Mosquitto.ready() {
        return;
    }
    let server = Server::new();
    for version in VERSIONS {
        for qos in ["0", "1", "2"] {
            let topic = format!("tools/{version}/{qos}");
            let words = ["-t", &topic, "-q", qos, "-C", "1"];
            let mut hearer = subscribed(&server, by, version, &words);
            let mut sender = mosquitto("mosquitto_pub", &server, by, version);
            sender.args(["-t", &topic, "-q", qos, "-m", "hello there"]);
            succeeds(sender);
            assert_eq!(message(&hearer), format!("{topic} {qos} 0 hello there"));
            assert!(hearer.ended().success());
        }
    }
}

#[test]
fn every_qos_over_tcp() {
    every_qos(Mosquitto::Tcp);
}

#[test]
fn every_qos_over_tls() {
    every_qos(Mosquitto::Tls);
}

#[test]
fn every_qos_over_tls_with_a_certificate() {
    every_qos(Mosquitto::Certificate);
}

#[test]
fn retained_and_wills() {
    if !Foreign::Mosquitto.ready() {
        return;
    }
    let server = Server::new();
    for version in VERSIONS {
        let (kept, will) = (format!("kept/{version}"), format!("will/{version}"));
        let mut keep = mosquitto("mosquitto_pub", &server, Mosquitto::Tcp, version);
        keep.args(["-t", &kept, "-q", "1", "-r", "-m", "kept"]);
        succeeds(keep);
        let words = ["-t", &kept, "-t", &will, "-q", "1", "-C", "2"];
        let hearer = subscribed(&server, Mosquitto::Tcp, version, &words);
        assert_eq!(message(&hearer), format!("{kept} 1 1 kept"));
        let words = ["-t", "none", "--will-topic", &will, "--will-payload", "gone"];
        let mut mortal = subscribed(
            &server,
            Mosquitto::Tls,
            version,
            &[&words[..], &["--will-qos", "1"]].concat(),
        );
        mortal.child.kill().unwrap();
        assert_eq!(message(&hearer), format!("{will} 1 0 gone"));
    }
}

#[test]
fn tls_with_a_wrong_password_is_refused() {
    if !Foreign::Mosquitto.ready() {
        return;
    }
    let server = Server::new();
    for version in VERSIONS {
        let mut sender = mosquitto("mosquitto_pub", &server, Mosquitto::Tls, version);
        sender.args(["-u", "anyone", "-P", "wrong", "-t", "a", "-m", "b"]);
        let output = sender.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
        let refused = said.contains("not authori") || said.contains("bad user name or password");
        assert!(!output.status.success() && refused, "{version}: {said}");
    }
}
