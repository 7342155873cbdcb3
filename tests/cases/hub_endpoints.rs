//! Endpoints of the hub's own with the built binary: what routes send arrives there, in order and
//! at least once, whatever fails between.
use crate::hub_service::ask;
use crate::watched::metric;
use e2e::device::Device;
use e2e::nats::NatsServer;
use e2e::receiver::Receiver;
use e2e::site::Site;
use e2e::{Foreign, Server, Verb, until};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A hub whose messages of devices and events go to these endpoints.
pub(crate) struct Hub {
    site: Site,
    config: PathBuf,
    token: String,
}

pub(crate) const SOURCES: [&str; 4] =
    ["DeviceMessages", "TwinChangeEvents", "DeviceLifecycleEvents", "DeviceConnectionStateEvents"];

impl Hub {
    /// All of `sources` go to endpoint `out`, which is described by `endpoint`.
    pub(crate) fn sending(sources: &[&str], top: &str, endpoint: &str) -> Self {
        let site = Site::new();
        let routes: String = sources
            .iter()
            .map(|source| {
                format!(
                    "[[hub.routes]]\nname = \"{source}\"\nsource = \"{source}\"\n\
                     endpoint = \"out\"\n"
                )
            })
            .collect();
        let more = format!(
            "auth.issuers = [{{ issuer = \"*\", jwks_file = \".gridhub/jwks.json\" }}]\n\
             [[hub.endpoints]]\nname = \"out\"\n{endpoint}\n{routes}"
        );
        let config = site.configure(top, &more);
        let token = Verb::new(&["token", "--role", "contributor"]).within(site.path()).output();
        let token = String::from_utf8(token.stdout).unwrap().trim().to_owned();
        Self { site, config, token }
    }

    pub(crate) fn start(&self) -> Server {
        let mut server = self.site.serve(&self.config);
        server.ready["token"] = json!(self.token);
        server
    }

    /// Registers a device; gives its key.
    pub(crate) fn register(server: &Server, id: &str) -> String {
        let made = ask(
            server,
            "PUT",
            &format!("/devices/{id}"),
            &[],
            &format!("{{\"deviceId\":\"{id}\"}}"),
        );
        assert_eq!(made.status, 200, "{}", made.text());
        let key = made.json()["authentication"]["symmetricKey"]["primaryKey"].clone();
        key.as_str().unwrap().to_owned()
    }
}

/// Sends messages with these numbers, each acknowledged.
pub(crate) fn send(device: &mut Device, numbers: std::ops::Range<u64>) {
    for n in numbers {
        device.send(&format!("{{\"n\":{n}}}"), &[("@p", "v")]);
        device.acknowledged(1);
    }
}

pub(crate) fn shown(server: &Server) -> Value {
    ask(server, "GET", "/admin/endpoints", &[], "").json()["endpoints"][0].clone()
}

/// Numbers of telemetry in the order in which they came first.
pub(crate) fn first_come(bodies: impl Iterator<Item = Value>) -> Vec<u64> {
    let mut all = Vec::new();
    for n in bodies.filter_map(|body| body["n"].as_u64()) {
        if !all.contains(&n) {
            all.push(n);
        }
    }
    all
}

fn taken(receiver: &Receiver) -> Vec<u64> {
    first_come(receiver.taken().into_iter().map(|event| event["data"]["body"].clone()))
}

