//! Jobs over HTTP (iot-hub C7, B7), over homes as the server's: devices of every home.

use serde_json::{Value, json};

use super::hub::{ask, ask_as, refused, server};
use super::{Reply, Server};

/// The server with devices d00 to d29, on both homes.
async fn with_devices() -> Server {
    let server = server();
    for n in 0..30 {
        let made = ask(&server, &format!("PUT /devices/d{n:02}"), "", "{}").await;
        assert_eq!(made.status, 200);
    }
    let tags = r#"{"tags":{"chosen":true}}"#;
    for n in 0..10 {
        assert_eq!(ask(&server, &format!("PATCH /twins/d{n:02}"), "", tags).await.status, 200);
    }
    server
}

async fn plan(server: &Server, id: &str, body: &Value) -> Reply {
    ask(server, &format!("PUT /jobs/v2/{id}"), "", &body.to_string()).await
}

/// The job once it has this status.
async fn until(server: &Server, id: &str, status: &str) -> Value {
    for _ in 0..TRIES {
        let reply = ask(server, &format!("GET /jobs/v2/{id}"), "", "").await;
        assert_eq!(reply.status, 200);
        let job = reply.json();
        if job["status"] == status {
            return job;
        }
    }
    panic!("job {id} is never {status}");
}

fn twin(condition: &str) -> Value {
    json!({"type": "scheduleUpdateTwin", "queryCondition": condition,
           "updateTwin": {"properties": {"desired": {"level": 1}}}})
}

/// All pages of a query, and how many rows each has.
async fn query(server: &Server, text: &str, rows: usize) -> (Vec<Value>, Vec<usize>) {
    let (mut all, mut sizes, mut token) = (Vec::new(), Vec::new(), None::<String>);
    loop {
        let more = token.map_or_else(String::new, |t| format!("x-ms-continuation: {t}\r\n"));
        let more = format!("x-ms-max-item-count: {rows}\r\n{more}");
        let body = json!({ "query": text }).to_string();
        let reply = ask(server, "POST /devices/query", &more, &body).await;
        assert_eq!((reply.status, reply.header("x-ms-item-type")), (200, Some("DeviceJob")));
        let page = reply.json();
        sizes.push(page.as_array().unwrap().len());
        all.extend(page.as_array().unwrap().iter().cloned());
        token = reply.header("x-ms-continuation").map(str::to_owned);
        if token.is_none() {
            return (all, sizes);
        }
    }
}

#[tokio::test]
async fn a_job_goes_over_the_devices_of_all_homes() {
    let server = with_devices().await;
    let made = plan(&server, "J:1", &twin("tags.chosen = true")).await;
    assert_eq!(made.status, 200);
    assert_eq!(made.header("content-type"), Some("application/json; charset=utf-8"));
    let job = made.json();
    assert_eq!((&job["jobId"], &job["type"]), (&json!("J:1"), &json!("scheduleUpdateTwin")));
    assert_eq!(job["createdTime"], "2025-11-21T10:00:00.0000000Z");
    let again = plan(&server, "J%3A1", &twin("*")).await;
    assert_eq!(refused(&again), (409, "JobAlreadyExists".into()));
    let job = until(&server, "J%3A1", "completed").await;
    let counts = json!({"deviceCount": 10, "failedCount": 0, "succeededCount": 10,
                        "runningCount": 0, "pendingCount": 0});
    assert_eq!(job["deviceJobStatistics"], counts);
    assert_eq!(job["updateTwin"], json!({"properties": {"desired": {"level": 1}}}));
    for n in 0..30 {
        let twin = ask(&server, &format!("GET /twins/d{n:02}"), "", "").await.json();
        let level = &twin["properties"]["desired"]["level"];
        assert_eq!(*level, if n < 10 { json!(1) } else { Value::Null }, "{n}");
    }
    let late = ask(&server, "POST /jobs/v2/J:1/Cancel", "", "").await;
    assert_eq!(refused(&late), (405, "OperationNotAllowedInCurrentState".into()));

    let all = "SELECT * FROM devices.jobs WHERE devices.jobs.status = 'completed'";
    let (rows, sizes) = query(&server, all, 4).await;
    assert_eq!(sizes, [4, 4, 2]);
    let mut ids: Vec<_> = rows.iter().map(|row| row["deviceId"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..10).map(|n| format!("d{n:02}")).collect::<Vec<_>>());
    let (rows, sizes) = query(&server, "SELECT TOP 5 * FROM devices.jobs", 3).await;
    assert_eq!((rows.len(), sizes), (5, vec![3, 2]));
    let one =
        "SELECT * FROM devices.jobs WHERE deviceId = 'd03' AND jobType = 'scheduleUpdateTwin'";
    assert_eq!(query(&server, one, 100).await.0.len(), 1);
}

