//! What becomes of identities: rows of iot-hub C3 with preconditions, keys, limits and scopes.

use super::super::examples::{fresh, id, identity, keys};
use super::*;

const ALONE: Neighbours = Neighbours { identities: 0, modules_of_device: None };
const WITH_DEVICE: Neighbours = Neighbours { identities: 1, modules_of_device: Some(0) };

fn wanted(client_id: &str, body: &str) -> Wanted {
    Wanted::read(body.as_bytes(), id(client_id)).unwrap()
}

fn device_of(identity: &Identity) -> &Device {
    match &identity.part {
        Part::Device(device) => device,
        Part::Module(_) => panic!("a module"),
    }
}

/// An update of `before` by `body`.
fn updated(before: &Identity, body: &str) -> Result<Identity, Refusal> {
    update(&wanted(&before.id().to_string(), body), Some(before), &IfMatch::Any, &fresh())
}

fn code<T>(result: Result<T, Refusal>) -> Option<ErrorCode> {
    result.err().map(|refusal| {
        assert!(!refusal.message.contains(';'), "clients split there: {refusal}");
        refusal.code
    })
}

#[test]
fn put_by_precondition_and_what_is_there() {
    use ErrorCode::*;
    let etag = |text| IfMatch::parse(Some(text));
    let rows = [
        ("D1", IfMatch::Absent, false, None),
        ("D1", IfMatch::Absent, true, Some(DeviceAlreadyExists)),
        ("D1", IfMatch::Any, false, Some(DeviceNotFound)),
        ("D1", IfMatch::Any, true, None),
        ("D1", etag("\"*\""), true, None),
        ("D1", etag("\"MQ==\""), true, None),
        ("D1", etag("MQ=="), true, None),
        ("D1", etag("\"Mg==\""), true, Some(PreconditionFailed)),
        ("D1", etag("Mg=="), false, Some(DeviceNotFound)),
        ("D1/m", IfMatch::Absent, false, None),
        ("D1/m", IfMatch::Absent, true, Some(ModuleAlreadyExistsOnDevice)),
        ("D1/m", IfMatch::Any, false, Some(ModuleNotFound)),
        ("D1/m", etag("MQ=="), true, None),
        ("D1/m", etag("Mg=="), true, Some(PreconditionFailed)),
    ];
    for (client_id, if_match, there, expected) in rows {
        let stored = there.then(|| identity(client_id));
        let wanted = wanted(client_id, "{}");
        let change = put(&wanted, stored.as_ref(), &if_match, WITH_DEVICE, &fresh());
        if let Ok(change) = &change {
            let (generation, etag) = (change.identity().generation, change.identity().etag);
            assert_eq!(generation, Generation(if there { 1 } else { 7 }));
            assert_eq!(etag, Etag(8));
            assert_eq!(matches!(change, Change::Updated(_)), there);
            assert_eq!(change.identity().id(), wanted.id);
        }
        assert_eq!(code(change), expected, "{client_id} {if_match:?} {there}");
    }
}

#[test]
fn delete_by_precondition_and_what_is_there() {
    use ErrorCode::*;
    let rows = [
        ("D1", None, true, Some(PreconditionFailed)),
        ("D1", None, false, Some(PreconditionFailed)),
        ("D1", Some("*"), true, None),
        ("D1", Some("\"*\""), true, None),
        ("D1", Some("MQ=="), true, None),
        ("D1", Some("Mg=="), true, Some(PreconditionFailed)),
        ("D1", Some("*"), false, Some(DeviceNotFound)),
        ("D1/m", Some("*"), false, Some(ModuleNotFound)),
        ("D1/m", Some("*"), true, None),
    ];
    for (client_id, header, there, expected) in rows {
        let stored = there.then(|| identity(client_id));
        let judged = delete(&id(client_id), stored.as_ref(), &IfMatch::parse(header));
        assert_eq!(code(judged), expected, "{client_id} {header:?} {there}");
    }
}

#[test]
fn limits() {
    use ErrorCode::*;
    let rows = [
        ("D1", 999_999, None, None),
        ("D1", 1_000_000, None, Some(TooManyDevices)),
        ("D1/m", 1, None, Some(DeviceNotFound)),
        ("D1/m", 1, Some(49), None),
        ("D1/m", 1, Some(50), Some(TooManyModulesOnDevice)),
        ("D1/m", 1_000_000, Some(0), Some(TooManyDevices)),
    ];
    for (client_id, identities, modules_of_device, expected) in rows {
        let neighbours = Neighbours { identities, modules_of_device };
        let created = create(&wanted(client_id, "{}"), None, neighbours, &fresh());
        assert_eq!(code(created), expected, "{client_id} {neighbours:?}");
    }
}

#[test]
fn keys_are_made_where_none_are_given() {
    let created = create(&wanted("D1", "{}"), None, ALONE, &fresh()).unwrap();
    assert_eq!(created.authentication, keys(1, 2));
    let before = identity("D1");
    assert_eq!(updated(&before, "{}").unwrap().authentication, keys(1, 2), "as the cloud does");
    let shown = before.document(&super::super::Activity::default()).to_string();
    assert_eq!(updated(&before, &shown).unwrap().authentication, before.authentication);
    let authority = r#"{"authentication":{"type":"certificateAuthority"}}"#;
    let changed = updated(&before, authority).unwrap().authentication;
    assert_eq!(changed, Authentication::CertificateAuthority);
}

