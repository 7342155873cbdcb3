//! `gridhub dev`: the ready line, the data directory, ports, a second start.
use e2e::curl::Curl;
use e2e::server::Folder;
use e2e::{Foreign, Options, Server, Verb};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

#[test]
fn the_ready_line_is_the_contracts() {
    let server = Server::new();
    let ready = &server.ready;
    assert_eq!(ready["ready"], true);
    assert_eq!(ready["pid"], server.pid());
    assert_eq!(ready["namespace"], "dev");
    assert_eq!(ready["hostname"], "localhost");
    assert!(ready["version"].as_str().is_some_and(|v| v.split('.').count() == 3));
    for name in ["mqtt", "mqtts"] {
        assert_eq!(server.text(name), format!("127.0.0.1:{}", server.port(name)));
    }
    assert!(server.url().starts_with("https://localhost:"), "{ready}");
    assert!(Path::new(&server.text("ca_file")).is_file());
    assert_eq!(ready["client"]["name"], "client1");
    for name in ["cert_file", "key_file"] {
        assert!(Path::new(ready["client"][name].as_str().unwrap()).is_file(), "{name}");
    }
    assert_eq!(server.token().split('.').count(), 3);
    let key = ready["device"]["key"].as_str().unwrap();
    assert_eq!(
        ready["device"]["connection_string"],
        format!("HostName=localhost;DeviceId=device1;SharedAccessKey={key}")
    );
    let policies = ready["policies"].as_object().unwrap();
    assert_eq!(policies.len(), 5, "{policies:?}");
    let owner = policies["iothubowner"]["primaryKey"].as_str().unwrap();
    let host = server.url().replace("https://", "");
    assert_eq!(
        ready["hub_connection_string"],
        format!("HostName={host};SharedAccessKeyName=iothubowner;SharedAccessKey={owner}")
    );
}

#[test]
fn the_data_directory_is_the_owners_alone() {
    let server = Server::new();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(server.data()), 0o700);
    let mut folders = vec![server.data().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let secret = text.contains("PRIVATE KEY") || text.contains(&server.token());
            assert!(!secret || mode(&path) == 0o600, "{}", path.display());
        }
    }
}

#[test]
fn a_second_start_keeps_keys_and_tokens() {
    if !Foreign::Curl.ready() {
        return;
    }
    let folder = Folder::new();
    let data = folder.path().join("data");
    let first = Server::start(&Options::on(&data));
    let ca = std::fs::read(first.text("ca_file")).unwrap();
    let (token, pid) = (first.token(), first.pid());
    let (device, policies) = (first.ready["device"].clone(), first.ready["policies"].clone());
    drop(first);
    let second = Server::start(&Options::on(&data));
    assert_ne!(second.pid(), pid);
    assert_eq!(std::fs::read(second.text("ca_file")).unwrap(), ca);
    let answer = Curl::anonymous(&second, "/admin/sessions")
        .header(&format!("Authorization: Bearer {token}"))
        .send();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(second.ready["device"], device);
    assert_eq!(second.ready["policies"], policies);
}

#[test]
fn two_servers_do_not_share_a_data_directory() {
    let server = Server::new();
    let data = server.data().to_str().unwrap();
    let free = "127.0.0.1:0";
    let words = ["dev", "--data", data, "--mqtt", free, "--mqtts", free, "--https", free];
    let output = Verb::new(&words).output();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&server.pid().to_string()), "it says who holds it: {said}");
}

#[test]
fn a_taken_port_is_explained() {
    let server = Server::new();
    let folder = Folder::new();
    for flag in ["--mqtt", "--mqtts", "--https"] {
        let port = match flag {
            "--https" => server.url().rsplit(':').next().unwrap().to_string(),
            listener => server.port(listener.trim_start_matches('-')).to_string(),
        };
        let taken = format!("127.0.0.1:{port}");
        let mut words = vec!["dev", "--ephemeral"];
        for other in ["--mqtt", "--mqtts", "--https"] {
            words.extend([other, if other == flag { &taken } else { "127.0.0.1:0" }]);
        }
        let output = Verb::new(&words).within(folder.path()).output();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{flag}: {said}");
        assert!(said.contains(&port) && said.contains(flag), "{flag}: {said}");
    }
}

#[test]
fn ephemeral_leaves_nothing() {
    let folder = Folder::new();
    let mut options = Options::with(&["--ephemeral"]);
    options.data = Some(folder.path().into());
    let mut server = Server::start(&options);
    let ca = server.text("ca_file");
    assert!(Path::new(&ca).is_file());
    server.terminate();
    assert!(server.ended().success());
    assert!(!Path::new(&ca).exists(), "{ca}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn plain_mqtt_can_be_off() {
    let server = Server::start(&Options::with(&["--mqtt", "off"]));
    assert!(server.ready["mqtt"].is_null(), "{}", server.ready);
    assert!(server.port("mqtts") > 0);
}

#[test]
fn the_human_form_shows_what_to_paste() {
    let folder = Folder::new();
    let free = "127.0.0.1:0";
    let words = ["dev", "--ephemeral", "--mqtt", free, "--mqtts", free, "--https", free];
    let running = Verb::new(&words).within(folder.path()).spawn();
    let mut seen = String::new();
    for wanted in
        ["Durability memory", "https://localhost:", "gridhub subscribe", "curl", "/mqtt/messages"]
    {
        while !seen.contains(wanted) {
            seen.push_str(&running.line());
            seen.push('\n');
        }
    }
}

#[test]
fn the_event_grid_profile_refuses_what_event_grid_refuses() {
    let server = Server::start(&Options::with(&["--profile", "event-grid"]));
    assert!(server.ready["device"].is_null() && server.ready["policies"].is_null());
    let mut raw = e2e::raw::Raw::open(&server);
    raw.send(&e2e::raw::connect(5, 2, "eg", &[]));
    let (_, connack) = raw.packet();
    assert_eq!(connack[1], 0, "{connack:02x?}");
    let has = |property: &[u8]| connack.windows(property.len()).any(|w| w == property);
    assert!(has(&[0x24, 1]) && has(&[0x29, 0]), "QoS 1, no identifiers: {connack:02x?}");
    raw.send(&e2e::raw::publish(0x34, "a", 1, Some(&[]), b""));
    raw.disconnected(0x9B);
}