#[test]
fn a_webhook_has_everything_that_was_acknowledged_though_it_fails_and_the_server_is_killed() {
    if !Foreign::Curl.ready() {
        return;
    }
    let receiver = Receiver::answering(503);
    let hub = Hub::sending(
        &SOURCES[..1],
        "",
        &format!(
            "kind = \"webhook\"\nurl = \"{}\"\nheaders.Authorization = \"Bearer s3cret\"\n\
             batch_messages_max = 7",
            receiver.url
        ),
    );
    let mut server = hub.start();
    let key = Hub::register(&server, "d1");
    let mut device = Device::connect(&server, "d1", &key);
    send(&mut device, 0..10);
    let failing = until("a failed attempt", || {
        let shown = shown(&server);
        (shown["failedAttempts"] != json!(0)).then_some(shown)
    });
    assert_eq!(failing["health"], "unhealthy");
    assert_eq!((&failing["waiting"], &failing["delivered"]), (&json!(10), &json!(0)));
    assert_eq!(failing["lastError"], "it answered 503: said");
    assert_eq!(metric(&server, "gridhub_hub_endpoint_health", "out"), 3.0);
    // Killed: what waits is there after the start.
    drop(server);
    server = hub.start();
    assert_eq!(shown(&server)["waiting"], 10);
    receiver.answer(200);
    until("all messages", || (taken(&receiver).len() == 10).then_some(()));
    assert_eq!(taken(&receiver), (0..10).collect::<Vec<_>>());
    until("a position", || (shown(&server)["waiting"] == 0).then_some(()));
    assert_eq!(shown(&server)["health"], "healthy");
    // Killed in between, again and again.
    let mut sent = 10;
    for _ in 0..3 {
        let mut device = Device::connect(&server, "d1", &key);
        send(&mut device, sent..sent + 40);
        sent += 40;
        drop(server);
        server = hub.start();
    }
    until("the rest", || (taken(&receiver).len() as u64 == sent).then_some(()));
    assert_eq!(taken(&receiver), (0..sent).collect::<Vec<_>>());
    let last = receiver.posted().pop().unwrap();
    assert_eq!(last.line, "POST /hook?a=b HTTP/1.1");
    let header = |name: &str| last.headers.iter().find(|(n, _)| n == name).unwrap().1.clone();
    assert_eq!(header("authorization"), "Bearer s3cret");
    assert_eq!(header("content-type"), "application/cloudevents-batch+json; charset=utf-8");
    let event = &receiver.taken()[0];
    assert_eq!(
        (&event["specversion"], &event["source"]),
        (&json!("1.0"), &json!("/hubs/localhost"))
    );
    assert_eq!(event["type"], "Microsoft.Devices.DeviceTelemetry");
    assert_eq!(event["subject"], "devices/d1");
    assert_eq!(event["data"]["properties"], json!({"p": "v"}));
    assert_eq!(event["data"]["systemProperties"]["iothub-connection-device-id"], "d1");
    // A message has one id, however often it comes.
    let named = |event: &Value| (event["data"]["body"]["n"].as_u64(), event["id"].to_string());
    let mut ids: Vec<_> = receiver.taken().iter().map(named).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len() as u64, sent);
}

#[test]
fn what_a_webhook_would_never_take_is_a_dead_letter_and_the_rest_goes_on() {
    if !Foreign::Curl.ready() {
        return;
    }
    let receiver = Receiver::answering(400);
    let hook = format!("kind = \"webhook\"\nurl = \"{}\"\nattempts_max = 2", receiver.url);
    let hub = Hub::sending(&SOURCES[..1], "", &hook);
    let mut server = hub.start();
    let key = Hub::register(&server, "d1");
    let mut device = Device::connect(&server, "d1", &key);
    let letters = |server: &Server, query: &str| {
        ask(server, "GET", &format!("/admin/endpoints/OUT/deadletters{query}"), &[], "").json()
    };
    send(&mut device, 0..1);
    until("a dead letter", || (shown(&server)["deadLetters"] == 1).then_some(()));
    assert_eq!(receiver.posted().len(), 1, "it is not tried again");
    // What may be taken later is tried so often.
    receiver.answer(500);
    send(&mut device, 1..2);
    until("another", || (shown(&server)["deadLetters"] == 2).then_some(()));
    assert_eq!(receiver.posted().len(), 3);
    receiver.answer(200);
    send(&mut device, 2..3);
    until("the next message", || (taken(&receiver) == [2]).then_some(()));
    until("a position", || (shown(&server)["waiting"] == 0).then_some(()));
    assert_eq!(shown(&server)["health"], "degraded");
    assert_eq!(metric(&server, "gridhub_hub_endpoint_dead_lettered_total", "out"), 2.0);
    drop(server);
    server = hub.start();
    let first = letters(&server, "?max=1");
    let letter = &first["deadLetters"][0];
    assert_eq!((&letter["attempts"], &letter["why"]), (&json!(1), &json!("it answered 400: said")));
    assert_eq!(letter["message"]["data"]["body"], json!({"n": 0}));
    let next = first["next"].as_str().unwrap();
    let rest = letters(&server, &format!("?from={next}"));
    assert_eq!(rest["deadLetters"].as_array().unwrap().len(), 1);
    assert_eq!(rest["deadLetters"][0]["attempts"], 2);
    assert_eq!(ask(&server, "GET", "/admin/endpoints/no/deadletters", &[], "").status, 404);
    assert_eq!(ask(&server, "GET", "/admin/endpoints/out/deadletters?from=x", &[], "").status, 400);
    let cleared = ask(&server, "DELETE", "/admin/endpoints/out/deadletters", &[], "");
    assert_eq!(cleared.json(), json!({"cleared": 2}));
    assert_eq!(letters(&server, "")["deadLetters"], json!([]));
    assert_eq!(taken(&receiver), [2], "nothing comes twice that was told");
}

