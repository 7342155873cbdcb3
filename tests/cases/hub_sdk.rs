//! Azure's own service SDKs (iot-hub E): what they send is the hub's API, whatever its pages say.
use e2e::ports::StandardPorts;
use e2e::{Foreign, Options, Script, Server, azure_node, azure_python};
use serde_json::{Value, json};

/// A call of the registry manager that succeeds.
#[track_caller]
fn call(sdk: &mut Script, method: &str, args: Value) -> Value {
    let answer = sdk.ask(&json!({ "call": method, "args": args }));
    assert!(answer["refused"].is_null(), "{method}: {answer}");
    answer["result"].clone()
}

#[track_caller]
fn refused(sdk: &mut Script, method: &str, args: Value) -> Value {
    let answer = sdk.ask(&json!({ "call": method, "args": args }));
    assert!(!answer["refused"].is_null(), "{method}: {answer}");
    answer["refused"].clone()
}

fn model(name: &str, fields: Value) -> Value {
    json!({ "model": name, "fields": fields })
}

const KEY_1: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const KEY_2: &str = "HxwdHhsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";

#[test]
fn python_registers_devices_and_modules_of_every_kind() {
    if !Foreign::AzurePython.ready() {
        return;
    }
    let server = Server::new();
    let mut sdk = azure_python(&server, &server.text("hub_connection_string"));
    let keys = json!({ "primary_key": KEY_1, "secondary_key": KEY_2 });
    let made = call(&mut sdk, "create_device_with_sas", json!(["s", KEY_1, KEY_2, "enabled"]));
    assert_eq!(made["authentication"]["symmetric_key"], keys);
    let prints = ["a".repeat(40), "b".repeat(40)];
    let x509 = json!(["x", prints[0], prints[1], "enabled"]);
    let made = call(&mut sdk, "create_device_with_x509", x509);
    assert_eq!(made["authentication"]["type"], "selfSigned");
    assert_eq!(made["authentication"]["x509_thumbprint"]["secondary_thumbprint"], prints[1]);
    let ca = json!(["c", "disabled"]);
    let made = call(&mut sdk, "create_device_with_certificate_authority", ca);
    assert_eq!(made["authentication"]["type"], "certificateAuthority");
    assert_eq!(made["status"], "disabled");
    let again = json!(["s", KEY_1, KEY_2, "enabled"]);
    assert_eq!(refused(&mut sdk, "create_device_with_sas", again), 409);

    let etag = call(&mut sdk, "get_device", json!(["s"]))["etag"].clone();
    let update = json!(["s", etag, KEY_2, KEY_1, "disabled"]);
    let updated = call(&mut sdk, "update_device_with_sas", update.clone());
    assert_eq!(updated["status"], "disabled");
    assert_eq!(refused(&mut sdk, "update_device_with_sas", update), 412, "the etag is an old one");
    let ids = call(&mut sdk, "get_devices", json!([3]));
    let ids: Vec<_> = ids.as_array().unwrap().iter().map(|d| &d["device_id"]).collect();
    assert_eq!(ids, ["c", "device1", "s"]);

    let module = json!(["s", "m", "me", KEY_1, KEY_2]);
    let made = call(&mut sdk, "create_module_with_sas", module);
    assert_eq!((&made["module_id"], &made["managed_by"]), (&json!("m"), &json!("me")));
    let x509 = json!(["s", "n", "me", prints[0], prints[1]]);
    assert_eq!(call(&mut sdk, "create_module_with_x509", x509)["module_id"], "n");
    let etag = call(&mut sdk, "get_module", json!(["s", "m"]))["etag"].clone();
    let update = json!(["s", "m", "you", etag, KEY_2, KEY_1]);
    assert_eq!(call(&mut sdk, "update_module_with_sas", update)["managed_by"], "you");
    let modules = call(&mut sdk, "get_modules", json!(["s"]));
    assert_eq!(modules.as_array().unwrap().len(), 2);
    call(&mut sdk, "delete_module", json!(["s", "n"]));
    assert_eq!(refused(&mut sdk, "get_module", json!(["s", "n"])), 404);
    let all = call(&mut sdk, "get_device_registry_statistics", json!([]));
    let expected = json!(
        {"total_device_count": 4, "enabled_device_count": 2, "disabled_device_count": 2});
    assert_eq!(all, expected);
    let connected = call(&mut sdk, "get_service_statistics", json!([]));
    assert_eq!(connected["connected_device_count"], 0);
    call(&mut sdk, "delete_device", json!(["s"]));
    assert_eq!(refused(&mut sdk, "get_device", json!(["s"])), 404);
    assert_eq!(refused(&mut sdk, "get_module", json!(["s", "m"])), 404, "it went with its device");
}