#[tokio::test]
async fn methods_fail_where_nobody_is_and_jobs_are_listed_and_cancelled() {
    let server = with_devices().await;
    let method = |start: &str, condition: &str| {
        json!({"type": "scheduleDeviceMethod", "queryCondition": condition, "startTime": start,
               "cloudToDeviceMethod": {"methodName": "m", "payload": [1]}})
    };
    let body = method("", "deviceId IN ['d00', 'd29', 'none']");
    assert_eq!(plan(&server, "m1", &body).await.status, 200);
    let failed = until(&server, "m1", "failed").await;
    assert_eq!(failed["deviceJobStatistics"]["failedCount"], 2);
    assert_eq!(failed["cloudToDeviceMethod"]["payload"], json!([1]));
    assert_eq!(failed["failureReason"], "all devices have failed");
    let (rows, _) = query(&server, "SELECT * FROM devices.jobs WHERE status = 'failed'", 9).await;
    assert!(rows.iter().all(|row| row["error"]["code"] == "404103"), "{rows:?}");
    for n in 2..6 {
        let later = method("2025-11-21T11:00:00Z", "*");
        let made = plan(&server, &format!("m{n}"), &later).await.json();
        assert_eq!(made["status"], "scheduled");
    }
    assert_eq!(plan(&server, "t1", &twin("deviceId = 'none'")).await.status, 200);
    until(&server, "t1", "completed").await;
    let cancelled = ask(&server, "POST /jobs/v2/m3/cancel", "", "").await;
    assert_eq!((cancelled.status, &cancelled.json()["status"]), (200, &json!("cancelled")));
    let listed = async |parameters: &str, more: &str| {
        let path = format!("GET /jobs/v2/query?api-version=2021-04-12{parameters}");
        let reply = ask(&server, &path, more, "").await;
        assert_eq!((reply.status, reply.header("x-ms-item-type")), (200, Some("JobResponse")));
        let jobs = reply.json().as_array().unwrap().to_vec();
        let ids: Vec<_> =
            jobs.iter().map(|job| job["jobId"].as_str().unwrap().to_owned()).collect();
        (ids, reply.header("x-ms-continuation").map(str::to_owned))
    };
    let all = ["m1", "m2", "m3", "m4", "m5", "t1"].map(str::to_owned);
    assert_eq!(listed("", "").await, (all.to_vec(), None));
    assert_eq!(listed("&jobType=scheduleTwinUpdate", "").await.0, ["t1"]);
    assert_eq!(
        listed("&jobStatus=Scheduled&jobType=scheduleDeviceMethod", "").await.0,
        ["m2", "m4", "m5"]
    );
    assert_eq!(listed("&jobStatus=cancelled", "").await.0, ["m3"]);
    assert!(listed("&jobType=export", "").await.0.is_empty());
    assert!(listed("&jobStatus=enqueued", "").await.0.is_empty());
    let (first, token) = listed("&jobStatus=scheduled", "x-ms-max-item-count: 2\r\n").await;
    assert_eq!(first, ["m2", "m4"]);
    let token = format!("x-ms-continuation: {}\r\n", token.unwrap());
    assert_eq!(listed("&jobStatus=scheduled", &token).await, (vec!["m5".into()], None));
    let other = ask(&server, "GET /jobs/v2/query", &token, "").await;
    assert_eq!(refused(&other).1, "ArgumentInvalid", "of another list");
}

#[tokio::test]
async fn what_is_no_job_is_refused() {
    let server = server();
    let twin = twin("*").to_string();
    for (request, body, expected) in [
        ("GET /jobs/v2/none", "", (404, "JobNotFound")),
        ("POST /jobs/v2/none/cancel", "", (404, "JobNotFound")),
        ("PUT /jobs/v2/j", "[]", (400, "IotHubFormatError")),
        ("PUT /jobs/v2/j", "{}", (400, "ArgumentNull")),
        ("PUT /jobs/v2/a%20b", &*twin, (400, "ArgumentInvalid")),
        ("PUT /jobs/v2/query", &*twin, (405, "GenericMethodNotAllowed")),
        ("DELETE /jobs/v2/j", "", (405, "GenericMethodNotAllowed")),
        ("GET /jobs/v2/query?api-version=1&jobStatus=x", "", (400, "ArgumentInvalid")),
        ("GET /jobs/v2/j?x=1", "", (400, "InvalidProtocolVersion")),
    ] {
        let reply = ask(&server, request, "", body).await;
        assert_eq!(refused(&reply), (expected.0, expected.1.to_owned()), "{request}");
    }
    // Both of the rights, or one is not enough.
    for policy in ["ServiceConnect", "RegistryRead"] {
        let reply = ask_as(&server, policy, "PUT /jobs/v2/j", "", &twin).await;
        assert_eq!(refused(&reply), (401, "IotHubUnauthorizedAccess".into()), "{policy}");
    }
    for n in 0..100 {
        let later = json!({"type": "scheduleUpdateTwin", "updateTwin": {"tags": {"a": 1}},
                           "startTime": "2026-01-01T00:00:00Z"});
        assert_eq!(plan(&server, &format!("j{n}"), &later).await.status, 200);
    }
    let metrics = String::from_utf8(server.get("/metrics").await.body).unwrap();
    for (status, count) in [("scheduled", 100), ("running", 0)] {
        let sample = format!("gridhub_hub_jobs{{status=\"{status}\"}} {count}\n");
        assert!(metrics.contains(&sample), "{metrics}");
    }
    assert!(metrics.contains("jobs_dropped_total{reason=\"history_full\"} 0\n"), "{metrics}");
    let more = ask(&server, "PUT /jobs/v2/more", "", &twin).await;
    assert_eq!(refused(&more), (429, "ThrottlingMaxActiveJobCountExceeded".into()));
}

const TRIES: usize = 100_000;