#[test]
fn a_webhook_over_https_is_believed_by_its_authority_and_waited_for_as_it_asks() {
    if !Foreign::Curl.ready() {
        return;
    }
    let other = Site::new();
    let receiver = Receiver::over_tls(429, &other);
    // Three seconds by its own clock, which is some years behind.
    receiver.say(
        "date: Sun, 06 Nov 1994 08:49:34 GMT\r\nretry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
    );
    let unknown = format!("kind = \"webhook\"\nurl = \"{}\"", receiver.url);
    let known = format!(
        "{unknown}\nca_file = \"{}\"\nheaders.X-One = \"1\"\nheaders.X-Two = \"zwei\"",
        other.identity().join("ca.pem").display()
    );
    let asked = |endpoint: &str| {
        let hub = Hub::sending(&SOURCES[..1], "", endpoint);
        let server = hub.start();
        let key = Hub::register(&server, "d1");
        let mut device = Device::connect(&server, "d1", &key);
        send(&mut device, 0..3);
        let failing = until("a failed attempt", || {
            let shown = shown(&server);
            (shown["failedAttempts"] != json!(0)).then_some(shown)
        });
        (hub, server, failing["lastError"].as_str().unwrap().to_owned())
    };
    let (.., why) = asked(&unknown);
    assert!(why.starts_with("TLS with localhost:") && why.contains("UnknownIssuer"), "{why}");
    assert!(receiver.posted().is_empty(), "nothing is told to who is not believed");
    let (_hub, server, why) = asked(&known);
    assert_eq!(why, "it answered 429: said");
    receiver.answer(200);
    until("all messages", || (taken(&receiver) == [0, 1, 2]).then_some(()));
    until("a position", || (shown(&server)["waiting"] == 0).then_some(()));
    let posted = receiver.posted();
    let waited = posted[1].at.duration_since(posted[0].at);
    assert!(waited.as_millis() >= 3_000, "{waited:?}");
    for one in posted {
        let header = |name: &str| one.headers.iter().find(|(n, _)| n == name).unwrap().1.clone();
        assert_eq!((header("x-one"), header("x-two")), ("1".into(), "zwei".into()));
        assert!(header("host").starts_with("localhost:"));
    }
}

