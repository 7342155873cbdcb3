//! Bulk operations: rows of iot-hub C3, one a mode and state, and one a mistake.

use super::super::Generation;
use super::super::examples::{fresh, identity};
use super::*;
use crate::Etag;
use crate::chance::Chance;

const ROOM: Neighbours = Neighbours { identities: 1, modules_of_device: Some(0) };

fn one(row: &serde_json::Value) -> Result<BulkRow, RowError> {
    let body = json!([row]).to_string();
    BulkRow::read_all(body.as_bytes()).unwrap().remove(0)
}

fn code<T>(result: Result<T, RowError>) -> Option<ErrorCode> {
    result.err().map(|error| error.refusal.code)
}

#[test]
fn each_mode_by_what_is_there() {
    use ErrorCode::*;
    // Mode; what it answers when nothing, an identity of another etag, and one of this etag is
    // stored.
    let rows = [
        ("create", [None, Some(DeviceAlreadyExists), Some(DeviceAlreadyExists)]),
        ("update", [Some(DeviceNotFound), None, None]),
        ("updateIfMatchETag", [Some(DeviceNotFound), Some(PreconditionFailed), None]),
        ("createOrUpdate", [None, None, None]),
        ("createOrUpdateIfMatchETag", [None, Some(PreconditionFailed), None]),
        ("delete", [Some(DeviceNotFound), None, None]),
        ("deleteIfMatchETag", [Some(DeviceNotFound), Some(PreconditionFailed), None]),
        ("updateTwin", [Some(DeviceNotFound), None, None]),
        ("updateTwinIfMatchETag", [Some(DeviceNotFound), None, None]),
    ];
    assert_eq!(rows.len(), MODES.len());
    let other = Identity { etag: Etag(9), ..identity("D1") };
    let stored = [None, Some(other), Some(identity("D1"))];
    for (mode, expected) in rows {
        for (stored, expected) in stored.iter().zip(expected) {
            for mode in [mode.to_owned(), mode.to_uppercase()] {
                let row = json!({
                    "id": "D1", "importMode": mode, "eTag": "MQ==", "twinETag": "AAAAAAAAAAE=",
                });
                let row = one(&row).unwrap();
                let change = row.decide(stored.as_ref(), ROOM, &fresh());
                match (&change, row.mode.as_str()) {
                    (Ok(BulkChange::Deleted), name) => assert!(name.starts_with("delete")),
                    (Ok(BulkChange::Twin), name) => assert!(name.starts_with("updateTwin")),
                    (Ok(BulkChange::Put(change)), _) => {
                        let generation = if stored.is_some() { 1 } else { 7 };
                        assert_eq!(change.identity().generation, Generation(generation));
                    }
                    (Err(error), name) => {
                        assert_eq!(&*error.device, "D1");
                        assert_eq!(error.mode.map(ImportMode::as_str), Some(name));
                    }
                }
                assert_eq!(code(change), expected, "{mode} {stored:?}");
            }
        }
    }
}

#[test]
fn rows_carry_identities_and_twins() {
    // Numbers keep their text, which devices would otherwise hear changed.
    let row = br#"[{
        "id": "D1", "importMode": "create", "status": "disabled", "statusReason": "new",
        "tags": { "a": 1.0 }, "properties": { "desired": { "b": 0.1234567890123456789 } }
    }]"#;
    let row = BulkRow::read_all(row).unwrap().remove(0).unwrap();
    let request = r#"{"tags":{"a":1.0},"properties":{"desired":{"b":0.1234567890123456789}}}"#;
    let twin = TwinRow { request: request.as_bytes().into(), if_match: IfMatch::Any };
    assert_eq!(row.twin, Some(twin));
    let Ok(BulkChange::Put(Change::Created(made))) = row.decide(None, ROOM, &fresh()) else {
        panic!("not created")
    };
    let document = made.document(&super::super::Activity::default());
    assert_eq!(
        (&document["status"], &document["statusReason"]),
        (&"disabled".into(), &"new".into())
    );

    let row = json!({ "id": "D1", "importMode": "updateTwinIfMatchETag", "twinETag": "x" });
    let twin = TwinRow { request: (*b"{}").into(), if_match: IfMatch::Etag("x".into()) };
    assert_eq!(one(&row).unwrap().twin, Some(twin));
    let row = one(&json!({ "id": "D1", "importMode": "delete" })).unwrap();
    assert_eq!(row.twin, None);

    let row = json!({
        "id": "D1", "moduleId": "m", "importMode": "create", "status": "enabled",
        "managedBy": "me", "capabilities": { "iotEdge": false },
    });
    let row = one(&row).unwrap();
    assert!(row.decide(None, ROOM, &fresh()).is_ok());
    let alone = Neighbours { modules_of_device: None, ..ROOM };
    assert_eq!(code(row.decide(None, alone, &fresh())), Some(ErrorCode::DeviceNotFound));
    let row = one(&json!({ "deviceId": "D1", "importMode": "Update", "etag": "x" })).unwrap();
    assert_eq!(row.mode, ImportMode::Update, "as one SDK sends it");
}

