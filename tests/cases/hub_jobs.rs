//! Jobs as services see them (iot-hub C7): by Azure's SDKs as they come from PyPI and npm, and
//! after a process was killed in the middle of one.
use crate::hub_service::ask;
use e2e::ports::StandardPorts;
use e2e::server::Folder;
use e2e::until::until;
use e2e::{Foreign, Options, Script, Server, azure_node, azure_python};
use serde_json::{Value, json};

#[track_caller]
fn with_devices(server: &Server, count: usize) {
    for first in (0..count).step_by(100) {
        let ids = first..count.min(first + 100);
        let rows: Vec<Value> = ids
            .map(|n| json!({"id": format!("d{n}"), "importMode": "create", "tags": {"n": n}}))
            .collect();
        let made = ask(server, "POST", "/devices", &[], &json!(rows).to_string());
        assert_eq!(made.status, 200, "{}", made.text());
    }
}

fn job(server: &Server, id: &str) -> Value {
    let answer = ask(server, "GET", &format!("/jobs/v2/{id}"), &[], "");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Killed twice on the way: the job goes on where it was, and writes no twin twice.
#[test]
fn a_job_goes_on_after_kill_9() {
    if !Foreign::Curl.ready() {
        return;
    }
    let folder = Folder::new();
    let options = Options::on(&folder.path().join("data"));
    let mut server = Server::start(&options);
    with_devices(&server, 2_000);
    let body = r#"{"type":"scheduleUpdateTwin","queryCondition":"tags.n >= 0",
        "updateTwin":{"properties":{"desired":{"level":1}}}}"#;
    let made = ask(&server, "PUT", "/jobs/v2/j", &[], body);
    assert_eq!(made.status, 200, "{}", made.text());
    let succeeded = |job: &Value| job["deviceJobStatistics"]["succeededCount"].as_u64().unwrap();
    let mut before = 0;
    for _ in 0..2 {
        // Dropped is killed.
        drop(server);
        server = Server::start(&options);
        let now = job(&server, "j");
        assert!(succeeded(&now) >= before, "{now}");
        before = succeeded(&now);
    }
    let last = until("the end of the job", || {
        Some(job(&server, "j")).filter(|job| job["status"] == "completed")
    });
    let counts = json!({"deviceCount": 2000, "failedCount": 0, "succeededCount": 2000,
                        "runningCount": 0, "pendingCount": 0});
    assert_eq!(last["deviceJobStatistics"], counts);
    let query = json!({"query": "SELECT COUNT() AS n FROM devices WHERE version = 4 \
                       AND properties.desired.level = 1"});
    let once = ask(&server, "POST", "/devices/query", &[], &query.to_string());
    let twin = ask(&server, "GET", "/twins/d7", &[], "").text();
    assert_eq!(once.json()[0]["n"], 2_000, "{} {twin}", once.text());
    drop(server);
    server = Server::start(&options);
    assert_eq!(job(&server, "j"), last);
}

#[track_caller]
fn call(sdk: &mut Script, method: &str, args: Value) -> Value {
    let answer = sdk.ask(&json!({ "of": "job", "call": method, "args": args }));
    assert!(answer["refused"].is_null(), "{method}: {answer}");
    answer["result"].clone()
}

fn model(name: &str, fields: Value) -> Value {
    json!({ "model": name, "fields": fields })
}

