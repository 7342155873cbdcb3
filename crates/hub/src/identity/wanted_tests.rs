//! Documents as clients send them: rows of iot-hub C3, with the error of C9 for each mistake, and
//! the documents that the hub answers with.

use serde_json::json;

use super::super::activity::{Activity, ConnectionState};
use super::super::examples::{any, fresh, id, identity, keys};
use super::super::{Authentication, Device, Identity, Module, ModuleId, Part, update};
use super::*;
use crate::chance::Chance;
use crate::errors::ErrorCode;
use crate::{IfMatch, Moment};

const B64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn read(body: &serde_json::Value) -> Result<Wanted, Refusal> {
    Wanted::read(body.to_string().as_bytes(), id("D1"))
}

fn bare() -> Wanted {
    Wanted {
        id: id("D1"),
        authentication: WantedAuthentication::Generated,
        status: None,
        status_reason: None,
        edge: None,
        scope: None,
        parent_scopes: Box::default(),
        managed_by: None,
    }
}

#[test]
fn documents_that_clients_send() {
    let keys = |slot| Key::from_base64(slot).unwrap();
    let pair = SymmetricKeys { primary: keys(B64), secondary: keys(B64) };
    let print = "aB".repeat(20);
    let prints = |primary: bool| Thumbprints {
        primary: Thumbprint::parse(&print).filter(|_| primary),
        secondary: Thumbprint::parse(&"0f".repeat(32)),
    };
    let generated = WantedAuthentication::Generated;
    let rows = [
        (json!(null), generated.clone()),
        (json!({}), generated.clone()),
        (json!({ "type": "sas" }), generated.clone()),
        (json!({ "symmetricKey": { "primaryKey": "", "secondaryKey": "" } }), generated.clone()),
        (
            json!({
                "type": "sas",
                "symmetricKey": { "primaryKey": null, "secondaryKey": null },
                "x509Thumbprint": { "primaryThumbprint": null, "secondaryThumbprint": null },
            }),
            generated,
        ),
        (
            json!({ "symmetricKey": { "primaryKey": B64, "secondaryKey": B64 } }),
            WantedAuthentication::Sas(pair),
        ),
        (
            json!({
                "type": "selfSigned",
                "x509Thumbprint": {
                    "primaryThumbprint": print, "secondaryThumbprint": "0F".repeat(32),
                },
            }),
            WantedAuthentication::SelfSigned(prints(true)),
        ),
        (
            json!({ "x509Thumbprint": { "secondaryThumbprint": "0f".repeat(32) } }),
            WantedAuthentication::SelfSigned(prints(false)),
        ),
        (json!({ "type": "selfSigned" }), WantedAuthentication::SelfSigned(Thumbprints::default())),
        (json!({ "type": "certificateAuthority" }), WantedAuthentication::CertificateAuthority),
        (json!({ "type": "none" }), WantedAuthentication::None),
    ];
    for (given, authentication) in rows {
        let body = json!({ "deviceId": "D1", "authentication": given });
        assert_eq!(read(&body), Ok(Wanted { authentication, ..bare() }), "{body}");
    }
}

#[test]
fn the_other_members_and_those_that_are_skipped() {
    assert_eq!(read(&json!({})), Ok(bare()));
    let body = json!({
        "deviceId": "D1", "etag": "MQ==", "generationId": 7, "connectionState": "Connected",
        "lastActivityTime": "0001-01-01T00:00:00Z", "new": { "of": ["a", "later", "version"] },
        "status": "disabled", "statusReason": "r".repeat(128), "capabilities": { "iotEdge": true },
        "deviceScope": "ms-azure-iot-edge://D1-1", "parentScopes": ["p", "q"],
    });
    let expected = Wanted {
        status: Some(Status::Disabled),
        status_reason: Some("r".repeat(128).into()),
        edge: Some(Edge::Yes),
        scope: Some("ms-azure-iot-edge://D1-1".into()),
        parent_scopes: ["p".into(), "q".into()].into(),
        ..bare()
    };
    assert_eq!(read(&body), Ok(expected));
    let body = json!({ "deviceId": "D1", "moduleId": "m", "managedBy": "me" }).to_string();
    let expected = Wanted { id: id("D1/m"), managed_by: Some("me".into()), ..bare() };
    assert_eq!(Wanted::read(body.as_bytes(), id("D1/m")), Ok(expected));
}

