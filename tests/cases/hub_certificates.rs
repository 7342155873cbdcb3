//! Devices that prove themselves by client certificates over HTTPS: their HTTP API and WebSockets
//! (iot-hub A4, D5, D6).
use crate::hub_service::ask;
use e2e::curl::{Answer, Curl};
use e2e::raw::{connect, string};
use e2e::tls::{Proof, thumbprint};
use e2e::websocket::{WebSocket, handshake};
use e2e::{Foreign, Options, Server};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A hub and nothing else: it asks who comes for a certificate.
fn asking() -> Server {
    Server::start(&Options::with(&["--profile", "iot-hub"]))
}

/// The certificate `client1` of a server's own authority.
fn client(server: &Server) -> [PathBuf; 2] {
    ["cert_file", "key_file"].map(|part| server.ready["client"][part].as_str().unwrap().into())
}

fn register(server: &Server, id: &str, authentication: &Value) {
    let body = json!({ "authentication": authentication }).to_string();
    let made = ask(server, "PUT", &format!("/devices/{id}"), &[], &body);
    assert_eq!(made.status, 200, "{}", made.text());
}

/// A request of a device by this certificate.
#[track_caller]
fn shown(server: &Server, pair: &[PathBuf; 2], path: &str, more: &[&str]) -> Answer {
    let [cert, key] = pair.each_ref().map(|file| file.to_str().unwrap());
    let curl = Curl::anonymous(server, &format!("{path}?api-version=2021-04-12"));
    curl.arguments(&["--cert", cert, "--key", key]).arguments(more).send()
}

/// A hub with `pinned`, whose thumbprint is that of a certificate of another authority, and
/// `client1` and `other`, whose authority is the hub's own.
fn with_devices(server: &Server, stranger: &Path) {
    let prints = json!({"primaryThumbprint": thumbprint(stranger)});
    register(server, "pinned", &json!({"type": "selfSigned", "x509Thumbprint": prints}));
    for id in ["client1", "other"] {
        register(server, id, &json!({"type": "certificateAuthority"}));
    }
}

#[test]
fn certificates_open_what_tokens_do() {
    if !Foreign::Curl.ready() {
        return;
    }
    let (server, elsewhere) = (asking(), Server::new());
    let (own, foreign) = (client(&server), client(&elsewhere));
    with_devices(&server, &foreign[0]);
    for (id, pair, status) in [
        ("pinned", &foreign, 204),
        ("pinned", &own, 401),
        ("client1", &own, 204),
        ("client1", &foreign, 401),
        ("other", &own, 401),
        ("device1", &own, 401),
        ("nobody", &own, 401),
    ] {
        for version in ["--http1.1", "--http2"] {
            let path = format!("/devices/{id}/messages/events");
            let sent = shown(&server, pair, &path, &[version, "--data-binary", "x"]);
            assert_eq!(sent.status, status, "{id} {version}: {}", sent.text());
        }
    }
    let tail = ["telemetry", "tail", "--from", "earliest", "--json", "-n", "4"];
    let told = String::from_utf8(server.verb(&tail).output().stdout).unwrap();
    assert_eq!((told.lines().count(), told.matches("x509").count()), (4, 4), "{told}");
    // A credential that is wrong is not passed over for one that is right.
    let bound = "/devices/client1/messages/devicebound";
    let wrong = ["-H", "Authorization: SharedAccessSignature sr=x&sig=y&se=1"];
    assert_eq!(shown(&server, &own, bound, &wrong).status, 401);
    let to = ["iothub-to: /devices/client1/messages/deviceBound"];
    assert_eq!(ask(&server, "POST", "/messages/deviceBound", &to, "stop").status, 204);
    let received = shown(&server, &own, bound, &[]);
    assert_eq!((received.status, received.text()), (200, "stop".into()));
    let lock = received.header("etag").unwrap().trim_matches('"').to_owned();
    let done = shown(&server, &own, &format!("{bound}/{lock}"), &["-X", "DELETE"]);
    assert_eq!(done.status, 204, "{}", done.text());
    // It opens no path of services.
    assert_eq!(shown(&server, &own, "/devices/client1", &[]).status, 401);
}

#[test]
fn a_websocket_brings_its_certificate_along() {
    if !Foreign::Curl.ready() {
        return;
    }
    let (server, elsewhere) = (asking(), Server::new());
    let (own, foreign) = (client(&server), client(&elsewhere));
    with_devices(&server, &foreign[0]);
    let user = |name: &str, value: &str| [&[0x26][..], &string(name), &string(value)].concat();
    let version = user("api-version", "2020-10-01-preview");
    let host = user("host", "localhost");
    let properties = [&[0x15][..], &string("X509"), &version, &host].concat();
    for (id, [cert, key], code) in [
        ("pinned", &foreign, 0),
        ("client1", &own, 0),
        ("client1", &foreign, 135),
        ("other", &own, 135),
    ] {
        let proof = Proof::Certificate(cert.clone(), key.clone());
        let mut socket = WebSocket::showing(&server, &proof);
        socket.write(handshake("/$iothub/websocket", "").as_bytes());
        assert_eq!(socket.answer().status, 101);
        socket.send(&connect(5, 0x02, id, &properties));
        let (first, body) = socket.packet();
        assert_eq!((first, body[1]), (0x20, code), "{id}: {body:02x?}");
    }
}