#[test]
fn an_etag_is_another_after_each_change() {
    let before = Identity { etag: fresh().etag, ..identity("D1") };
    assert_eq!(updated(&before, "{}").unwrap().etag, Etag(9));
    let before = Identity { etag: Etag(u64::MAX), ..identity("D1") };
    let same = Fresh { etag: Etag(u64::MAX), ..fresh() };
    let after = update(&wanted("D1", "{}"), Some(&before), &IfMatch::Any, &same).unwrap();
    assert_eq!(after.etag, Etag(0));
}

#[test]
fn status_its_time_and_its_reason() {
    let now = Moment::at(fresh().now_ms);
    let old = Moment::at(5);
    let disabled = || {
        let mut before = identity("D1");
        before.part = Part::Device(Device {
            status: Status::Disabled,
            status_reason: Some("old".into()),
            status_updated: old,
            ..Device::default()
        });
        before
    };
    let rows = [
        ("{}", Status::Disabled, Some("old"), old),
        (r#"{"statusReason":"new"}"#, Status::Disabled, Some("new"), old),
        (r#"{"status":"disabled"}"#, Status::Disabled, None, old),
        (r#"{"status":"disabled","statusReason":"new"}"#, Status::Disabled, Some("new"), old),
        (r#"{"status":"enabled"}"#, Status::Enabled, None, now),
        (r#"{"status":"enabled","statusReason":"new"}"#, Status::Enabled, Some("new"), now),
    ];
    for (body, status, reason, at) in rows {
        let after = updated(&disabled(), body).unwrap();
        let device = device_of(&after);
        let seen = (device.status, device.status_reason.as_deref(), device.status_updated);
        assert_eq!(seen, (status, reason, at), "{body}");
    }
    let created = create(&wanted("D1", "{}"), None, ALONE, &fresh()).unwrap();
    assert_eq!(*device_of(&created), Device::default(), "enabled, and never changed");
}

#[test]
fn capabilities_and_scopes() {
    let edge = r#"{"capabilities":{"iotEdge":true},"parentScopes":["p","q"]}"#;
    let edge = create(&wanted("D1", edge), None, ALONE, &fresh()).unwrap();
    assert_eq!(edge.scope().as_deref(), Some("ms-azure-iot-edge://D1-7"));
    assert_eq!(device_of(&edge).parent_scopes.len(), 2);
    assert_eq!(device_of(&updated(&edge, "{}").unwrap()).edge, Edge::Yes, "it stays what it is");
    let own = r#"{"deviceScope":"ms-azure-iot-edge://D1-7"}"#;
    assert!(updated(&edge, own).is_ok());
    let other = updated(&edge, r#"{"deviceScope":"mine"}"#);
    assert_eq!(code(other), Some(ErrorCode::ArgumentInvalid));
    let leaf = r#"{"capabilities":{"iotEdge":false},"deviceScope":"p"}"#;
    let leaf = updated(&edge, leaf).unwrap();
    assert_eq!(leaf.scope().as_deref(), Some("p"));
    assert_eq!(device_of(&leaf).parent_scopes.len(), 0);
    assert!(updated(&leaf, r#"{"deviceScope":"p","parentScopes":["p"]}"#).is_ok());
    for body in [r#"{"parentScopes":["p"]}"#, r#"{"deviceScope":"p","parentScopes":["q"]}"#] {
        assert_eq!(code(updated(&leaf, body)), Some(ErrorCode::ArgumentInvalid), "{body}");
    }
    assert_eq!(updated(&leaf, "{}").unwrap().scope(), None);
}

#[test]
fn what_only_devices_or_only_modules_have() {
    for body in [
        r#"{"status":"disabled"}"#,
        r#"{"statusReason":"x"}"#,
        r#"{"capabilities":{"iotEdge":true}}"#,
        r#"{"deviceScope":"p"}"#,
        r#"{"parentScopes":["p"]}"#,
    ] {
        let refused = updated(&identity("D1/m"), body);
        assert_eq!(code(refused), Some(ErrorCode::ArgumentInvalid), "{body}");
    }
    let at_rest = r#"{"status":"enabled","capabilities":{"iotEdge":false},"managedBy":"me"}"#;
    let module = updated(&identity("D1/m"), at_rest).unwrap();
    let Part::Module(module) = module.part else { panic!("a device") };
    assert_eq!(module.managed_by.as_deref(), Some("me"));
    let refused = updated(&identity("D1"), r#"{"managedBy":"me"}"#);
    assert_eq!(code(refused), Some(ErrorCode::ArgumentInvalid));
}

#[test]
fn changes_that_end_a_connection() {
    let before = identity("D1");
    let after = |body: &str| updated(&before, body).unwrap();
    let mut recreated = before.clone();
    recreated.generation = Generation(2);
    let keep = before.document(&super::super::Activity::default());
    let with = |name: &str, value: &str| {
        let mut body = keep.clone();
        body[name] = value.into();
        after(&body.to_string())
    };
    let rows = [
        (Some(with("statusReason", "x")), Standing::Holds),
        (Some(with("status", "disabled")), Standing::Lost(Loss::Disabled)),
        (Some(after("{}")), Standing::Lost(Loss::Authentication)),
        (Some(recreated), Standing::Lost(Loss::Deleted)),
        (None, Standing::Lost(Loss::Deleted)),
    ];
    for (after, expected) in rows {
        assert_eq!(standing(&before, after.as_ref()), expected);
    }
}