#[test]
fn every_mistake_has_its_error() {
    let in_keys = |one, two| json!({ "primaryKey": one, "secondaryKey": two });
    let symmetric = |keys| json!({ "authentication": { "symmetricKey": keys } });
    let print = |text: &str| {
        let prints = json!({ "primaryThumbprint": text });
        json!({ "authentication": { "x509Thumbprint": prints } })
    };
    let keyed = |kind: &str| {
        let keys = in_keys(json!(B64), json!(B64));
        json!({ "authentication": { "type": kind, "symmetricKey": keys } })
    };
    let thumbed = json!({ "authentication": {
        "type": "sas", "x509Thumbprint": { "primaryThumbprint": "a".repeat(40) },
    } });
    let (invalid, format) = (ErrorCode::ArgumentInvalid, ErrorCode::IotHubFormatError);
    let rows = [
        (json!([]), format, "object"),
        (json!("D1"), format, "object"),
        (json!({ "deviceId": 1 }), format, "deviceId"),
        (json!({ "deviceId": "d1" }), invalid, "deviceId"),
        (json!({ "moduleId": "m" }), invalid, "moduleId"),
        (json!({ "status": "Enabled" }), invalid, "status"),
        (json!({ "status": 0 }), format, "status"),
        (json!({ "statusReason": "r".repeat(129) }), invalid, "statusReason"),
        (json!({ "capabilities": [] }), format, "capabilities"),
        (json!({ "capabilities": { "iotEdge": "yes" } }), format, "capabilities.iotEdge"),
        (json!({ "deviceScope": "s".repeat(257) }), invalid, "deviceScope"),
        (json!({ "parentScopes": "p" }), format, "parentScopes"),
        (json!({ "parentScopes": [1] }), invalid, "parentScopes"),
        (json!({ "parentScopes": [""] }), invalid, "parentScopes"),
        (json!({ "parentScopes": vec!["p"; 33] }), invalid, "parentScopes"),
        (json!({ "managedBy": "m".repeat(129) }), invalid, "managedBy"),
        (json!({ "authentication": "sas" }), format, "authentication"),
        (json!({ "authentication": { "type": "SAS" } }), invalid, "authentication.type"),
        (json!({ "authentication": { "type": true } }), format, "authentication.type"),
        (symmetric(json!("key")), format, "symmetricKey"),
        (symmetric(in_keys(json!(1), json!(B64))), format, "primaryKey"),
        (symmetric(in_keys(json!("no base64"), json!(B64))), invalid, "primaryKey"),
        (symmetric(in_keys(json!(B64), json!("AAAA"))), invalid, "secondaryKey"),
        (symmetric(in_keys(json!(B64), json!(""))), invalid, "secondaryKey"),
        (symmetric(in_keys(json!(null), json!(B64))), invalid, "primaryKey"),
        (print("ab"), invalid, "primaryThumbprint"),
        (print(&["ab"; 20].join(":")), invalid, "primaryThumbprint"),
        (keyed("selfSigned"), invalid, "symmetricKey"),
        (keyed("certificateAuthority"), invalid, "symmetricKey"),
        (keyed("none"), invalid, "symmetricKey"),
        (thumbed, invalid, "x509Thumbprint"),
    ];
    for (body, code, word) in rows {
        let refusal = read(&body).unwrap_err();
        assert_eq!(refusal.code, code, "{body}: {refusal}");
        assert!(refusal.message.contains(word), "{body}: {refusal}");
        assert!(!refusal.message.contains(';'), "clients split there: {refusal}");
        assert!(!refusal.message.contains("AAEC"), "{refusal}");
    }
    for bytes in [&b""[..], b"{", b"{\"deviceId\":\"\xFF\"}", &b"[".repeat(10_000)] {
        let refusal = Wanted::read(bytes, id("D1")).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::IotHubFormatError);
    }
}

