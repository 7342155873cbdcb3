//! The service API as curl sees it (iot-hub C1, C9), and what a killed process still knows.
use e2e::curl::{Answer, Curl};
use e2e::server::Folder;
use e2e::{Foreign, Options, Server};
use serde_json::json;

const VERSION: &str = "api-version=2021-04-12";

/// Asks with the token that may do everything.
#[track_caller]
pub fn ask(server: &Server, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
    asking(server, method, path, headers, body).send()
}

/// The same, not sent yet: a thread may take it along.
pub fn asking(server: &Server, method: &str, path: &str, headers: &[&str], body: &str) -> Curl {
    let sign = if path.contains('?') { '&' } else { '?' };
    let curl = Curl::to(server, &format!("{path}{sign}{VERSION}"));
    let curl = headers.iter().fold(curl, |curl, line| curl.header(line));
    let curl = if body.is_empty() { curl } else { curl.post(body.as_bytes()) };
    curl.arguments(&["-X", method])
}

/// Must be a refusal in the first form of C9.
#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("iothub-errorcode"), Some(code));
    let json = answer.json();
    let message = json["Message"].as_str().unwrap();
    assert!(message.starts_with(&format!("ErrorCode:{code};")), "{message}");
    assert!(json["ExceptionMessage"].as_str().unwrap().starts_with("Tracking ID:"));
}

#[test]
fn quirks_of_paths_headers_and_bodies() {
    if !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    let id = "a%23%25%2B%24'";
    let made = ask(&server, "PUT", &format!("/Devices/{id}/"), &[], "{\"deviceId\":\"a#%+$'\"}");
    assert_eq!(made.status, 200, "{}", made.text());
    assert_eq!(made.header("content-type"), Some("application/json; charset=utf-8"));
    let etag = made.json()["etag"].as_str().unwrap().to_owned();
    assert_eq!(made.header("etag"), Some(&*format!("\"{etag}\"")));
    let chunked = ["Transfer-Encoding: chunked", &format!("If-Match: {etag}")];
    let changed =
        ask(&server, "PUT", &format!("/devices/{id}"), &chunked, "{\"status\":\"disabled\"}");
    assert_eq!(changed.json()["status"], "disabled", "{}", changed.text());
    let listed = ask(&server, "GET", "/devices/?top=1000", &["Request-Id: r1"], "");
    assert_eq!(listed.header("x-ms-request-id"), Some("r1"));
    assert_eq!(listed.json().as_array().unwrap().len(), 2);
    let any = ask(
        &server,
        "PATCH",
        &format!("/TWINS/{id}"),
        &["If-Match: \"*\""],
        "{\"tags\":{\"a\":1}}",
    );
    assert_eq!(any.json()["tags"], json!({"a": 1}), "{}", any.text());
    refused(&ask(&server, "GET", "/devices/A%23", &[], ""), 404, "DeviceNotFound");
    refused(&ask(&server, "GET", "/devices/%ff", &[], ""), 400, "ArgumentInvalid");
    refused(&ask(&server, "POST", "/devices/device1", &[], "{}"), 405, "GenericMethodNotAllowed");
    refused(&Curl::to(&server, "/devices").send(), 400, "InvalidProtocolVersion");
    let nobody = Curl::anonymous(&server, &format!("/devices?{VERSION}")).send();
    refused(&nobody, 401, "IotHubUnauthorizedAccess");
    Curl::to(&server, "/twins/device1/x").post(b"{}").send().refused(404);
    let off = Server::start(&Options::with(&["--profile", "event-grid"]));
    Curl::to(&off, &format!("/devices?{VERSION}")).send().refused(404);
}

/// Every third request the process is killed: what it answered is there afterwards.
#[test]
fn what_was_answered_survives_kill_9() {
    if !Foreign::Curl.ready() {
        return;
    }
    let folder = Folder::new();
    let options = Options::on(&folder.path().join("data"));
    let mut server = Server::start(&options);
    let device1 = server.ready["device"].clone();
    let mut etags = Vec::new();
    for n in 0..4 {
        let id = format!("d{n}");
        let made = ask(&server, "PUT", &format!("/devices/{id}"), &[], "{}");
        assert_eq!(made.status, 200, "{}", made.text());
        let twin = format!("{{\"tags\":{{\"n\":{n}}}}}");
        let patched = ask(&server, "PATCH", &format!("/twins/{id}"), &[], &twin);
        assert_eq!(patched.status, 200, "{}", patched.text());
        etags.push(made.header("etag").unwrap().to_owned());
        if n > 0 {
            let gone =
                ask(&server, "DELETE", &format!("/devices/d{}", n - 1), &["If-Match: *"], "");
            assert_eq!(gone.status, 204, "{}", gone.text());
        }
        // Dropped is killed.
        drop(server);
        server = Server::start(&options);
        assert_eq!(server.ready["device"], device1);
        let found = ask(&server, "GET", &format!("/devices/{id}"), &[], "");
        assert_eq!(found.header("etag"), Some(&*etags[n]), "{}", found.text());
        let twin = ask(&server, "GET", &format!("/twins/{id}"), &[], "").json();
        assert_eq!((&twin["tags"]["n"], &twin["version"]), (&json!(n), &json!(3)));
        let counts = ask(&server, "GET", "/statistics/devices", &[], "").json();
        assert_eq!(counts["totalDeviceCount"], 2, "device1 and the last one");
    }
}
