//! What an operator sees: `$SYS`, moving figures, and a log that says why without secrets.
use crate::accept::subscribed;
use e2e::curl::Curl;
use e2e::raw::{Raw, connect, connect_with, publish, subscribe};
use e2e::site::Site;
use e2e::tls::Proof;
use e2e::token::Signer;
use e2e::{Foreign, Server, until};
use serde_json::Value;

#[test]
fn server_topics_are_read_by_all_and_written_by_none() {
    let server = Server::new();
    let mut raw = Raw::v5(&server, "curious");
    for topic in ["uptime", "version", "clients/connected", "messages/received"] {
        raw.send(&subscribe(1, &format!("$SYS/broker/{topic}"), 0));
        subscribed(&mut raw, &[0]);
        let (first, body) = raw.packet();
        // Retained, or live when the first figures are just being published.
        assert!([0x30, 0x31].contains(&first), "{first:#x}");
        assert!(String::from_utf8_lossy(&body).contains(topic), "{body:02x?}");
    }
    for topic in ["$SYS/broker/uptime", "$SYS/x", "$gridhub/events/x"] {
        raw.send(&publish(0x33, topic, 2, Some(&[]), b"mine"));
        let (first, body) = raw.packet();
        assert_eq!((first, &body[..3]), (0x40, &[0, 2, 0x87][..]), "{topic}");
    }
    let mut old = Raw::v311(&server, "old");
    old.send(&publish(0x30, "$SYS/broker/uptime", 0, None, b"mine"));
    assert_eq!(old.closed(), []);
}

#[test]
fn server_topics_follow_what_happens() {
    let site = Site::new();
    let config = site.configure(
        "sys.interval = \"20ms\"",
        "auth.anonymous = \"loopback\"\n\
         topicSpaces = [{ name = \"all\", properties.topicTemplates = [\"#\"] }]\n\
         permissionBindings = [{ name = \"hear\", properties = { clientGroupName = \"$all\", \
         topicSpaceName = \"all\", permission = \"Subscriber\" } }]\n",
    );
    let server = site.serve(&config);
    let mut raw = Raw::v5(&server, "watcher");
    raw.send(&subscribe(1, "$SYS/broker/clients/connected", 0));
    subscribed(&mut raw, &[0]);
    let mut wait_for = |figure: &[u8]| {
        let told = (0..5_000).any(|_| raw.packet().1.ends_with(figure));
        assert!(told, "never {}", String::from_utf8_lossy(figure));
    };
    wait_for(b"1");
    let others = [Raw::v5(&server, "a"), Raw::v5(&server, "b")];
    wait_for(b"3");
    drop(others);
    wait_for(b"1");
}

/// The sum over the labels of a metric whose line has `label`.
pub fn metric(server: &Server, name: &str, label: &str) -> f64 {
    let text = Curl::anonymous(server, "/metrics").send().text();
    let lines = text.lines().filter(|l| l.split(['{', ' ']).next() == Some(name));
    let fitting = lines.filter(|l| l.contains(label));
    let values: Vec<f64> = fitting.filter_map(|l| l.rsplit(' ').next()?.parse().ok()).collect();
    assert!(!values.is_empty(), "no {name} with {label} in\n{text}");
    values.iter().sum()
}