/// All whole lines of all files of an endpoint.
fn lines(directory: &Path) -> Vec<Value> {
    let read = |file: &PathBuf| {
        let text = fs::read_to_string(file).unwrap();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let line = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        whole.lines().map(line).collect::<Vec<Value>>()
    };
    files(directory).iter().flat_map(read).collect()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn files_get_every_kind_of_message_and_whole_lines_after_a_crash() {
    if !Foreign::Curl.ready() {
        return;
    }
    let hub = Hub::sending(&SOURCES, "", "kind = \"file\"\npath = \"out\"");
    let out = hub.site.path().join("out");
    let mut server = hub.start();
    let key = Hub::register(&server, "d1");
    let mut sent = 0;
    for round in 0..4 {
        let mut device = Device::connect(&server, "d1", &key);
        send(&mut device, sent..sent + 30);
        sent += 30;
        let body = format!("{{\"tags\":{{\"round\":{round}}}}}");
        assert_eq!(ask(&server, "PATCH", "/twins/d1", &[], &body).status, 200);
        drop(server);
        if let Some(last) = files(&out).pop() {
            // As the power may leave it.
            let mut file = fs::OpenOptions::new().append(true).open(last).unwrap();
            file.write_all(b"{\"Id\":\"hal").unwrap();
        }
        server = hub.start();
    }
    let numbers = || first_come(lines(&out).into_iter().map(|line| line["Body"].clone()));
    until("all messages", || (numbers().len() as u64 == sent).then_some(()));
    until("a position", || (shown(&server)["waiting"] == 0).then_some(()));
    assert_eq!(numbers(), (0..sent).collect::<Vec<_>>());
    let is_whole = |file: &PathBuf| fs::read(file).unwrap().last().is_none_or(|end| *end == b'\n');
    assert!(files(&out).iter().all(is_whole));
    let all = lines(&out);
    let count = |source: &str, operation: &str| {
        let is_it = |line: &&Value| {
            line["SystemProperties"]["messageSource"] == source
                && line["Properties"]["opType"] == operation
        };
        let mut ids: Vec<_> = all.iter().filter(is_it).map(|line| line["Id"].to_string()).collect();
        ids.sort();
        ids.dedup();
        ids.len()
    };
    assert_eq!(count("deviceLifecycleEvents", "createDeviceIdentity"), 1);
    assert_eq!(count("deviceConnectionStateEvents", "deviceConnected"), 4);
    assert_eq!(count("twinChangeEvents", "updateTwin"), 4);
    let telemetry = all.iter().find(|line| line["Body"]["n"] == 0).unwrap();
    assert_eq!(telemetry["Properties"], json!({"p": "v"}));
    assert_eq!(telemetry["SystemProperties"]["connectionDeviceId"], "d1");
}

/// Nothing is kept, and endpoints work as well.
#[test]
fn in_memory_endpoints_get_what_comes_too() {
    if !Foreign::Curl.ready() {
        return;
    }
    let receiver = Receiver::answering(503);
    let hook = format!("kind = \"webhook\"\nurl = \"{}\"", receiver.url);
    let hub = Hub::sending(&SOURCES[..1], "durability = \"memory\"", &hook);
    let server = hub.start();
    let key = Hub::register(&server, "d1");
    let mut device = Device::connect(&server, "d1", &key);
    send(&mut device, 0..20);
    until("a failed attempt", || (!receiver.posted().is_empty()).then_some(()));
    receiver.answer(200);
    send(&mut device, 20..30);
    until("all messages", || (taken(&receiver).len() == 30).then_some(()));
    assert_eq!(taken(&receiver), (0..30).collect::<Vec<_>>());
    until("a position", || (shown(&server)["waiting"] == 0).then_some(()));
}

/// A build without Kafka says so first.
const KAFKA: &str = if cfg!(feature = "kafka") {
    "hub.endpoints[0].subject: kind kafka has none"
} else {
    "hub.endpoints[0].kind: this build has no kafka"
};

#[test]
fn an_endpoint_that_cannot_be_is_refused_at_its_key() {
    let site = Site::new();
    for (endpoint, words) in [
        ("kind = \"webhook\"", "hub.endpoints[0].url"),
        ("kind = \"file\"\npath = \"a\"\nurl = \"https://h\"", "hub.endpoints[0].url"),
        ("kind = \"queue\"", "unknown value 'queue'"),
        ("kind = \"kafka\"\nsubject = \"s\"", KAFKA),
        ("kind = \"webhook\"\nurl = \"https://h\"\nca_file = \"no.pem\"", "no.pem"),
    ] {
        let config =
            site.configure("", &format!("[[hub.endpoints]]\nname = \"out\"\n{endpoint}\n"));
        let verb = Verb::new(&["serve", "--config", config.to_str().unwrap()]);
        let output = verb.within(site.path()).output();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(words), "{endpoint}: {said}");
    }
}

#[test]
fn files_are_rotated_and_the_oldest_go() {
    if !Foreign::Curl.ready() {
        return;
    }
    let file = "kind = \"file\"\npath = \"a/b\"\nrotate_bytes = 65536\nkeep_files = 2\n\
                batch_messages_max = 10";
    let hub = Hub::sending(&SOURCES[..1], "", file);
    let out = hub.site.path().join("a/b");
    let server = hub.start();
    let key = Hub::register(&server, "d1");
    let mut device = Device::connect(&server, "d1", &key);
    let padding = "x".repeat(4_000);
    for n in 0..100 {
        device.send(&format!("{{\"n\":{n},\"padding\":\"{padding}\"}}"), &[]);
        device.acknowledged(1);
    }
    until("all messages", || (shown(&server)["delivered"] == 100).then_some(()));
    assert_eq!(files(&out).len(), 2);
    let left = lines(&out);
    assert_eq!(left.last().unwrap()["Body"]["n"], 99);
    assert!(left.len() < 40, "{} lines in two files", left.len());
    let sizes = files(&out).into_iter().map(|file| fs::metadata(file).unwrap().len());
    assert!(sizes.max() <= Some(65_536));
}

