//! What `gridhub serve` and `gridhub dev` refuse to start with.
use e2e::server::Folder;
use e2e::site::Site;
use e2e::{Server, Verb};
use std::path::Path;
use std::process::Output;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn serve(config: &Path) -> Output {
    let words = ["serve", "--config", config.to_str().unwrap()];
    Verb::new(&words).within(config.parent().unwrap()).output()
}

#[test]
fn anonymous_clients_are_for_loopback_only() {
    let folder = Folder::new();
    let file = folder.path().join("gridhub.toml");
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let text = format!("auth.anonymous = \"loopback\"\nlisteners.mqtt = [\"{address}\"]\n");
        std::fs::write(&file, text).unwrap();
        let output = serve(&file);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let why = said(&output);
        assert!(why.contains("listeners.mqtt") && why.contains("gridhub.toml"), "{why}");
    }
    let words = ["dev", "--data", "d", "--mqtt", "0.0.0.0:0"];
    let output = Verb::new(&words).within(folder.path()).output();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("loopback"), "{}", said(&output));
    assert!(!folder.path().join("d").exists(), "a refusal leaves nothing behind");
}

#[test]
fn one_process_a_data_directory() {
    let site = Site::new();
    let config = site.configure("data = \"kept\"", "");
    let first = site.serve(&config);
    let output = serve(&config);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains(&first.pid().to_string()), "{}", said(&output));
    assert!(said(&output).contains("kept is in use by process"), "{}", said(&output));
    // `dev` and `serve` keep out of each other's way too.
    let dev = Server::new();
    let text = format!("data = \"{}\"", dev.data().display());
    let output = serve(&site.configure(&text, ""));
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains(&dev.pid().to_string()), "{}", said(&output));
    // Nor is a log mended that somebody writes.
    let data = site.path().join("kept");
    for mode in ["--dry-run", "--apply"] {
        let words = ["repair", "--data", data.to_str().unwrap(), mode];
        let output = Verb::new(&words).output();
        assert_eq!(output.status.code(), Some(1), "{mode}: {}", said(&output));
        assert!(said(&output).contains(&first.pid().to_string()), "{}", said(&output));
    }
    // A process that was killed leaves no lock.
    drop(first);
    let config = site.configure("data = \"kept\"", "");
    assert_eq!(site.serve(&config).ready["ready"], true);
}

#[test]
fn files_that_are_missing_or_wrong_are_named() {
    let site = Site::new();
    for (key, file) in [
        ("auth.issuers = [{ issuer = \"i\", jwks_file = \"no.json\" }]", "no.json"),
        ("auth.issuers = [{ issuer = \"i\", pem_file = \".gridhub/token-key.pem\" }]", "private"),
    ] {
        let output = serve(&site.configure("", key));
        assert_eq!(output.status.code(), Some(1), "{key}: {}", said(&output));
        assert!(said(&output).contains(file), "{key}: {}", said(&output));
    }
    std::fs::write(site.identity().join("server.pem"), "nonsense").unwrap();
    let output = serve(&site.configure("", ""));
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("server.pem"), "{}", said(&output));
}