#[test]
fn python_changes_twins_queries_them_and_does_much_at_once() {
    if !Foreign::AzurePython.ready() {
        return;
    }
    let server = Server::new();
    let mut sdk = azure_python(&server, &server.text("hub_connection_string"));
    let rows: Vec<Value> = (0..9)
        .map(|n| {
            let id = format!("d{n}");
            let tags = json!({ "n": n });
            let fields =
                json!({"id": id, "import_mode": "create", "status": "enabled", "tags": tags});
            model("ExportImportDevice", fields)
        })
        .collect();
    let result = call(&mut sdk, "bulk_create_or_update_devices", json!([rows]));
    assert_eq!((&result["is_successful"], &result["errors"]), (&json!(true), &json!([])));

    let twin = call(&mut sdk, "get_twin", json!(["d0"]));
    assert_eq!(twin["tags"], json!({"n": 0}));
    let desired = model("TwinProperties", json!({"desired": {"interval": 10}}));
    let patch = model("Twin", json!({"tags": {"a": {"b": 1}}, "properties": desired}));
    let patched = call(&mut sdk, "update_twin", json!(["d0", patch, twin["etag"]]));
    assert_eq!(patched["tags"], json!({"n": 0, "a": {"b": 1}}));
    assert_eq!(patched["properties"]["desired"]["interval"], 10);
    let stale = json!(["d0", patch, twin["etag"]]);
    assert_eq!(refused(&mut sdk, "update_twin", stale), 412);
    let whole = model("Twin", json!({"tags": {"n": 0}}));
    let replaced = call(&mut sdk, "replace_twin", json!(["d0", whole, patched["etag"]]));
    assert_eq!(replaced["tags"], json!({"n": 0}));
    assert_eq!(replaced["properties"]["desired"]["interval"], 10, "what is not named stays");
    call(&mut sdk, "create_module_with_sas", json!(["d0", "m", "me", KEY_1, KEY_2]));
    let patch = model("Twin", json!({"tags": {"of": "m"}}));
    let twin = call(&mut sdk, "update_module_twin", json!(["d0", "m", patch, "*"]));
    assert_eq!((&twin["module_id"], &twin["tags"]["of"]), (&json!("m"), &json!("m")));

    let query =
        model("QuerySpecification", json!({"query": "SELECT * FROM devices WHERE tags.n > 1"}));
    let (mut ids, mut pages, mut token) = (Vec::new(), 0, Value::Null);
    loop {
        let page = call(&mut sdk, "query_iot_hub", json!([query, token, 3]));
        let items = page["items"].as_array().unwrap();
        ids.extend(items.iter().map(|twin| twin["device_id"].as_str().unwrap().to_owned()));
        (pages, token) = (pages + 1, page["continuation"].clone());
        if token.is_null() {
            break;
        }
    }
    let expected: Vec<String> = (2..9).map(|n| format!("d{n}")).collect();
    assert_eq!((ids, pages), (expected, 3));
    let row = |id: &str| model("ExportImportDevice", json!({"id": id, "import_mode": "delete"}));
    assert_eq!(
        call(&mut sdk, "bulk_create_or_update_devices", json!([[row("d1")]]))["is_successful"],
        true
    );
    let rows = json!([[row("d2"), row("none")]]);
    let result = call(&mut sdk, "bulk_create_or_update_devices", rows);
    assert_eq!(result["is_successful"], false);
    assert_eq!(result["errors"][0]["error_code"], "DeviceNotFound");
    let counts = call(&mut sdk, "get_device_registry_statistics", json!([]));
    assert_eq!(counts["total_device_count"], 8, "device1 and seven");
}

#[test]
fn node_does_the_same_where_port_443_is_free() {
    if !Foreign::AzureNode.ready() {
        return;
    }
    // This SDK takes no port.
    let Some(_port) = StandardPorts::take(&[443]) else { return };
    let server = Server::start(&Options::with(&["--https", "127.0.0.1:443"]));
    let text = server.text("hub_connection_string").replace("localhost:443;", "localhost;");
    let mut sdk = azure_node(&server, &text);
    let made = call(&mut sdk, "create", json!([{ "deviceId": "n1", "status": "enabled" }]));
    assert_eq!(made["authentication"]["symmetricKey"]["primaryKey"].as_str().unwrap().len(), 44);
    let empty = json!([{ "deviceId": "n2", "authentication": {
        "symmetricKey": { "primaryKey": "", "secondaryKey": "" } } }]);
    let made = call(&mut sdk, "create", empty);
    assert_eq!(made["authentication"]["symmetricKey"]["primaryKey"].as_str().unwrap().len(), 44);
    let listed = call(&mut sdk, "list", json!([]));
    assert_eq!(listed.as_array().unwrap().len(), 3);
    let disabled = json!([{ "deviceId": "n1", "status": "disabled" }]);
    assert_eq!(call(&mut sdk, "update", disabled)["status"], "disabled");
    let twin = call(&mut sdk, "getTwin", json!(["n1"]));
    assert_eq!(twin["version"], 2);
    let patch = json!(["n1", { "tags": { "a": 1 } }, twin["etag"]]);
    assert_eq!(call(&mut sdk, "updateTwin", patch)["tags"]["a"], 1);
    let missing = refused(&mut sdk, "get", json!(["none"]));
    assert_eq!(missing, "DeviceNotFoundError");
    let pages = sdk.ask(&json!({ "query": "SELECT deviceId FROM devices", "page": 2 }));
    let pages = pages["result"].as_array().unwrap().clone();
    assert_eq!(pages.iter().map(|page| page.as_array().unwrap().len()).collect::<Vec<_>>(), [2, 1]);
    call(&mut sdk, "delete", json!(["n1"]));
    assert_eq!(refused(&mut sdk, "get", json!(["n1"])), "DeviceNotFoundError");
}
