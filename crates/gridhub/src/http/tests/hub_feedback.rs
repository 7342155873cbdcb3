//! Feedback of commands over HTTP (iot-hub C6), over homes as the server's: wherever a device is at
//! home, what its senders want to hear comes to one place.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use hub::sas::{Key, Token};

use super::homes::{HOMES, Homes};
use super::hub::{ask, ask_as, ask_by, refused, server};
use super::{Reply, Server};

/// A device on each home, and where they are.
async fn with_devices(server: &Server) -> Vec<String> {
    let homes = Homes::two();
    let (mut devices, mut found) = (Vec::new(), BTreeSet::new());
    for id in (0..).map(|n| format!("d{n}")) {
        if found.len() == HOMES {
            return devices;
        }
        if found.insert(homes.of(&id)) {
            let keys = json!({"symmetricKey": {"primaryKey": KEY, "secondaryKey": KEY}});
            let body = json!({ "authentication": keys }).to_string();
            assert_eq!(ask(server, &format!("PUT /devices/{id}"), "", &body).await.status, 200);
            devices.push(id);
        }
    }
    unreachable!("ids do not end")
}

async fn send(server: &Server, id: &str, name: &str, ack: &str) {
    let more = format!(
        "iothub-to: /devices/{id}/messages/deviceBound\r\niothub-messageid: {name}\r\n\
         iothub-ack: {ack}\r\n"
    );
    assert_eq!(ask(server, "POST /messages/deviceBound", &more, "x").await.status, 204);
}

/// The device receives its next command and settles it.
async fn settle(server: &Server, id: &str, more: &str) {
    let key = Key::from_base64(KEY).unwrap();
    let token = Token::make(&format!("hub/devices/{id}"), 4_000_000_000, None, &key);
    let bound = format!("/devices/{id}/messages/devicebound");
    let reply = ask_by(server, &token, &format!("GET {bound}"), "", "").await;
    let path = format!("DELETE {bound}/{}?{VERSION}{more}", lock(&reply));
    assert_eq!(ask_by(server, &token, &path, "", "").await.status, 204);
}

/// The next batch: homes tell each other by posts, which take a moment.
async fn batch(server: &Server) -> Reply {
    for _ in 0..TRIES {
        let reply = ask(server, &format!("GET {FEEDBACK}"), "", "").await;
        if reply.status != 204 {
            return reply;
        }
    }
    panic!("no feedback has come");
}

/// What waits is so much, soon.
async fn waits(server: &Server, count: usize) {
    let line = format!("gridhub_hub_feedback_waiting {count}\n");
    for _ in 0..TRIES {
        let metrics = String::from_utf8(server.get("/metrics").await.body).unwrap();
        if metrics.contains(&line) {
            assert!(metrics.contains("gridhub_hub_feedback_dropped_total 0\n"), "{metrics}");
            return;
        }
    }
    panic!("not {count} wait");
}

fn lock(reply: &Reply) -> String {
    assert_eq!(reply.status, 200);
    reply.header("etag").unwrap().trim_matches('"').to_owned()
}

fn outcomes(reply: &Reply) -> Vec<(String, String)> {
    let text = |end: &Value, key: &str| end[key].as_str().unwrap().to_owned();
    let ends = reply.json();
    let ends = ends.as_array().unwrap().iter();
    ends.map(|end| (text(end, "originalMessageId"), text(end, "statusCode"))).collect()
}