#[test]
fn a_line_of_a_file_creates_or_updates() {
    let line = BulkRow::read_line(br#"{"id":"D1","status":"enabled"}"#).unwrap();
    assert_eq!(line.mode, ImportMode::CreateOrUpdate);
    let error = BulkRow::read_line(b"[]").unwrap_err();
    assert_eq!((&*error.device, error.refusal.code), ("", ErrorCode::IotHubFormatError));
}

#[test]
fn every_mistake_has_its_error() {
    use ErrorCode::*;
    let rows = [
        (json!(1), IotHubFormatError, ""),
        (json!({}), ArgumentNull, ""),
        (json!({ "id": "", "importMode": "create" }), ArgumentNull, ""),
        (json!({ "id": 7, "importMode": "create" }), IotHubFormatError, ""),
        (json!({ "id": "a b", "importMode": "create" }), ArgumentInvalid, "a b"),
        (json!({ "id": "D1" }), ArgumentNull, "D1"),
        (json!({ "id": "D1", "importMode": "upsert" }), ArgumentInvalid, "D1"),
        (json!({ "id": "D1", "importMode": 1 }), IotHubFormatError, "D1"),
        (json!({ "id": "D1", "importMode": "updateIfMatchETag" }), ArgumentNull, "D1"),
        (json!({ "id": "D1", "importMode": "deleteIfMatchETag" }), ArgumentNull, "D1"),
        (json!({ "id": "D1", "importMode": "updateTwinIfMatchETag" }), ArgumentNull, "D1"),
        (json!({ "id": "D1", "importMode": "create", "tags": [] }), IotHubFormatError, "D1"),
        (json!({ "id": "D1", "importMode": "create", "status": "x" }), ArgumentInvalid, "D1"),
        (json!({ "id": "D1", "importMode": "create", "moduleId": "/" }), ArgumentInvalid, "D1"),
    ];
    for (row, code, device) in rows {
        let error = one(&row).unwrap_err();
        assert_eq!((error.refusal.code, &*error.device), (code, device), "{row}");
    }
    let long = one(&json!({ "id": "x".repeat(10_000), "importMode": "create" })).unwrap_err();
    assert_eq!(long.device.len(), SHOWN_ID_CHARS_MAX);
}

#[test]
fn a_call_is_an_array_of_at_most_100_rows_of_different_ids() {
    let row = |at: usize| json!({ "id": format!("D{at}"), "importMode": "create" });
    let body = |count: usize| json!((0..count).map(row).collect::<Vec<_>>()).to_string();
    assert!(BulkRow::read_all(body(100).as_bytes()).unwrap().iter().all(Result::is_ok));
    let refusal = BulkRow::read_all(body(101).as_bytes()).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::TooManyDevices);
    for body in ["", "{}", "{\"devices\":[]}", "[", "null"] {
        let refusal = BulkRow::read_all(body.as_bytes()).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::IotHubFormatError, "{body}");
    }
    assert_eq!(BulkRow::read_all(b"[]"), Ok(Vec::new()));

    let module = json!({ "id": "D1", "moduleId": "m", "importMode": "create" });
    let rows = json!([row(1), module, row(2), row(1), module]).to_string();
    let codes: Vec<_> = BulkRow::read_all(rows.as_bytes()).unwrap().into_iter().map(code).collect();
    let twice = Some(ErrorCode::DeviceDefinedMultipleTimes);
    assert_eq!(codes, [None, None, None, twice, twice]);
}

#[test]
fn the_result_document() {
    let good = json!({ "isSuccessful": true, "errors": [], "warnings": [] });
    assert_eq!((BulkResult::default().code(), BulkResult::default().document()), (None, good));
    let row = one(&json!({ "id": "D1", "moduleId": "m", "importMode": "delete" })).unwrap();
    let errors = vec![row.decide(None, ROOM, &fresh()).unwrap_err(), one(&json!({})).unwrap_err()];
    let result = BulkResult { errors };
    let document = json!({
        "isSuccessful": false,
        "errors": [
            {
                "deviceId": "D1", "errorCode": "ModuleNotFound", "moduleId": "m",
                "errorStatus": "Module m not registered on device D1", "operation": "delete",
            },
            {
                "deviceId": "", "errorCode": "ArgumentNull", "moduleId": null,
                "errorStatus": "id has to be given", "operation": null,
            },
        ],
        "warnings": [],
    });
    assert_eq!(result.document(), document);
    assert_eq!(result.code(), Some(ErrorCode::BulkRegistryOperationFailure));
}

#[test]
fn no_bytes_make_it_panic() {
    let body = json!([{
        "id": "D1", "importMode": "create", "eTag": "MQ==", "status": "enabled",
        "authentication": { "type": "sas", "symmetricKey": { "primaryKey": "é", } },
    }]);
    for seed in 0..3_000 {
        let chance = &mut Chance::new(seed);
        let mut bytes = body.to_string().into_bytes();
        for _ in 0..=chance.below(3) {
            let at = chance.below(bytes.len());
            bytes[at] = *b"\"{}[],:\\u0\xFFaE".get(chance.below(16)).unwrap_or(&b' ');
        }
        let _ = BulkRow::read_all(&bytes);
        let _ = BulkRow::read_line(&bytes);
    }
}