#[test]
fn a_device_and_a_module_as_the_hub_shows_them() {
    let activity = Activity {
        state: ConnectionState::Connected,
        state_updated: Moment::at(0),
        last_activity: Moment::NEVER,
        commands: 3,
    };
    let (primary, secondary) = ("AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=", &"BAQE".repeat(10));
    let authentication = json!({
        "symmetricKey": { "primaryKey": primary, "secondaryKey": format!("{secondary}BAQ=") },
        "x509Thumbprint": { "primaryThumbprint": null, "secondaryThumbprint": null },
        "type": "sas",
    });
    let device = json!({
        "deviceId": "D1", "generationId": "1", "etag": "MQ==", "connectionState": "Connected",
        "status": "enabled", "statusReason": null,
        "connectionStateUpdatedTime": "1970-01-01T00:00:00.0000000Z",
        "statusUpdatedTime": "0001-01-01T00:00:00Z", "lastActivityTime": "0001-01-01T00:00:00Z",
        "cloudToDeviceMessageCount": 3, "capabilities": { "iotEdge": false },
        "authentication": authentication,
    });
    assert_eq!(identity("D1").document(&activity), device);
    let module = json!({
        "moduleId": "m", "managedBy": null, "deviceId": "D1", "generationId": "1", "etag": "MQ==",
        "connectionState": "Connected", "lastActivityTime": "0001-01-01T00:00:00Z",
        "connectionStateUpdatedTime": "1970-01-01T00:00:00.0000000Z",
        "cloudToDeviceMessageCount": 3, "authentication": authentication,
    });
    assert_eq!(identity("D1/m").document(&activity), module);
}

#[test]
fn scopes_and_thumbprints_as_the_hub_shows_them() {
    let shown = |device, authentication| {
        let part = Part::Device(device);
        let identity = Identity { part, authentication, ..identity("D1") };
        identity.document(&Activity::default())
    };
    let leaf = Device { scope: Some("p".into()), ..Device::default() };
    let leaf = shown(leaf, keys(1, 2));
    assert_eq!((&leaf["deviceScope"], &leaf["parentScopes"]), (&json!("p"), &json!(["p"])));
    let parents = ["p".into(), "q".into()].into();
    let edge = Device { edge: Edge::Yes, parent_scopes: parents, ..Device::default() };
    let print = Thumbprint::parse(&"aB".repeat(20));
    let certificate = Authentication::SelfSigned(Thumbprints { primary: None, secondary: print });
    let edge = shown(edge, certificate);
    assert_eq!(edge["deviceScope"], "ms-azure-iot-edge://D1-1");
    assert_eq!(edge["parentScopes"], json!(["p", "q"]));
    assert_eq!(edge["capabilities"], json!({ "iotEdge": true }));
    let authentication = json!({
        "symmetricKey": { "primaryKey": null, "secondaryKey": null },
        "x509Thumbprint": {
            "primaryThumbprint": null, "secondaryThumbprint": "aB".repeat(20),
        },
        "type": "selfSigned",
    });
    assert_eq!(edge["authentication"], authentication);
}

/// Clients read, change one member and write all of it back.
#[test]
fn what_the_hub_shows_changes_nothing_when_it_comes_back() {
    for seed in 0..1_000 {
        let mut before = any(&mut Chance::new(seed));
        if let Part::Module(Module { id, .. }) = &mut before.part {
            *id = ModuleId::parse("m").unwrap();
        }
        let body = before.document(&Activity::default()).to_string();
        let wanted = Wanted::read(body.as_bytes(), before.id()).unwrap();
        let after = update(&wanted, Some(&before), &IfMatch::Any, &fresh()).unwrap();
        let etag = before.etag;
        assert_eq!(Identity { etag, ..after }, before, "seed {seed}: {body}");
    }
}
