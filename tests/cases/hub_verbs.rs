//! Devices, twins and queries from a second terminal, and by a connection string from elsewhere.
use e2e::server::Folder;
use e2e::until::until;
use e2e::{Server, Verb};
use serde_json::{Value, json};
use std::process::Output;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a verb that succeeds prints.
#[track_caller]
fn told(verb: Verb) -> String {
    let output = verb.output();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn json_of(verb: Verb) -> Value {
    serde_json::from_str(&told(verb)).unwrap()
}

#[test]
fn devices_twins_and_queries_beside_the_data() {
    let server = Server::new();
    let made = json_of(server.verb(&["device", "create", "pump#1", "--json"]));
    assert_eq!(made["authentication"]["type"], "sas");
    assert_eq!(told(server.verb(&["device", "create", "pump#1/m"])), "");
    let again = server.verb(&["device", "create", "pump#1"]).output();
    assert_eq!(again.status.code(), Some(1));
    assert!(said(&again).contains("DeviceAlreadyExists"), "{}", said(&again));
    let table = told(server.verb(&["device", "list"]));
    assert!(table.starts_with("DEVICE") && table.lines().count() == 3, "{table}");
    let modules = told(server.verb(&["device", "list", "--modules-of", "pump#1", "--json"]));
    let module: Value = serde_json::from_str(&modules).unwrap();
    assert_eq!(module["moduleId"], "m");
    let update = ["device", "update", "pump#1", "--status", "disabled", "--reason", "sold"];
    assert_eq!(told(server.verb(&update)), "");
    let shown = json_of(server.verb(&["device", "show", "pump#1"]));
    assert_eq!((&shown["status"], &shown["statusReason"]), (&json!("disabled"), &json!("sold")));
    assert_eq!(shown["authentication"], made["authentication"], "what is not named stays");
    let keys = json_of(server.verb(&["device", "update", "pump#1", "--new-keys", "--json"]));
    assert_ne!(keys["authentication"], made["authentication"]);
    let key = keys["authentication"]["symmetricKey"]["secondaryKey"].as_str().unwrap();
    let text = told(server.verb(&["device", "connection-string", "pump#1", "--secondary"]));
    assert_eq!(text, format!("HostName=localhost;DeviceId=pump#1;SharedAccessKey={key}\n"));

    let twin = json_of(server.verb(&["twin", "patch", "pump#1", r#"{"tags":{"floor":3,"x":1}}"#]));
    assert_eq!(twin["tags"], json!({"floor": 3, "x": 1}));
    let etag = twin["etag"].as_str().unwrap();
    let replace = ["twin", "replace", "pump#1", r#"{"tags":{"floor":4.50}}"#, "--json"];
    let replaced = told(server.verb(&[&replace[..], &["--if-match", etag]].concat()));
    assert!(replaced.contains(r#""tags":{"floor":4.50}"#), "digits stay: {replaced}");
    let stale = server.verb(&[&replace[..], &["--if-match", etag]].concat()).output();
    assert_eq!(stale.status.code(), Some(1), "{}", said(&stale));
    assert!(said(&stale).contains("PreconditionFailed"), "{}", said(&stale));
    assert_eq!(json_of(server.verb(&["twin", "show", "pump#1"]))["tags"]["floor"], 4.5);
    let query = "SELECT deviceId, tags.floor AS f FROM devices WHERE tags.floor > 4";
    let rows = told(server.verb(&["query", query, "--json"]));
    assert_eq!(rows, "{\"deviceId\":\"pump#1\",\"f\":4.50}\n");
    let wrong = server.verb(&["query", "SELECT * FORM devices"]).output();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(said(&wrong).contains("FROM is missing"), "{}", said(&wrong));

    for name in ["pump#1/m", "pump#1"] {
        assert_eq!(told(server.verb(&["device", "delete", name])), "");
    }
    let gone = server.verb(&["twin", "show", "pump#1"]).output();
    assert_eq!(gone.status.code(), Some(1));
    assert!(said(&gone).contains("404 DeviceNotFound"), "{}", said(&gone));
    let bad = server.verb(&["device", "show", "a b"]).output();
    assert_eq!(bad.status.code(), Some(2), "{}", said(&bad));
}

#[test]
fn methods_and_commands_beside_the_data() {
    let server = Server::new();
    let offline = server.verb(&["method", "invoke", "device1", "reboot"]).output();
    assert_eq!(offline.status.code(), Some(1));
    assert!(said(&offline).contains("404 DeviceNotOnline"), "{}", said(&offline));
    for wrong in [["--timeout", "4s"], ["--connect-timeout", "301s"], ["--payload", "{"]] {
        let words = [&["method", "invoke", "device1", "reboot"][..], &wrong].concat();
        assert_eq!(server.verb(&words).output().status.code(), Some(2), "{wrong:?}");
    }
    let send = ["command", "send", "device1", "-m", "stop", "--ttl", "1h", "--message-id", "m1"];
    let more = ["--property", "level=high", "--content-type", "text/plain", "--json"];
    let sent = json_of(server.verb(&[&send[..], &more].concat()));
    assert_eq!(sent, json!({"sequenceNumber": 1}));
    let waiting = json_of(server.verb(&["command", "list", "device1", "--json"]));
    for (name, value) in [
        ("state", json!("enqueued")),
        ("body", json!("stop")),
        ("messageId", json!("m1")),
        ("contentType", json!("text/plain")),
        ("properties", json!({"level": "high"})),
    ] {
        assert_eq!(waiting[name], value, "{waiting}");
    }
    let table = told(server.verb(&["command", "list", "device1"]));
    assert!(table.starts_with("NUMBER") && table.lines().count() == 2, "{table}");
    assert_eq!(told(server.verb(&["command", "feedback"])), "");
    let acked = ["command", "send", "device1", "--ack", "full", "--message-id", "m2"];
    assert_eq!(told(server.verb(&acked)), "");
    let purged = json_of(server.verb(&["command", "purge", "device1", "--json"]));
    assert_eq!(purged["totalMessagesPurged"], 2);
    let dead = told(server.verb(&["command", "list", "device1", "--json"]));
    let dead: Value = serde_json::from_str(dead.lines().next().unwrap()).unwrap();
    assert_eq!((&dead["outcome"], &dead["body"]), (&json!("Purged"), &json!("stop")));
    // Its device may be at home on another reactor than the feedback, which hears of it by a post.
    let feedback = until("feedback", || {
        let text = told(server.verb(&["command", "feedback", "--json"]));
        (!text.is_empty()).then(|| serde_json::from_str::<Value>(&text).unwrap())
    });
    assert_eq!(
        (&feedback["originalMessageId"], &feedback["statusCode"]),
        (&json!("m2"), &json!("Purged"))
    );
    assert_eq!(told(server.verb(&["command", "feedback"])), "", "it comes once");
    let module = server.verb(&["command", "send", "device1/m", "-m", "x"]).output();
    assert_eq!(module.status.code(), Some(2), "{}", said(&module));
}

#[test]
fn jobs_are_made_followed_and_ended() {
    let server = Server::new();
    let twin = r#"{"tags":{"floor":4}}"#;
    let create = ["job", "create", "j'1", "--where", "deviceId = 'device1'", "--twin", twin];
    assert_eq!(told(server.verb(&create)), "");
    let job = until("the job to end", || {
        let job = json_of(server.verb(&["job", "show", "j'1", "--json"]));
        (job["status"] == "completed").then_some(job)
    });
    assert_eq!(job["deviceJobStatistics"]["succeededCount"], 1);
    assert_eq!(json_of(server.verb(&["twin", "show", "device1"]))["tags"], json!({"floor": 4}));
    let call = ["job", "create", "j2", "--where", "*", "--method", "reboot", "--payload", "1.50"];
    let made = told(server.verb(&[&call[..], &["--timeout", "5s", "--json"]].concat()));
    assert!(made.contains(r#""payload":1.50,"responseTimeoutInSeconds":5,"#), "{made}");
    let row = until("the device to fail", || {
        let rows = told(server.verb(&["job", "show", "j2", "--devices", "--json"]));
        let row: Value = serde_json::from_str(rows.lines().next()?).unwrap();
        (row["status"] == "failed").then_some(row)
    });
    assert_eq!(row["error"]["code"], "404103");
    let table = told(server.verb(&["job", "show", "j2", "--devices"]));
    assert!(table.starts_with("DEVICE") && table.contains("device1  failed"), "{table}");
    let later = [&call[..2], &["j3"], &call[3..], &["--start", "2999-01-01T00:00:00Z"]].concat();
    let later = [&later[..], &["--max-time", "90s"]].concat();
    let made = json_of(server.verb(&[&later[..], &["--json"]].concat()));
    assert_eq!(
        (&made["status"], &made["maxExecutionTimeInSeconds"]),
        (&json!("scheduled"), &json!(90))
    );
    let listed = told(server.verb(&["job", "list", "--status", "scheduled"]));
    assert!(listed.starts_with("JOB") && listed.lines().count() == 2, "{listed}");
    let cancelled = json_of(server.verb(&["job", "cancel", "j3", "--json"]));
    assert_eq!(cancelled["status"], "cancelled");
    let all = told(server.verb(&["job", "list", "--json"]));
    let ids: Vec<Value> = all
        .lines()
        .map(|job| serde_json::from_str::<Value>(job).unwrap()["jobId"].take())
        .collect();
    assert_eq!(ids, ["j'1", "j2", "j3"]);
    let again = server.verb(&["job", "cancel", "j3"]).output();
    assert_eq!(again.status.code(), Some(1));
    assert!(said(&again).contains("OperationNotAllowedInCurrentState"), "{}", said(&again));
    for wrong in [
        &["job", "create", "a b", "--where", "*", "--method", "m"][..],
        &["job", "create", "j", "--where", "*"],
        &["job", "create", "j", "--method", "m"],
        &["job", "create", "j", "--where", "*", "--twin", "{"],
        &["job", "create", "j", "--where", "*", "--twin", "{}", "--payload", "1"],
        &["job", "create", "j", "--where", "*", "--method", "m", "--start", "soon"],
    ] {
        let output = server.verb(wrong).output();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", said(&output));
    }
}

#[test]
fn a_connection_string_is_enough_elsewhere_and_its_policy_decides() {
    let server = Server::new();
    let elsewhere = Folder::new();
    let owner = server.text("hub_connection_string");
    let verb = |words: &[&str], text: &str| {
        let mut verb = Verb::new(words).within(elsewhere.path());
        verb.0.env("GRIDHUB_CONNECTION_STRING", text).env("GRIDHUB_CA", server.text("ca_file"));
        verb
    };
    assert_eq!(
        json_of(verb(&["device", "show", "device1", "--json"], &owner))["deviceId"],
        "device1"
    );
    let key = server.ready["policies"]["service"]["primaryKey"].as_str().unwrap();
    let host = server.url().replace("https://", "");
    let service = format!("HostName={host};SharedAccessKeyName=service;SharedAccessKey={key}");
    assert_eq!(json_of(verb(&["twin", "show", "device1"], &service))["deviceId"], "device1");
    let refused = verb(&["device", "list"], &service).output();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("RegistryRead"), "{}", said(&refused));
    let device = server.ready["device"]["connection_string"].as_str().unwrap();
    let refused = verb(&["device", "list"], device).output();
    assert!(said(&refused).contains("policy of the hub"), "{}", said(&refused));
    assert!(!said(&refused).contains(server.ready["device"]["key"].as_str().unwrap()));
}
