//! Methods and commands over HTTP, and the device API by HTTP (iot-hub C5, C6, D6), over homes
//! as the server's. What a connected device does is the part of clients that others wrote.

use serde_json::{Value, json};

use hub::sas::{Key, Token};
use tokio::time::{Duration, timeout};

use super::homes::key;
use super::hub::{ask, ask_as, ask_by, refused, server};
use super::{Reply, Server};

/// The server and a device whose keys are known.
async fn with_device() -> Server {
    let server = server();
    let keys =
        json!({"authentication": {"symmetricKey": {"primaryKey": KEY, "secondaryKey": KEY}}});
    assert_eq!(ask(&server, "PUT /devices/D%231", "", &keys.to_string()).await.status, 200);
    server
}

async fn as_device(server: &Server, request: &str, more: &str) -> Reply {
    let token = Token::make("hub/devices/D#1", 4_000_000_000, None, &own_key());
    ask_by(server, &token, request, more, "").await
}

fn own_key() -> Key {
    Key::from_base64(KEY).unwrap()
}

async fn send(server: &Server, more: &str, body: &str) -> Reply {
    let more = format!("iothub-to: /devices/D#1/messages/deviceBound\r\n{more}");
    ask(server, "POST /messages/devicebound", &more, body).await
}

async fn sent(server: &Server, more: &str, body: &str) -> String {
    let reply = send(server, more, body).await;
    assert_eq!((reply.status, reply.body.len()), (204, 0), "{:?}", reply.body);
    reply.header("iothub-sequencenumber").unwrap().to_owned()
}

/// A command with the path of its lock.
async fn received(server: &Server, more: &str) -> (Reply, String) {
    let reply = as_device(server, &format!("GET {BOUND}"), more).await;
    assert_eq!(reply.status, 200);
    let lock = reply.header("etag").unwrap().trim_matches('"').to_owned();
    (reply, format!("{BOUND}/{lock}"))
}

async fn shown(server: &Server) -> Value {
    let reply = ask(server, "GET /admin/devices/D%231/commands", "", "").await;
    assert_eq!(reply.status, 200);
    reply.json()
}

