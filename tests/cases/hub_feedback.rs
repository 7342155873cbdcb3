//! Feedback of commands as services see it (iot-hub B2, C6): by curl, by Azure's SDK as it comes
//! from PyPI, and after a process was killed.
use crate::hub_service::ask;
use e2e::curl::{Answer, Curl};
use e2e::server::Folder;
use e2e::token::sas;
use e2e::until::until;
use e2e::{Foreign, Options, Script, Server, azure_python};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const FEEDBACK: &str = "/messages/serviceBound/feedback";
const VERSION: &str = "api-version=2021-04-12";

#[track_caller]
fn send(server: &Server, device: &str, name: &str, ack: &str) {
    let to = format!("iothub-to: /devices/{device}/messages/deviceBound");
    let headers = [&*to, &format!("iothub-messageid: {name}"), &format!("iothub-ack: {ack}")];
    let answer = ask(server, "POST", "/messages/deviceBound", &headers, "x");
    assert_eq!(answer.status, 204, "{}", answer.text());
}

/// A device that comes by HTTP receives its next command and settles it.
#[track_caller]
fn settle(server: &Server, more: &str) {
    let token = sas("localhost/devices/device1", server.ready["device"]["key"].as_str().unwrap());
    let asking = |method: &str, path: &str| -> Answer {
        let curl = Curl::anonymous(server, path).arguments(&["-X", method]);
        curl.header(&format!("Authorization: {token}")).send()
    };
    let bound = "/devices/device1/messages/devicebound";
    let got = asking("GET", &format!("{bound}?{VERSION}"));
    assert_eq!(got.status, 200, "{}", got.text());
    let lock = got.header("etag").unwrap().trim_matches('"');
    let settled = asking("DELETE", &format!("{bound}/{lock}?{VERSION}{more}"));
    assert_eq!(settled.status, 204, "{}", settled.text());
}

/// Ends by message id.
fn ends(batch: &Value) -> Vec<(String, String)> {
    let text = |end: &Value, key: &str| end[key].as_str().unwrap().to_owned();
    let ends = batch.as_array().unwrap().iter();
    ends.map(|end| (text(end, "originalMessageId"), text(end, "statusCode"))).collect()
}

/// A batch, soon.
fn batch(server: &Server) -> Answer {
    until("feedback", || {
        let answer = ask(server, "GET", FEEDBACK, &[], "");
        (answer.status != 204).then_some(answer)
    })
}

/// Each time the process is killed in another place: what was acknowledged is told, until it was
/// understood.
#[test]
fn what_becomes_of_commands_survives_kill_9() {
    if !Foreign::Curl.ready() {
        return;
    }
    let folder = Folder::new();
    let options = Options::on(&folder.path().join("data"));
    let mut server = Server::start(&options);
    let again = |server: Server| {
        // Dropped is killed.
        drop(server);
        Server::start(&options)
    };
    let ids: Vec<String> = (0..4).map(|n| format!("d{n}")).collect();
    for id in &ids {
        assert_eq!(ask(&server, "PUT", &format!("/devices/{id}"), &[], "{}").status, 200);
        send(&server, id, &format!("{id}-full"), "full");
        send(&server, id, &format!("{id}-positive"), "positive");
    }
    server = again(server);
    for id in &ids {
        let purged = ask(&server, "DELETE", &format!("/devices/{id}/commands"), &[], "");
        assert_eq!(purged.json()["totalMessagesPurged"], 2, "{}", purged.text());
    }
    server = again(server);
    let first = batch(&server);
    let expected: BTreeSet<(String, String)> =
        ids.iter().map(|id| (format!("{id}-full"), "Purged".to_owned())).collect();
    assert_eq!(ends(&first.json()).into_iter().collect::<BTreeSet<_>>(), expected);
    server = again(server);
    let gone = ask(&server, "DELETE", "/devices/d3", &["If-Match: *"], "");
    assert_eq!(gone.status, 204, "{}", gone.text());
    server = again(server);
    let second = batch(&server);
    assert_eq!(ends(&second.json()).len(), 3, "one device has taken its own along");
    let lock = second.header("etag").unwrap().trim_matches('"').to_owned();
    let abandoned = ask(&server, "POST", &format!("{FEEDBACK}/{lock}/abandon"), &[], "");
    assert_eq!(abandoned.status, 204, "{}", abandoned.text());
    server = again(server);
    let third = batch(&server);
    assert_eq!(third.header("iothub-deliverycount"), Some("1"));
    let lock = third.header("etag").unwrap().trim_matches('"').to_owned();
    let completed = ask(&server, "DELETE", &format!("{FEEDBACK}/{lock}"), &[], "");
    assert_eq!(completed.status, 204, "{}", completed.text());
    server = again(server);
    send(&server, "d0", "last", "negative");
    assert_eq!(ask(&server, "DELETE", "/devices/d0/commands", &[], "").status, 200);
    assert_eq!(ends(&batch(&server).json()), [("last".into(), "Purged".into())]);
}

#[test]
fn python_receives_completes_and_abandons_feedback() {
    if !Foreign::AzurePython.ready() || !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    let mut sdk = azure_python(&server, &server.text("hub_connection_string"));
    let call = |sdk: &mut Script, method: &str, args: Value| {
        let command =
            json!({ "of": "http_runtime", "call": method, "args": args, "raw": args == json!([]) });
        sdk.ask(&command)
    };
    let receive = |sdk: &mut Script| {
        until("feedback", || {
            let got = call(sdk, "receive_feedback_notification", json!([]))["result"].clone();
            (got["status"] == 200).then_some(got)
        })
    };
    let none = call(&mut sdk, "receive_feedback_notification", json!([]));
    assert_eq!(none["result"]["status"], 204);
    for name in ["first", "second"] {
        send(&server, "device1", name, "full");
    }
    settle(&server, "");
    let got = receive(&mut sdk);
    assert_eq!(ends(&got["body"]), [("first".into(), "Success".into())]);
    let kind = got["headers"]["content-type"].as_str().unwrap();
    assert_eq!(kind, "application/vnd.microsoft.iothub.feedback.json");
    let lock = got["headers"]["etag"].as_str().unwrap().trim_matches('"').to_owned();
    let done = call(&mut sdk, "abandon_feedback_notification", json!([lock]));
    assert!(done["refused"].is_null(), "{done}");
    let got = receive(&mut sdk);
    assert_eq!(got["headers"]["iothub-deliverycount"], "1");
    // As it came, with its quotes.
    let lock = got["headers"]["etag"].clone();
    let done = call(&mut sdk, "complete_feedback_notification", json!([lock]));
    assert!(done["refused"].is_null(), "{done}");
    let late = call(&mut sdk, "complete_feedback_notification", json!([lock]));
    assert_eq!(late["refused"], 412);
    // As the SDK's own example has it, which learns nothing but that it went well.
    let plain = json!({"of": "http_runtime", "call": "receive_feedback_notification"});
    let plain = sdk.ask(&plain);
    assert!(plain["refused"].is_null() && plain["result"].is_null(), "{plain}");
    settle(&server, "&reject");
    // The next batch is 15 seconds behind the last; the clock of `dev` may be moved.
    let moved = Curl::to(&server, "/admin/clock").post(br#"{"advance":"15s"}"#).send();
    assert_eq!(moved.status, 200, "{}", moved.text());
    assert_eq!(ends(&receive(&mut sdk)["body"]), [("second".into(), "Rejected".into())]);
}