#[tokio::test]
async fn ends_of_all_homes_come_to_one_place() {
    let server = server();
    let devices = with_devices(&server).await;
    assert_eq!(ask(&server, &format!("GET {FEEDBACK}"), "", "").await.status, 204);
    for (n, id) in devices.iter().enumerate() {
        for (name, ack) in [("none", "none"), ("positive", "positive"), ("full", "Full")] {
            send(&server, id, &format!("{name}{n}"), ack).await;
        }
    }
    // The first end of all is a batch by itself.
    settle(&server, &devices[0], "").await;
    assert_eq!(ask(&server, &format!("GET {FEEDBACK}"), "", "").await.status, 204, "none wanted");
    settle(&server, &devices[0], "").await;
    let first = batch(&server).await;
    assert_eq!(outcomes(&first), [("positive0".into(), "Success".into())]);
    for (name, value) in [
        ("content-type", "application/vnd.microsoft.iothub.feedback.json"),
        ("iothub-userid", "hub"),
        ("iothub-deliverycount", "0"),
        ("iothub-enqueuedtime", "2025-11-21T10:00:00.0000000Z"),
    ] {
        assert_eq!(first.header(name), Some(value), "{name}");
    }
    let end = &first.json()[0];
    assert_eq!(end["deviceId"], json!(devices[0]));
    assert_eq!(end["description"], "Success");
    assert_eq!(end["enqueuedTimeUtc"], "2025-11-21T10:00:00.0000000Z");
    let device = ask(&server, &format!("GET /devices/{}", devices[0]), "", "").await.json();
    assert_eq!(end["deviceGenerationId"], device["generationId"]);
    let locked = ask(&server, &format!("GET {FEEDBACK}"), "", "").await;
    assert_eq!((locked.status, locked.body.len()), (204, 0));

    let lock = lock(&first);
    let abandon = format!("POST {FEEDBACK}/{lock}/abandon");
    assert_eq!(ask(&server, &abandon, "", "").await.status, 204);
    let late = ask(&server, &abandon, "", "").await;
    assert_eq!(refused(&late), (412, "DeviceMessageLockLost".into()));
    let again = ask(&server, "GET /Messages/SERVICEBOUND/Feedback/", "", "").await;
    assert_eq!(again.header("iothub-deliverycount"), Some("1"));
    assert_eq!(outcomes(&again), outcomes(&first));
    let complete = format!("DELETE {FEEDBACK}/%22{}%22", self::lock(&again));
    assert_eq!(ask(&server, &complete, "", "").await.status, 204);
    let late = ask(&server, &complete, "", "").await;
    assert_eq!(refused(&late), (412, "DeviceMessageLockLost".into()));

    // Of the other home: so many that a batch is full.
    for n in 0..64 {
        send(&server, &devices[1], &format!("m{n}"), "negative").await;
        if n % 40 == 39 {
            let purge = format!("DELETE /devices/{}/commands", devices[1]);
            assert_eq!(ask(&server, &purge, "", "").await.status, 200);
        }
    }
    for _ in 0..24 {
        settle(&server, &devices[1], "&reject").await;
    }
    waits(&server, 65).await;
    let full = batch(&server).await;
    let mut told = outcomes(&full);
    assert_eq!(told.len(), 64);
    assert_eq!(told.remove(0), ("full1".into(), "Purged".into()), "a positive one is not told");
    assert_eq!(told.iter().filter(|(_, how)| how == "Rejected").count(), 23);
    assert_eq!(ask(&server, &format!("GET {FEEDBACK}"), "", "").await.status, 204, "too early");
    // The rest goes with its device.
    let delete = format!("DELETE /devices/{}", devices[1]);
    assert_eq!(ask(&server, &delete, "if-match: *\r\n", "").await.status, 204);
    waits(&server, 0).await;
    let lost = format!("DELETE {FEEDBACK}/{}", self::lock(&full));
    assert_eq!(refused(&ask(&server, &lost, "", "").await).1, "DeviceMessageLockLost");
}

#[tokio::test]
async fn only_services_read_it() {
    let server = server();
    for (policy, status) in [("ServiceConnect", 204), ("RegistryRead", 401), ("DeviceConnect", 401)]
    {
        let reply = ask_as(&server, policy, &format!("GET {FEEDBACK}"), "", "").await;
        assert_eq!(reply.status, status, "{policy}");
    }
    let token = "0123ABCD-0000-1111-2222-333344445555";
    for (request, code) in [
        (format!("GET {FEEDBACK}?x=1"), "InvalidProtocolVersion"),
        (format!("PUT {FEEDBACK}"), "GenericMethodNotAllowed"),
        (format!("POST {FEEDBACK}/{token}"), "GenericMethodNotAllowed"),
        (format!("DELETE {FEEDBACK}/1"), "ArgumentInvalid"),
        (format!("DELETE {FEEDBACK}/{token}"), "DeviceMessageLockLost"),
        (format!("POST {FEEDBACK}/{token}/abandon"), "DeviceMessageLockLost"),
    ] {
        assert_eq!(refused(&ask(&server, &request, "", "").await).1, code, "{request}");
    }
}

const TRIES: usize = 100_000;
const FEEDBACK: &str = "/messages/serviceBound/feedback";
const VERSION: &str = "api-version=2021-04-12";
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
