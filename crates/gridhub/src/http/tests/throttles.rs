//! What services are told at the bounds of a hub (iot-hub C9), and the history of twins.

use broker::rate::Rate;
use node::devices::{Bounds, Metered, Throttles};
use serde_json::json;

use super::double::Double;
use super::hub::{ask, ask_as, refused, server};
use super::{Reply, Server};
use crate::http::app::Settings;

fn bound(kinds: &[(Metered, u32, u32)]) -> Server {
    let mut bounds = Bounds::default();
    kinds.iter().for_each(|(kind, count, s)| bounds.set(*kind, Rate::over(*count, *s)));
    let throttles = Throttles::new(bounds, Bounds::default());
    Server::with(Double::bound(throttles), Settings::default())
}

#[track_caller]
fn slow(reply: &Reply, retry_after_s: &str) {
    assert_eq!(refused(reply), (429, "ThrottlingException".to_owned()));
    assert_eq!(reply.header("retry-after"), Some(retry_after_s));
}

#[tokio::test]
async fn each_call_has_its_bound_and_says_when_to_come_again() {
    let server = bound(&[
        (Metered::Registry, 4, 60),
        (Metered::Queries, 1, 60),
        (Metered::TwinReads, 1, 4),
        (Metered::Commands, 1, 60),
    ]);
    let denied = ask_as(&server, "ServiceConnect", "PUT /devices/d", "", "{}").await;
    assert_eq!(denied.status, 401, "who may not takes nobody's place");
    let made = ask(&server, "PUT /devices/d", "", r#"{"deviceId":"d"}"#).await;
    assert_eq!(made.status, 200);
    assert_eq!(ask(&server, "GET /devices", "", "").await.status, 200);
    let rows = r#"[{"id":"e","importMode":"create"},{"id":"f","importMode":"create"}]"#;
    assert_eq!(ask(&server, "POST /devices", "", rows).await.status, 200, "it counts twice");
    slow(&ask(&server, "GET /devices/d", "", "").await, "15");
    slow(&ask(&server, "POST /devices", "", rows).await, "30");
    let query = r#"{"query":"SELECT * FROM devices"}"#;
    assert_eq!(ask(&server, "POST /devices/query", "", query).await.status, 200);
    slow(&ask(&server, "POST /devices/query", "", query).await, "60");
    assert_eq!(ask(&server, "GET /twins/d", "", "").await.status, 200);
    slow(&ask(&server, "GET /twins/d", "", "").await, "4");
    let to = "iothub-to: /devices/d/messages/deviceBound\r\n";
    assert_eq!(ask(&server, "POST /messages/deviceBound", to, "x").await.status, 204);
    slow(&ask(&server, "POST /messages/deviceBound", to, "x").await, "60");
    // Statistics are not bounded.
    assert_eq!(ask(&server, "GET /statistics/devices", "", "").await.status, 200);
    let metrics = String::from_utf8(server.get("/metrics").await.body).unwrap();
    for (operation, count) in
        [("registry", 3), ("queries", 1), ("twin_reads", 1), ("commands", 1), ("telemetry", 0)]
    {
        let sample = format!("throttled_total{{operation=\"{operation}\"}} {count}\n");
        assert!(metrics.contains(&sample), "{sample}{metrics}");
    }
}

#[tokio::test]
async fn a_day_s_messages_are_a_quota() {
    let mut bounds = Bounds::default();
    bounds.messages_per_day_max = 1;
    let throttles = Throttles::new(bounds, Bounds::default());
    let server = Server::with(Double::bound(throttles), Settings::default());
    ask(&server, "PUT /devices/d", "", r#"{"deviceId":"d"}"#).await;
    assert_eq!(ask(&server, "GET /twins/d", "", "").await.status, 200);
    let over = ask(&server, "GET /twins/d", "", "").await;
    assert_eq!(refused(&over), (403, "IotHubQuotaExceeded".to_owned()));
    assert_eq!(over.header("retry-after"), Some("50400"), "it is ten in the morning");
}

#[tokio::test]
async fn a_twin_has_a_history() {
    let server = server();
    for id in ["d", "d/modules/m"] {
        ask(&server, &format!("PUT /devices/{id}"), "", "{}").await;
        let body = r#"{"tags":{"floor":3},"properties":{"desired":{"a":null}}}"#;
        assert_eq!(ask(&server, &format!("PATCH /twins/{id}"), "", body).await.status, 200);
        let shown = ask(&server, &format!("GET /admin/devices/{id}/twin/history"), "", "").await;
        let history = shown.json();
        assert_eq!(history["forgotten"], 0);
        assert_eq!(history["changes"][0]["tags"], json!({"how": "patch", "value": {"floor": 3}}));
        let desired = json!({"$version": 2, "how": "patch", "value": {"a": null}});
        assert_eq!(history["changes"][0]["desired"], desired);
    }
    let unknown = ask(&server, "GET /admin/devices/x/twin/history", "", "").await;
    assert_eq!(refused(&unknown), (404, "DeviceNotFound".to_owned()));
    let reader = "GET /admin/devices/d/twin/history";
    assert_eq!(ask_as(&server, "RegistryRead", reader, "", "").await.status, 401);
}