#[test]
fn python_schedules_follows_and_cancels_jobs() {
    if !Foreign::AzurePython.ready() || !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    with_devices(&server, 3);
    let mut sdk = azure_python(&server, &server.text("hub_connection_string"));
    let twin = model("Twin", json!({"etag": "*", "tags": {"by": "job"}}));
    let request = model(
        "JobRequest",
        json!({"job_id": "twins", "type": "scheduleUpdateTwin",
        "update_twin": twin, "query_condition": "tags.n > 0",
        "max_execution_time_in_seconds": 60}),
    );
    let made = call(&mut sdk, "create_scheduled_job", json!(["twins", request]));
    assert_eq!((&made["job_id"], &made["type"]), (&json!("twins"), &json!("scheduleUpdateTwin")));
    let done = until("the end of the job", || {
        let job = call(&mut sdk, "get_scheduled_job", json!(["twins"]));
        (job["status"] == "completed").then_some(job)
    });
    assert_eq!(done["device_job_statistics"]["succeeded_count"], 2, "{done}");
    assert_eq!(ask(&server, "GET", "/twins/d2", &[], "").json()["tags"]["by"], "job");
    assert!(ask(&server, "GET", "/twins/d0", &[], "").json()["tags"]["by"].is_null());
    let again = json!({"of": "job", "call": "create_scheduled_job", "args": ["twins", request]});
    assert_eq!(sdk.ask(&again)["refused"], 409);
    let method = model(
        "CloudToDeviceMethod",
        json!({"method_name": "m", "payload": {"a": 1},
        "response_timeout_in_seconds": 5, "connect_timeout_in_seconds": 0}),
    );
    let request = |start: Value| {
        model(
            "JobRequest",
            json!({"job_id": "m", "type": "scheduleDeviceMethod",
            "cloud_to_device_method": method, "query_condition": "*", "start_time": start}),
        )
    };
    call(&mut sdk, "create_scheduled_job", json!(["m", request(Value::Null)]));
    let failed = until("the end of the job", || {
        let job = call(&mut sdk, "get_scheduled_job", json!(["m"]));
        (job["status"] == "failed").then_some(job)
    });
    assert_eq!(failed["device_job_statistics"]["failed_count"], 4, "nobody is there: {failed}");
    let later = request(json!("2099-01-01T00:00:00Z"));
    let later = model("JobRequest", {
        let mut fields = later["fields"].clone();
        fields["job_id"] = json!("later");
        fields
    });
    assert_eq!(
        call(&mut sdk, "create_scheduled_job", json!(["later", later]))["status"],
        "scheduled"
    );
    let cancelled = call(&mut sdk, "cancel_scheduled_job", json!(["later"]));
    assert_eq!(cancelled["status"], "cancelled");
    // Its query_scheduled_jobs is left out: it wants one object, where Node's SDK wants an array
    // and a continuation in a header, which is what the hub gives.
    let missing = json!({"of": "job", "call": "get_scheduled_job", "args": ["none"]});
    assert_eq!(sdk.ask(&missing)["refused"], 404);
}

#[test]
fn node_does_the_same_where_port_443_is_free() {
    if !Foreign::AzureNode.ready() || !Foreign::Curl.ready() {
        return;
    }
    // This SDK takes no port.
    let Some(_port) = StandardPorts::take(&[443]) else { return };
    let server = Server::start(&Options::with(&["--https", "127.0.0.1:443"]));
    with_devices(&server, 5);
    let text = server.text("hub_connection_string").replace("localhost:443;", "localhost;");
    let mut sdk = azure_node(&server, &text);
    let patch = json!({"etag": "*", "tags": {"by": "job"}});
    let args = json!(["twins", "tags.n < 3", patch]);
    assert_eq!(call(&mut sdk, "scheduleTwinUpdate", args)["jobId"], "twins");
    let done = until("the end of the job", || {
        let job = call(&mut sdk, "getJob", json!(["twins"]));
        (job["status"] == "completed").then_some(job)
    });
    assert_eq!(done["deviceJobStatistics"]["succeededCount"], 3, "{done}");
    for id in ["m1", "m2", "m3"] {
        let method = json!({"methodName": "m", "payload": {"a": 1}});
        call(&mut sdk, "scheduleDeviceMethod", json!([id, "*", method]));
    }
    let pages = until("the end of all jobs", || {
        let asked = json!({ "jobs": ["scheduleDeviceMethod", "failed"], "page": 2 });
        let pages = sdk.ask(&asked)["result"].as_array().unwrap().clone();
        let sizes: Vec<_> = pages.iter().map(|page| page.as_array().unwrap().len()).collect();
        (sizes == [2, 1]).then_some(pages)
    });
    assert_eq!(pages[1][0]["jobId"], "m3");
    let rows = sdk.ask(&json!({
        "query": "SELECT * FROM devices.jobs WHERE status = 'completed'", "page": 9 }));
    assert_eq!(rows["result"][0].as_array().unwrap().len(), 3, "{rows}");
    let late = sdk.ask(&json!({"of": "job", "call": "cancelJob", "args": ["twins"]}));
    assert!(!late["refused"].is_null(), "{late}");
}