#[test]
fn metrics_move_with_what_happens() {
    if !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    let rows: [(&str, &str, f64); 13] = [
        ("connections", "", 1.0),
        ("sessions", "", 1.0),
        ("subscriptions", "", 1.0),
        ("successful_connects_total", "MQTT5", 1.0),
        ("failed_connects_total", "", 1.0),
        ("successful_subscription_operations_total", "", 1.0),
        ("failed_subscription_operations_total", "", 1.0),
        ("successful_published_messages_total", "qos=\"0\"", 1.0),
        ("successful_published_messages_total", "qos=\"1\"", 3.0),
        ("successful_delivered_messages_total", "", 2.0),
        ("denied_publishes_total", "", 1.0),
        ("protocol_errors_total", "", 1.0),
        ("retained_messages_count", "", 1.0),
    ];
    let name = |short: &str| format!("gridhub_mqtt_{short}");
    let read = || rows.map(|(short, label, _)| metric(&server, &name(short), label));
    // `$SYS` retains figures of its own; they are there before the first look.
    let mut raw = Raw::v5(&server, "sys");
    raw.send(&subscribe(1, "$SYS/broker/bytes/sent", 0));
    subscribed(&mut raw, &[0]);
    raw.packet();
    raw.send(&[0xE0, 0]);
    raw.closed();
    until("the quiet", || (metric(&server, &name("sessions"), "") == 0.0).then_some(()));
    let before = read();

    let mut raw = Raw::v5(&server, "counted");
    raw.send(&subscribe(1, "counted", 1));
    subscribed(&mut raw, &[1]);
    raw.send(&subscribe(1, "counted/#/x", 1));
    subscribed(&mut raw, &[0x8F]);
    raw.send(&publish(0x30, "counted", 0, Some(&[]), b"x"));
    raw.packet();
    raw.send(&publish(0x33, "counted", 3, Some(&[]), b"x"));
    raw.packet();
    raw.packet();
    raw.send(&publish(0x32, "elsewhere", 4, Some(&[]), b"x"));
    raw.packet();
    raw.send(&publish(0x32, "$SYS/denied", 5, Some(&[]), b"x"));
    raw.packet();
    let mut refused = Raw::tls(&server, &Proof::Nothing);
    refused.send(&connect(5, 2, "nobody", &[]));
    refused.closed();
    let mut wrong = Raw::v5(&server, "counted-too");
    wrong.send(&[0xC1, 0]);
    wrong.closed();
    // They do not close from their side: the server does not wait for ever, and says so.
    until("the end of the closed ones", || (read()[0] == before[0] + 1.0).then_some(()));
    let moved = read();
    for (at, (short, label, by)) in rows.iter().enumerate() {
        // One more client was connected for its protocol error.
        let by = if *short == "successful_connects_total" { by + 1.0 } else { *by };
        assert_eq!(moved[at] - before[at], by, "{short} {label}");
    }
    let http = |status: &str| metric(&server, "gridhub_http_responses_total", status);
    let before = http("\"200\"");
    Curl::anonymous(&server, "/healthz").send();
    assert!(http("\"200\"") > before);
    Curl::anonymous(&server, "/mqtt/messages").post(b"").send().refused(401);
    assert_eq!(http("\"401\""), 1.0);
}

#[test]
fn the_log_says_why_and_keeps_secrets() {
    if !Foreign::Curl.ready() {
        return;
    }
    let site = Site::new();
    let (password, guess) = ("a-good-password-1", "a-wrong-password-2");
    let hash = site.hash(password);
    let more = format!(
        "auth.users = [{{ name = \"anna\", password_hash = \"{hash}\" }}]\n\
         auth.issuers = [{{ issuer = \"*\", jwks_file = \".gridhub/jwks.json\" }}]\n"
    );
    let server = site.serve(&site.configure("log.level = \"debug\"", &more));
    let signer = Signer::of(&site.identity());
    let (good, late) = (signer.good("pump", 600), signer.good("pump", -600));
    let mut accepted = Raw::open(&server);
    for secret in [password, guess, &good, &late] {
        let mut raw = Raw::open(&server);
        raw.send(&connect_with(5, 0xC2, &[], &["client-a", "anna", secret]));
        let reason = raw.packet().1[1];
        assert_eq!(reason == 0, secret == password || secret == good, "{reason:#x}");
        accepted = raw;
        let header = format!("Authorization: Bearer {secret}");
        let path = "/mqtt/messages?topic=a&api-version=2025-08-01-preview";
        Curl::anonymous(&server, path).header(&header).post(b"a-payload-3").send();
    }
    drop(accepted);
    let mut raw = Raw::open(&server);
    raw.send(&connect_with(5, 0xC2, &[], &["client-b", "anna", password]));
    raw.packet();
    raw.send(&publish(0x32, "not/mine", 1, Some(&[]), b"a-payload-3"));
    raw.packet();
    raw.send(&subscribe(2, "not/mine/#", 1));
    raw.packet();
    raw.send(&[0xC1, 0]);
    raw.disconnected(0x81);

    let log = server.log_at_end();
    let lines: Vec<Value> = log
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    for line in &lines {
        assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
        assert!(line["message"].is_string(), "{line}");
    }
    let refused = |words: [&str; 2]| {
        lines.iter().any(|line| {
            let text = line.to_string();
            let member = |name: &str| line[name].as_str().is_some_and(|text| !text.is_empty());
            let whole = member("client") && member("rule") && member("why") && member("reason");
            line["level"] == "WARN" && whole && words.iter().all(|word| text.contains(word))
        })
    };
    for words in [
        ["client-a", "\"rule\":\"password\""],
        ["client-a", "token-expired"],
        ["client-b", "topic name 'not/mine'"],
        ["client-b", "not/mine/#"],
        ["client-b", "0x81"],
    ] {
        assert!(refused(words), "{words:?} in\n{}", log.join("\n"));
    }
    let http = |status: u64, word: &str| {
        lines.iter().any(|line| {
            let text = line.to_string();
            line["level"] == "WARN" && line["status"] == status && text.contains(word)
        })
    };
    assert!(http(401, "expired") && http(401, "/mqtt/messages"), "{}", log.join("\n"));
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_string();
    let secrets = [password, guess, &hash, "a-payload-3", &signature(&good), &signature(&late)];
    for secret in secrets {
        let told = log.iter().find(|line| line.contains(secret));
        assert_eq!(told, None, "a secret is in the log");
    }
}
