//! Telemetry from a device to its readers: over a killed process, by the command line and HTTP.
use e2e::curl::Curl;
use e2e::device::Device;
use e2e::server::Folder;
use e2e::{Foreign, Options, Server};
use serde_json::{Value, json};

fn device1(server: &Server) -> Device {
    Device::connect(server, "device1", server.ready["device"]["key"].as_str().unwrap())
}

fn tail(server: &Server, words: &[&str]) -> Vec<Value> {
    let words = [&["telemetry", "tail", "--json"], words].concat();
    let output = server.verb(&words).output();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn numbers(records: &[Value]) -> Vec<u64> {
    records.iter().map(|record| record["body"]["n"].as_u64().unwrap()).collect()
}

#[test]
fn what_a_device_was_acknowledged_is_read_after_kill_9_and_groups_go_on() {
    let folder = Folder::new();
    let options = Options::on(&folder.path().join(".gridhub"));
    let mut server = Server::start(&options);
    for round in 0..3 {
        let mut device = device1(&server);
        (0..10).for_each(|n| device.send(&format!("{{\"n\":{}}}", round * 10 + n), &[("@r", "x")]));
        device.acknowledged(10);
        // Dropped is killed.
        drop(server);
        server = Server::start(&options);
        let all = tail(&server, &["--from", "earliest", "-n", &((round + 1) * 10).to_string()]);
        assert_eq!(numbers(&all), (0..(round + 1) * 10).collect::<Vec<_>>());
        let first = &all[0];
        assert_eq!((&first["deviceId"], &first["moduleId"]), (&json!("device1"), &Value::Null));
        assert_eq!(first["properties"], json!({"r": "x"}));
        assert_eq!(first["systemProperties"]["content-type"], "application/json");
        assert_eq!(first["source"], "Telemetry");
        let of_group = tail(&server, &["--group", "g", "--from", "earliest", "-n", "10"]);
        assert_eq!(numbers(&of_group), (round * 10..round * 10 + 10).collect::<Vec<_>>());
    }
    let offset = tail(&server, &["--from", "earliest", "-n", "1"])[0]["offset"].to_string();
    let human = server.verb(&["telemetry", "tail", "--from", &offset, "-n", "1"]).output();
    let line = String::from_utf8(human.stdout).unwrap();
    assert!(line.ends_with("  device1  {\"n\":0}\n"), "{line}");
}

#[test]
fn who_waits_hears_of_what_comes_and_a_day_later_nothing_is_left() {
    if !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    let waiting = server.verb(&["telemetry", "tail", "--json", "-n", "1"]).spawn();
    let mut device = device1(&server);
    // It may not have asked yet: one of these comes after.
    let record = std::thread::scope(|scope| {
        let heard = scope.spawn(move || waiting.json());
        while !heard.is_finished() {
            device.send("{\"n\":7}", &[]);
            device.acknowledged(1);
        }
        heard.join().unwrap()
    });
    assert_eq!(record["body"]["n"], 7);
    let partition = record["partition"].as_u64().unwrap();
    let path = format!("/telemetry/partitions/{partition}/records");
    let page = Curl::to(&server, &format!("{path}?from=earliest&max=1")).send().json();
    assert_eq!(page["records"].as_array().unwrap().len(), 1, "{page}");
    let lines = Curl::to(&server, &format!("{path}?from=latest&wait=0"))
        .header("accept: application/x-ndjson")
        .send();
    assert_eq!((lines.status, lines.text().as_str()), (200, ""));
    let next = lines.header("x-gridhub-next-offset").unwrap().to_owned();
    // It waits for what is sent while it waits.
    let page = std::thread::scope(|scope| {
        let waiting = Curl::to(&server, &format!("{path}?offset={next}&wait=30"));
        let heard = scope.spawn(move || waiting.send().json());
        device.send("{\"n\":8}", &[]);
        device.acknowledged(1);
        heard.join().unwrap()
    });
    assert_eq!(page["records"][0]["body"], json!({"n": 8}), "{page}");
    Curl::anonymous(&server, &path).send().refused(401);
    server.advance("24h");
    server.advance("1m");
    e2e::until("the end of what is a day old", || {
        let page = Curl::to(&server, &format!("{path}?from=earliest")).send().json();
        page["records"].as_array().unwrap().is_empty().then_some(())
    });
}
