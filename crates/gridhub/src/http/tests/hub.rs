//! The service API of a hub (iot-hub C1 to C4) over homes as the server's.

use serde_json::{Value, json};

use hub::sas::Token;

use super::double::Double;
use super::homes::key;
use super::{Reply, Server};
use crate::http::app::Settings;
use crate::http::hub::ROUTES;

const VERSION: &str = "api-version=2021-04-12";

pub fn server() -> Server {
    Server::with(Double::hub(), Settings::default())
}

/// With a token of a policy for all of the hub.
pub async fn ask_as(server: &Server, policy: &str, request: &str, more: &str, body: &str) -> Reply {
    let token = Token::make("hub", 4_000_000_000, Some(policy), &key(policy));
    ask_by(server, &token, request, more, body).await
}

pub async fn ask_by(server: &Server, token: &str, request: &str, more: &str, body: &str) -> Reply {
    let (method, path) = request.split_once(' ').unwrap();
    let path = if path.contains('?') { path.to_owned() } else { format!("{path}?{VERSION}") };
    let head = format!("{method} {path} HTTP/1.1\r\nhost: hub\r\nauthorization: {token}\r\n{more}");
    server.ask(head.trim_end(), body.as_bytes()).await
}

pub async fn ask(server: &Server, request: &str, more: &str, body: &str) -> Reply {
    ask_as(server, "owner", request, more, body).await
}

/// Status and code of a refusal, whose body and header have to agree.
pub fn refused(reply: &Reply) -> (u16, String) {
    let json = reply.json();
    let message = json["Message"].as_str().unwrap();
    let (code, text) = message.strip_prefix("ErrorCode:").unwrap().split_once(';').unwrap();
    assert!(!text.is_empty());
    assert_eq!(reply.header("iothub-errorcode"), Some(code));
    assert_eq!(reply.header("content-type"), Some("application/json; charset=utf-8"));
    let tracking = json["ExceptionMessage"].as_str().unwrap();
    assert!(tracking.starts_with("Tracking ID:"), "{tracking}");
    assert!(tracking.ends_with("-G:0-TimeStamp:11/21/2025 10:00:00"), "{tracking}");
    (reply.status, code.to_owned())
}