#[tokio::test]
async fn a_command_goes_from_headers_to_headers() {
    let server = with_device().await;
    let all = "iothub-messageid: m1\r\niothub-correlationid: c1\r\niothub-userid: u1\r\n\
               iothub-expiry: 2025-11-21T11:00:00Z\r\niothub-ack: none\r\n\
               content-type: text/plain\r\niothub-contentencoding: utf-8\r\n\
               iothub-app-level: high\r\n";
    assert_eq!(sent(&server, all, "stop").await, "1");
    let waiting = &shown(&server).await["waiting"][0];
    assert_eq!((&waiting["state"], &waiting["body"]), (&json!("enqueued"), &json!("stop")));
    assert_eq!(waiting["properties"], json!({"level": "high"}));
    let (reply, path) = received(&server, "").await;
    assert_eq!(reply.body, b"stop");
    for (name, value) in [
        ("iothub-messageid", "m1"),
        ("iothub-correlationid", "c1"),
        ("iothub-userid", "u1"),
        ("iothub-sequencenumber", "1"),
        ("iothub-to", "/devices/D#1/messages/deviceBound"),
        ("iothub-ack", "none"),
        ("iothub-expiry", "2025-11-21T11:00:00.0000000Z"),
        ("iothub-deliverycount", "0"),
        ("iothub-enqueuedtime", "2025-11-21T10:00:00.0000000Z"),
        ("iothub-app-level", "high"),
        ("iothub-contenttype", "text/plain"),
        ("iothub-contentencoding", "utf-8"),
        ("content-type", "text/plain"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    assert_eq!(shown(&server).await["waiting"][0]["state"], "invisible");
    let none = as_device(&server, &format!("GET {BOUND}"), "").await;
    assert_eq!((none.status, none.body.len()), (204, 0), "it is locked");
    let lock = path.rsplit('/').next().unwrap();
    let other = format!("if-match: {}\r\n", lock.replace(char::is_numeric, "a"));
    let reply = as_device(&server, &format!("DELETE {path}"), &other).await;
    assert_eq!(refused(&reply), (412, "PreconditionFailed".into()));
    let own = format!("if-match: {lock}\r\n");
    assert_eq!(as_device(&server, &format!("DELETE {path}"), &own).await.status, 204);
    let late = as_device(&server, &format!("DELETE {path}"), &own).await;
    assert_eq!(refused(&late), (412, "DeviceMessageLockLost".into()));
}

#[tokio::test]
async fn a_device_rejects_abandons_and_a_service_purges() {
    let server = with_device().await;
    for body in ["reject", "abandon", "purge"] {
        sent(&server, "", body).await;
    }
    let (_, path) = received(&server, "IotHub-MessageLockTimeout: 300\r\n").await;
    let rejected = as_device(&server, &format!("DELETE {path}?{VERSION}&reject"), "").await;
    assert_eq!(rejected.status, 204);
    let (_, path) = received(&server, "").await;
    let path = path.replace("devicebound", "deviceBound");
    assert_eq!(as_device(&server, &format!("POST {path}/Abandon"), "").await.status, 204);
    let (again, _) = received(&server, "").await;
    assert_eq!(again.header("iothub-deliverycount"), Some("1"));
    assert_eq!(again.body, b"abandon");
    let purged = ask(&server, "DELETE /devices/D%231/commands", "", "").await;
    assert_eq!(purged.json(), json!({"deviceId": "D#1", "totalMessagesPurged": 1}));
    let shown = shown(&server).await;
    assert_eq!(shown["waiting"].as_array().unwrap().len(), 1, "what is in work is not purged");
    let dead: Vec<_> = shown["deadLetters"].as_array().unwrap().iter().collect();
    let of = |n: usize| (dead[n]["outcome"].as_str().unwrap(), dead[n]["body"].as_str().unwrap());
    assert_eq!([of(0), of(1)], [("Rejected", "reject"), ("Purged", "purge")]);
}

#[tokio::test]
async fn what_is_no_command_is_refused() {
    let server = with_device().await;
    let to = |more: &str| format!("iothub-to: {more}\r\n");
    let d9 = to("/devices/d9/messages/deviceBound");
    for (more, status, code) in [
        ("", 400, "ArgumentNull"),
        (&*to("d"), 400, "ArgumentInvalid"),
        (&*d9, 404, "DeviceNotFound"),
    ] {
        let reply = ask(&server, "POST /messages/deviceBound", more, "x").await;
        assert_eq!(refused(&reply), (status, code.into()), "{more}");
    }
    for (more, code) in [
        ("iothub-ack: some\r\n", "ArgumentInvalid"),
        ("iothub-expiry: soon\r\n", "ArgumentInvalid"),
        ("iothub-expiry: 2025-11-21T09:59:59Z\r\n", "InvalidMessageExpiryTime"),
        ("iothub-messageid: a b\r\n", "ArgumentInvalid"),
    ] {
        assert_eq!(refused(&send(&server, more, "").await).1, code, "{more}");
    }
    // The value of `to` counts as those of all system properties do (iot-hub B4).
    let room = 65_536 - "/devices/D#1/messages/deviceBound".len();
    sent(&server, "", &"x".repeat(room)).await;
    let long = send(&server, "", &"x".repeat(room + 1)).await;
    assert_eq!(refused(&long), (413, "MessageTooLarge".into()));
    for seconds in ["4", "301", "x", "-5"] {
        let more = format!("iothub-messagelocktimeout: {seconds}\r\n");
        let reply = as_device(&server, &format!("GET {BOUND}"), &more).await;
        assert_eq!(refused(&reply), (400, "ArgumentInvalid".into()), "{seconds}");
    }
}

#[tokio::test]
async fn devices_come_by_their_own_token_only() {
    let server = with_device().await;
    let make = |resource: &str, expiry_s, policy: Option<&str>, key: &Key| {
        Token::make(resource, expiry_s, policy, key)
    };
    let (now_s, own) = (1_763_719_200, &own_key());
    let policy = |name: &str| make("hub", now_s + 1, Some(name), &key(name));
    for (token, good) in [
        (make("hub/devices/D#1", now_s + 1, None, own), true),
        (make("hub", now_s + 1, None, own), true),
        (policy("DeviceConnect"), true),
        (policy("owner"), true),
        (policy("ServiceConnect"), false),
        (make("hub/devices/D", now_s + 1, None, own), false),
        (make("hub/devices/D#1", now_s - 300, None, own), false),
        (make("hub/devices/D#1", now_s + 1, None, &key("owner")), false),
        ("Bearer all".into(), false),
        ("SharedAccessSignature sr=hub".into(), false),
    ] {
        let reply = ask_by(&server, &token, &format!("GET {BOUND}"), "", "").await;
        assert_eq!(reply.status, if good { 204 } else { 401 }, "{token}");
        if !good {
            assert_eq!(refused(&reply).1, "IotHubUnauthorizedAccess");
        }
    }
    let other = make("hub/devices/d9", now_s + 1, None, own);
    let reply = ask_by(&server, &other, "GET /devices/d9/messages/devicebound", "", "").await;
    assert_eq!(refused(&reply).0, 401, "nobody hears who is registered");
    let none = server.ask(&format!("GET {BOUND}?{VERSION} HTTP/1.1\r\nhost: h"), b"").await;
    assert_eq!(refused(&none).0, 401);
    let unversioned = as_device(&server, &format!("GET {BOUND}?x=1"), "").await;
    assert_eq!(refused(&unversioned).1, "InvalidProtocolVersion");
}

#[tokio::test]
async fn a_device_sends_one_message_or_many() {
    let server = with_device().await;
    let token = Token::make("hub/devices/D#1", 4_000_000_000, None, &own_key());
    let send = async |more: &str, body: &str| {
        let path = "POST /devices/D%231/messages/Events";
        ask_by(&server, &token, path, more, body).await
    };
    let one = send("iothub-messageid: m1\r\niothub-app-level: high\r\n", "x").await;
    assert_eq!((one.status, one.body.len()), (204, 0), "{:?}", one.body);
    let many = "content-type: application/vnd.microsoft.iothub.json\r\n";
    let two = r#"[{"body":"eA==","properties":{"iothub-app-Level":"high"}},
                  {"body":"text","base64Encoded":false}]"#;
    assert_eq!(send(many, two).await.status, 204);
    let larger = "x".repeat(262_145);
    for (more, body, status, code) in [
        ("iothub-messageid: a b\r\n", "", 400, "ArgumentInvalid"),
        ("", &*larger, 413, "MessageTooLarge"),
        (many, "{", 400, "IotHubFormatError"),
        (many, "{}", 400, "IotHubFormatError"),
        (many, "[{}]", 400, "ArgumentInvalid"),
        (many, r#"[{"body":"x"}]"#, 400, "ArgumentInvalid"),
        (many, r#"[{"body":"","properties":{"a":"b"}}]"#, 400, "ArgumentInvalid"),
    ] {
        let reply = send(more, body).await;
        assert_eq!(refused(&reply), (status, code.into()), "{more}");
    }
    let owner = ask(&server, "POST /devices/D%231/messages/events", "", "x").await;
    assert_eq!(owner.status, 204, "a policy with DeviceConnect speaks for its devices");
    let service = ask_as(&server, "ServiceConnect", "POST /devices/D%231/messages/events", "", "");
    assert_eq!(service.await.status, 401);
}

/// The inner document of the second format of C9, whose code has to be the header's.
fn failed(reply: &Reply) -> (u16, Value) {
    let outer = reply.json();
    assert_eq!(outer["ExceptionMessage"], "");
    let inner: Value = serde_json::from_str(outer["Message"].as_str().unwrap()).unwrap();
    assert!(inner["trackingId"].as_str().unwrap().contains("-G:0-TimeStamp:"));
    assert_eq!(reply.header("content-type"), Some("application/json; charset=utf-8"));
    (reply.status, json!([inner["errorCode"], reply.header("iothub-errorcode")]))
}

#[tokio::test]
async fn methods_fail_in_the_second_format() {
    let server = with_device().await;
    let invoke = async |path: &str, body: &str| {
        failed(&ask(&server, &format!("POST /twins/{path}/methods"), "", body).await)
    };
    let m = r#"{"methodName":"m"}"#;
    let late = r#"{"methodName":"m","responseTimeoutInSeconds":301}"#;
    for (path, body, status, code) in [
        ("D%231", m, 404, json!([404_103, "DeviceNotOnline"])),
        ("d9", m, 404, json!([404_001, "DeviceNotFound"])),
        ("D%231/modules/m", m, 404, json!([404_010, "ModuleNotFound"])),
        ("D%231", "{}", 400, json!([400_005, "ArgumentNull"])),
        ("D%231", late, 400, json!([400_004, "ArgumentInvalid"])),
        ("D%231", "", 400, json!([400_006, "IotHubFormatError"])),
    ] {
        assert_eq!(invoke(path, body).await, (status, code), "{path} {body}");
    }
    let nobody = ask_as(&server, "RegistryRead", "POST /twins/D%231/methods", "", m).await;
    assert_eq!(refused(&nobody).0, 401);
}

/// As many calls as may wait for a device wait, and their callers go away: there is room again.
#[tokio::test]
async fn a_caller_who_goes_away_hangs_up() {
    let server = with_device().await;
    let token = Token::make("hub", 4_000_000_000, Some("owner"), &key("owner"));
    let body = r#"{"methodName":"m","connectTimeoutInSeconds":300}"#;
    let head = format!(
        "POST /twins/D%231/methods?{VERSION} HTTP/1.1\r\nhost: hub\r\nauthorization: {token}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut callers = Vec::new();
    let full = (403, json!([403_800, "DeviceMaximumInflightMethodExceeded"]));
    for _ in 0..hub::method::CALLS_MAX {
        let mut caller = server.connect();
        caller.send(head.as_bytes()).await;
        callers.push(caller);
    }
    let one_more = async |server: &Server| {
        failed(&ask(server, "POST /twins/D%231/methods", "", r#"{"methodName":"m"}"#).await)
    };
    let turns = async {
        // The last of them may still be on its way.
        while one_more(&server).await != full {}
        drop(callers);
        while one_more(&server).await == full {}
    };
    timeout(Duration::from_secs(20), turns).await.expect("they have hung up");
}

const VERSION: &str = "api-version=2021-04-12";
const BOUND: &str = "/devices/D%231/messages/devicebound";
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