/// A real server: it is not there, has no stream, is killed, and gets everything once.
#[test]
fn a_stream_of_nats_has_everything_once() {
    if !Foreign::Curl.ready() || !Foreign::NatsServer.ready() {
        return;
    }
    let mut nats = NatsServer::new();
    let endpoint = format!("kind = \"nats\"\nurl = \"{}\"\nsubject = \"plant.a\"", nats.url());
    let hub = Hub::sending(&SOURCES, "", &endpoint);
    let mut server = hub.start();
    let key = Hub::register(&server, "d1");
    let failing = until("a failed attempt", || {
        let shown = shown(&server);
        (shown["failedAttempts"] != json!(0)).then_some(shown)
    });
    assert_eq!(failing["lastError"], "no stream listens to the subject");
    nats.make_stream("PLANT", "plant.>");
    let numbers = |nats: &NatsServer| {
        let bodies = nats.messages("PLANT").into_iter();
        let all = bodies.filter_map(|(_, event)| event["data"]["body"]["n"].as_u64());
        all.collect::<Vec<_>>()
    };
    let mut sent = 0;
    for round in 0..3 {
        let mut device = Device::connect(&server, "d1", &key);
        send(&mut device, sent..sent + 30);
        sent += 30;
        match round {
            0 => nats.kill(),
            1 => nats = nats.start(),
            _ => {}
        }
        drop(server);
        server = hub.start();
    }
    until("all messages", || (numbers(&nats).len() as u64 >= sent).then_some(()));
    until("a position", || (shown(&server)["waiting"] == 0).then_some(()));
    assert_eq!(numbers(&nats), (0..sent).collect::<Vec<_>>(), "each once, in order");
    let all = nats.messages("PLANT");
    assert!(all.iter().all(|(headers, event)| {
        let id = event["id"].as_str().unwrap();
        headers.contains(&format!("Nats-Msg-Id: {id}\r\n"))
            && headers.contains("Content-Type: application/cloudevents+json\r\n")
    }));
    let kinds = |kind: &str| all.iter().filter(|(_, event)| event["type"] == kind).count();
    assert_eq!(kinds("Gridhub.Devices.DeviceLifecycleEvents"), 1);
    assert_eq!(kinds("Gridhub.Devices.DeviceConnectionStateEvents"), 3);
}

/// Who is not let in is told why; who is, gives it everything.
#[test]
fn nats_lets_in_whom_it_knows_and_is_believed_by_its_authority() {
    if !Foreign::Curl.ready() || !Foreign::NatsServer.ready() {
        return;
    }
    let mut nats = NatsServer::new();
    nats.make_stream("PLANT", "plant.>");
    let other = Site::new();
    let file = |name: &str| other.identity().join(name).display().to_string();
    let (certificate, key) = (file("server.pem"), file("server-key.pem"));
    let (authority, refused) =
        (format!("ca_file = \"{}\"", file("ca.pem")), "'Authorization Violation'");
    let users = ["--user", "u", "--pass", "p"];
    let tls = ["--tls", "--tlscert", &certificate, "--tlskey", &key];
    let mut sent = 0;
    for (words, right, wrong, why) in [
        (&users[..], "user = \"u\"\npassword = \"p\"", "user = \"u\"\npassword = \"x\"", refused),
        (&["--auth", "t"], "token = \"t\"", "token = \"x\"", refused),
        (&["--auth", "t"], "token = \"t\"", "", refused),
        (&tls, &authority, "", "UnknownIssuer"),
    ] {
        nats.kill();
        nats = nats.start_with(words);
        let health_of = |login: &str| {
            let url = nats.url();
            let endpoint =
                format!("kind = \"nats\"\nurl = \"{url}\"\nsubject = \"plant.a\"\n{login}");
            let hub = Hub::sending(&SOURCES[..1], "", &endpoint);
            let server = hub.start();
            let key = Hub::register(&server, "d1");
            let mut device = Device::connect(&server, "d1", &key);
            send(&mut device, sent..sent + 5);
            until("an attempt", || {
                let shown = shown(&server);
                let is_tried = shown["failedAttempts"] != json!(0) || shown["waiting"] == json!(0);
                is_tried.then(|| (shown["health"].clone(), shown["lastError"].to_string()))
            })
        };
        let (health, said) = health_of(wrong);
        assert_eq!(health, "unhealthy", "{words:?} {wrong}: {said}");
        assert!(said.contains(why), "{words:?} {wrong}: {said}");
        let (health, said) = health_of(right);
        assert_eq!(health, "healthy", "{words:?} {right}: {said}");
        sent += 5;
    }
    nats.kill();
    nats = nats.start();
    let bodies = nats.messages("PLANT").into_iter().map(|(_, event)| event["data"]["body"].clone());
    assert_eq!(first_come(bodies), (0..sent).collect::<Vec<_>>());
}