#[tokio::test]
async fn a_device_lives_by_its_etag() {
    let server = server();
    let made = ask(&server, "PUT /devices/D1", "", r#"{"deviceId":"D1","status":"enabled"}"#).await;
    assert_eq!(made.status, 200);
    let device = made.json();
    assert_eq!(device["authentication"]["type"], "sas");
    assert_eq!(device["authentication"]["symmetricKey"]["primaryKey"].as_str().unwrap().len(), 44);
    let etag = made.header("etag").unwrap().to_owned();
    assert_eq!(etag, format!("\"{}\"", device["etag"].as_str().unwrap()));
    assert_eq!(made.header("content-type"), Some("application/json; charset=utf-8"));
    let shown = ask(&server, "GET /Devices/D1/", "Request-Id: mine\r\n", "").await;
    assert_eq!((shown.json(), shown.header("x-ms-request-id")), (device, Some("mine")));
    let again = ask(&server, "PUT /devices/D1", "", "{}").await;
    assert_eq!(refused(&again), (409, "DeviceAlreadyExists".into()));
    let other = ask(&server, "PUT /devices/D1", "if-match: \"x\"\r\n", "{}").await;
    assert_eq!(refused(&other), (412, "PreconditionFailed".into()));
    let disabled = format!("if-match: {etag}\r\n");
    let changed = ask(&server, "PUT /devices/D1", &disabled, r#"{"status":"disabled"}"#).await;
    assert_eq!((changed.status, &changed.json()["status"]), (200, &json!("disabled")));
    assert_ne!(changed.header("etag"), Some(&*etag));
    let counts = ask(&server, "GET /statistics/devices", "", "").await.json();
    let expected =
        json!({"totalDeviceCount": 1, "enabledDeviceCount": 0, "disabledDeviceCount": 1});
    assert_eq!(counts, expected);
    let connected = ask(&server, "GET /statistics/service", "", "").await.json();
    assert_eq!(connected, json!({"connectedDeviceCount": 0}));
    let metrics = String::from_utf8(server.get("/metrics").await.body).unwrap();
    assert!(metrics.contains("gridhub_hub_devices{status=\"disabled\"} 1\n"), "{metrics}");
    let needed = ask(&server, "DELETE /devices/D1", "", "").await;
    assert_eq!(refused(&needed), (412, "PreconditionFailed".into()));
    let gone = ask(&server, "DELETE /devices/D1", "if-match: \"*\"\r\n", "").await;
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    for request in ["GET /devices/D1", "GET /twins/D1", "GET /devices/d1"] {
        let absent = ask(&server, request, "", "").await;
        assert_eq!(refused(&absent), (404, "DeviceNotFound".into()), "{request}");
    }
}

#[tokio::test]
async fn modules_and_lists() {
    let server = server();
    let orphan = ask(&server, "PUT /devices/d/modules/m", "", "{}").await;
    assert_eq!(refused(&orphan), (404, "DeviceNotFound".into()));
    for n in (0..7).rev() {
        assert_eq!(ask(&server, &format!("PUT /devices/d%23{n}"), "", "{}").await.status, 200);
    }
    let module = "PUT /devices/d%230/Modules/m";
    assert_eq!(ask(&server, module, "", "{}").await.status, 201);
    assert_eq!(ask(&server, module, "if-match: *\r\n", "{}").await.status, 200);
    let taken = ask(&server, module, "", "{}").await;
    assert_eq!(refused(&taken), (409, "ModuleAlreadyExistsOnDevice".into()));
    let modules = ask(&server, "GET /devices/d%230/modules/", "", "").await.json();
    assert_eq!(
        (modules[0]["moduleId"].as_str(), modules.as_array().unwrap().len()),
        (Some("m"), 1)
    );
    let list = |top: &str| format!("GET /devices/?{VERSION}{top}");
    let ids = |reply: Reply| -> Vec<String> {
        let all = reply.json();
        all.as_array().unwrap().iter().map(|d| d["deviceId"].as_str().unwrap().into()).collect()
    };
    let all: Vec<String> = (0..7).map(|n| format!("d#{n}")).collect();
    assert_eq!(ids(ask(&server, &list(""), "", "").await), all);
    assert_eq!(ids(ask(&server, &list("&top=3"), "", "").await), all[..3]);
    for top in ["0", "1001", "x", ""] {
        let reply = ask(&server, &list(&format!("&top={top}")), "", "").await;
        assert_eq!(refused(&reply), (400, "ArgumentInvalid".into()), "{top}");
    }
    let gone = ask(&server, "DELETE /devices/d%230/modules/m", "if-match: *\r\n", "").await;
    assert_eq!(gone.status, 204);
    let absent = ask(&server, "GET /twins/d%230/modules/m", "", "").await;
    assert_eq!(refused(&absent), (404, "ModuleNotFound".into()));
}

#[tokio::test]
async fn twins_are_merged_and_replaced() {
    let server = server();
    ask(&server, "PUT /devices/d", "", "{}").await;
    let twin = ask(&server, "GET /twins/d", "", "").await;
    assert_eq!(twin.header("etag"), Some("\"AAAAAAAAAAE=\""));
    assert_eq!(twin.json()["version"], 2);
    let patch = r#"{"tags":{"a":1},"properties":{"desired":{"x":{"y":1.50}},"reported":{"r":1}}}"#;
    let after = ask(&server, "PATCH /twins/d", "", patch).await;
    assert_eq!(after.header("etag"), Some("\"AAAAAAAAAAI=\""));
    assert!(String::from_utf8_lossy(&after.body).contains("1.50"));
    let after = after.json();
    assert_eq!(
        (&after["tags"], &after["properties"]["desired"]["$version"]),
        (&json!({"a": 1}), &json!(2))
    );
    assert_eq!(after["properties"]["reported"]["r"], Value::Null);
    let stale = ask(&server, "PATCH /twins/d", "if-match: \"AAAAAAAAAAE=\"\r\n", patch).await;
    assert_eq!(refused(&stale), (412, "PreconditionFailed".into()));
    let replaced = ask(&server, "PUT /twins/d", "if-match: \"*\"\r\n", r#"{"tags":{"b":2}}"#).await;
    assert_eq!((replaced.status, &replaced.json()["tags"]), (200, &json!({"b": 2})));
    for body in ["", "[]", "{", r#"{"tags":{"$a":1}}"#] {
        let reply = ask(&server, "PATCH /twins/d", "", body).await;
        assert_eq!(refused(&reply).0, 400, "{body}");
    }
    let huge = format!("{{\"tags\":\"{}\"}}", "x".repeat(600_000));
    let reply = ask(&server, "PATCH /twins/d", "", &huge).await;
    assert_eq!(refused(&reply), (413, "MessageTooLarge".into()));
}

#[tokio::test]
async fn bulk_rows_say_what_had_no_effect() {
    let server = server();
    let rows = r#"[{"id":"d","importMode":"create","tags":{"a":1}},
                   {"id":"d","moduleId":"m","importMode":"create"},
                   {"id":"e","importMode":"delete"},{"id":"f"}]"#;
    let reply = ask(&server, "POST /devices", "", rows).await;
    assert_eq!(reply.header("iothub-errorcode"), Some("BulkRegistryOperationFailure"));
    let json = reply.json();
    assert_eq!((reply.status, &json["isSuccessful"]), (400, &json!(false)));
    let errors: Vec<_> =
        json["errors"].as_array().unwrap().iter().map(|e| &e["errorCode"]).collect();
    assert_eq!(errors, ["DeviceNotFound", "ArgumentNull"]);
    assert_eq!(ask(&server, "GET /twins/d", "", "").await.json()["tags"], json!({"a": 1}));
    assert_eq!(ask(&server, "GET /devices/d/modules/m", "", "").await.status, 200);
    let fine = ask(&server, "POST /devices", "", r#"[{"id":"d","importMode":"delete"}]"#).await;
    assert_eq!(fine.status, 200);
    assert_eq!(fine.json(), json!({"isSuccessful": true, "errors": [], "warnings": []}));
    let many = format!("[{}]", vec!["{}"; 101].join(","));
    assert_eq!(refused(&ask(&server, "POST /devices", "", &many).await).0, 413);
}

/// The rows of all pages of `count`, and how many pages there were.
async fn rows_of(server: &Server, query: &str, count: usize) -> (Vec<Value>, usize) {
    let (mut rows, mut pages, mut token) = (Vec::new(), 0, String::new());
    let body = json!({ "query": query }).to_string();
    loop {
        let more = format!("x-ms-max-item-count: {count}\r\nx-ms-continuation: {token}\r\n");
        let page = ask(server, "POST /devices/query", &more, &body).await;
        assert_eq!(page.status, 200, "{}", String::from_utf8_lossy(&page.body));
        let found = page.json().as_array().unwrap().clone();
        assert!(found.len() <= count);
        rows.extend(found);
        pages += 1;
        match page.header("x-ms-continuation") {
            Some(next) => token = next.to_owned(),
            None => return (rows, pages),
        }
    }
}

#[tokio::test]
async fn queries_go_through_all_homes_in_order_page_by_page() {
    let server = server();
    for n in 0..40 {
        let path = format!("/devices/d{n:02}");
        assert_eq!(ask(&server, &format!("PUT {path}"), "", "{}").await.status, 200);
        let module = format!("PUT {path}/modules/m");
        assert_eq!(ask(&server, &module, "", "{}").await.status, 201);
        let tags = json!({"tags": {"n": n, "odd": n % 2 == 1}}).to_string();
        assert_eq!(ask(&server, &format!("PATCH /twins/d{n:02}"), "", &tags).await.status, 200);
    }
    let ids = |rows: &[Value]| -> Vec<String> {
        rows.iter().map(|row| row["deviceId"].as_str().unwrap().to_owned()).collect()
    };
    let expected = |odd: bool| -> Vec<String> {
        (0..40).filter(|n| !odd || n % 2 == 1).map(|n| format!("d{n:02}")).collect()
    };
    for (query, count, pages, odd) in [
        ("SELECT * FROM devices", 40, 1, false),
        ("SELECT * FROM devices", 39, 2, false),
        ("SELECT deviceId FROM devices", 7, 6, false),
        ("SELECT * FROM devices.modules", 10, 4, false),
        ("SELECT deviceId FROM devices WHERE tags.odd = true", 1, 20, true),
    ] {
        let (rows, found) = rows_of(&server, query, count).await;
        assert_eq!((ids(&rows), found), (expected(odd), pages), "{query}");
    }
    let (rows, pages) = rows_of(&server, "SELECT TOP 9 deviceId FROM devices", 4).await;
    assert_eq!((ids(&rows), pages), (expected(false)[..9].to_vec(), 3));
    let (rows, _) = rows_of(&server, "SELECT COUNT() AS c, AVG(tags.n) AS a FROM devices", 5).await;
    assert_eq!(rows, [json!({"c": 40, "a": 19.5})]);
    let grouped = "SELECT tags.n AS n, COUNT() AS c FROM devices GROUP BY tags.n";
    let (rows, pages) = rows_of(&server, grouped, 15).await;
    assert_eq!((rows.len(), pages), (40, 3));
    let (rows, pages) = rows_of(&server, "SELECT * FROM devices WHERE tags.n > 99", 5).await;
    assert_eq!((rows.len(), pages), (0, 1));
}

#[tokio::test]
async fn what_is_no_query_is_refused() {
    let server = server();
    for n in 0..2 {
        ask(&server, &format!("PUT /devices/d{n}"), "", "{}").await;
    }
    let all = r#"{"query":"SELECT * FROM devices"}"#;
    let first = ask(&server, "POST /devices/query", "x-ms-max-item-count: 1\r\n", all).await;
    assert_eq!(first.header("x-ms-item-type"), Some("Twin"));
    let token = format!("x-ms-continuation: {}\r\n", first.header("x-ms-continuation").unwrap());
    let raw = r#"{"query":"SELECT deviceId FROM devices"}"#;
    let reply = ask(&server, "POST /devices/Query", "", raw).await;
    assert_eq!(reply.header("x-ms-item-type"), Some("Raw"));
    for (more, body, code) in [
        ("", "", "IotHubFormatError"),
        ("", "{}", "IotHubFormatError"),
        ("", r#"{"query":"SELECT"}"#, "ArgumentInvalid"),
        ("x-ms-max-item-count: 0\r\n", all, "ArgumentInvalid"),
        ("x-ms-max-item-count: many\r\n", all, "ArgumentInvalid"),
        ("x-ms-continuation: x\r\n", all, "ArgumentInvalid"),
        (&token, raw, "ArgumentInvalid"),
    ] {
        let reply = ask(&server, "POST /devices/query", more, body).await;
        assert_eq!(refused(&reply), (400, code.into()), "{more}{body}");
    }
}

#[tokio::test]
async fn each_area_has_its_right() {
    let server = server();
    ask(&server, "PUT /devices/d", "", "{}").await;
    let (read, write, service) = ("RegistryRead", "RegistryWrite", "ServiceConnect");
    for (request, body, allowed) in [
        ("GET /devices", "", vec![read]),
        ("GET /devices/d", "", vec![read]),
        ("GET /devices/d/modules", "", vec![read]),
        ("POST /devices", "[]", vec![write]),
        ("PUT /devices/d", "{}", vec![write]),
        ("DELETE /devices/none", "", vec![write]),
        ("GET /twins/d", "", vec![service]),
        ("PATCH /twins/d", "{}", vec![service]),
        ("PUT /twins/d", "{}", vec![service]),
        ("POST /devices/query", r#"{"query":"SELECT * FROM devices"}"#, vec![service]),
        ("GET /statistics/devices", "", vec![read, service]),
        ("GET /statistics/service", "", vec![read, service]),
    ] {
        for policy in [read, write, service, "DeviceConnect", "owner"] {
            let reply = ask_as(&server, policy, request, "if-match: *\r\n", body).await;
            let may = allowed.contains(&policy) || policy == "owner";
            assert_eq!(reply.status != 401, may, "{policy} {request}");
            if !may {
                assert_eq!(refused(&reply), (401, "IotHubUnauthorizedAccess".into()));
            }
        }
        let contributor = ask_by(&server, "Bearer all", request, "if-match: *\r\n", body).await;
        assert_ne!(contributor.status, 401, "{request}");
        let publisher = ask_by(&server, "Bearer publisher", request, "", body).await;
        assert_eq!(refused(&publisher), (401, "IotHubUnauthorizedAccess".into()), "{request}");
    }
}

#[tokio::test]
async fn tokens_are_for_their_resource_their_time_and_their_key() {
    let server = server();
    ask(&server, "PUT /devices/d", "", "{}").await;
    let make = |resource: &str, expiry_s, policy| {
        Token::make(resource, expiry_s, Some(policy), &key("owner"))
    };
    let now_s = 1_763_719_200;
    for (token, good) in [
        (make("hub", now_s + 1, "owner"), true),
        (make("HUB:8443", now_s + 1, "owner"), true),
        (make("hub/devices/d", now_s + 1, "owner"), true),
        (make("hub", now_s - 299, "owner"), true),
        (make("hub", now_s - 300, "owner"), false),
        (make("hub/devices/e", now_s + 1, "owner"), false),
        (make("hub/twins", now_s + 1, "owner"), false),
        (make("other", now_s + 1, "owner"), false),
        (make("hub", now_s + 1, "nobody"), false),
        (make("hub", now_s + 1, "RegistryRead"), false),
        (Token::make("hub", now_s + 1, None, &key("owner")), false),
        ("SharedAccessSignature sr=hub".into(), false),
        ("Basic x".into(), false),
        ("Bearer bad".into(), false),
        (format!("{}\r\nauthorization: Bearer all", make("hub", now_s + 1, "owner")), false),
    ] {
        let reply = ask_by(&server, &token, "GET /devices/d", "", "").await;
        assert_eq!(reply.status, if good { 200 } else { 401 }, "{token}");
        if !good {
            assert_eq!(refused(&reply).1, "IotHubUnauthorizedAccess");
            let said = String::from_utf8_lossy(&reply.body).into_owned();
            let signature = token.split("&sig=").nth(1).and_then(|rest| rest.get(..20));
            assert!(signature.is_none_or(|signature| !said.contains(signature)), "{said}");
        }
    }
    let none = server.ask(&format!("GET /devices/d?{VERSION} HTTP/1.1\r\nhost: h"), b"").await;
    assert_eq!(refused(&none).0, 401);
}

#[tokio::test]
async fn every_version_is_taken_and_none_is_not() {
    let server = server();
    for (query, status) in [
        ("api-version=2016-02-03", 200),
        ("api-version=2030-01-01-preview", 200),
        ("api-version=", 400),
        ("x=1", 400),
    ] {
        let reply = ask(&server, &format!("GET /devices?{query}"), "", "").await;
        assert_eq!(reply.status, status, "{query}");
        if status == 400 {
            assert_eq!(refused(&reply).1, "InvalidProtocolVersion");
        }
    }
}

#[tokio::test]
async fn chunked_bodies_are_read() {
    let server = server();
    let token = Token::make("hub", 4_000_000_000, Some("owner"), &key("owner"));
    let mut client = server.connect();
    let request = format!(
        "PUT /devices/d?{VERSION} HTTP/1.1\r\nhost: hub\r\nauthorization: {token}\r\n\
         transfer-encoding: chunked\r\n\r\n9\r\n{{\"status\"\r\nb\r\n:\"enabled\"}}\r\n0\r\n\r\n"
    );
    client.send(request.as_bytes()).await;
    assert_eq!(client.reply().await.status, 200);
}

#[tokio::test]
async fn every_listed_route_is_there_with_exactly_its_methods() {
    let server = server();
    for (path, methods) in ROUTES {
        let path = path.replace("{deviceId}", "D%23").replace("{moduleId}", "m");
        let path = path.replace("{jobId}", "j");
        let path = path.replace("{lockToken}", "01234567-0123-0123-0123-012345678901");
        let reply = ask(&server, &format!("TRACE {path}"), "", "").await;
        assert_eq!(refused(&reply), (405, "GenericMethodNotAllowed".into()), "{path}");
        let allow = reply.header("allow").unwrap();
        assert!(allow == *methods || allow.starts_with(&format!("{methods}, ")), "{path}: {allow}");
    }
}

#[tokio::test]
async fn without_a_hub_and_elsewhere_nothing_is_there() {
    let none = Server::new();
    for (path, _) in ROUTES {
        assert_eq!(none.get(path).await.error(), (404, "NotFound".into()), "{path}");
    }
    let server = server();
    for path in ["/twins/d/x", "/messages/serviceBound/x", "/jobs/v2/j/x"] {
        assert_eq!(server.get(path).await.error(), (404, "NotFound".into()), "{path}");
    }
    let refused = server.get("/configurations").await;
    assert_eq!(refused.status, 403, "the cloud has it");
    assert_eq!(refused.header("iothub-errorcode"), Some("OperationNotAvailableInCurrentTier"));
    assert_eq!(none.get("/configurations").await.error(), (404, "NotFound".into()));
}
