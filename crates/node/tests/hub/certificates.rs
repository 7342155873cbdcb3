//! Devices that prove themselves by certificates (iot-hub A4, D1). In these tests the bytes of a
//! certificate are its common name, and twenty times its length is its thumbprint.

use crate::device::{ClassicHello, Hello};
use crate::world::{NOW_MS, World, take, take_after};
use hub::IfMatch;
use hub::telemetry::{AuthMethod, Scope};
use node::auth::{Certificate, Chain};
use node::devices::{Ask, Credential};

fn certificate(name: &str, chain: Chain) -> Option<Certificate> {
    Some(Certificate { der: name.as_bytes().into(), chain })
}

#[test]
fn thumbprints_and_authorities_are_judged_over_both_protocols() {
    let mut world = World::in_memory();
    // Of certificates with 7 bytes.
    let prints = format!(r#"{{"primaryThumbprint":"{}"}}"#, "07".repeat(20));
    let own = format!(r#"{{"authentication":{{"type":"selfSigned","x509Thumbprint":{prints}}}}}"#);
    let authority = r#"{"authentication":{"type":"certificateAuthority"}}"#;
    for (id, document) in [("own", &*own), ("ca", authority), ("sas", "{}")] {
        let put = take_after(&mut world, |w| w.put_as(id, IfMatch::Absent, document));
        assert_eq!(put, Ok(true), "{id}");
    }
    let (trusted, unknown) = (Chain::Trusted, Chain::Unknown);
    let rows = [
        ("own", certificate("7 bytes", unknown), true),
        ("own", certificate("7 bytes", trusted), true),
        ("own", certificate("8 bytes.", trusted), false),
        ("own", None, false),
        ("ca", certificate("ca", trusted), true),
        ("ca", certificate("ca", unknown), false),
        ("ca", certificate("other", trusted), false),
        ("sas", certificate("sas", trusted), false),
    ];
    for (n, (id, certificate, is_good)) in rows.into_iter().enumerate() {
        let x509 = Some("X509");
        let hello = Hello { method: x509, certificate: certificate.clone(), ..Hello::new(id) };
        let heard = hello.connect(&mut world).1;
        assert_eq!(heard[0] == "CONNACK 0", is_good, "row {n}: {heard:?}");
        if let Some(shown) = certificate.clone() {
            let by_http = Credential::Certificate(shown);
            let verified = take(&world.ask(id, |reply| Ask::Verify(by_http, reply)));
            let expected = is_good.then_some(AuthMethod::Certificate(Scope::Device));
            assert_eq!(verified.ok(), expected, "row {n}, HTTP");
            let hello = ClassicHello { certificate, ..ClassicHello::new(id) };
            let heard = hello.connect(&mut world).1;
            assert_eq!(heard[0] == "CONNACK 0", is_good, "row {n}, MQTT 3.1.1: {heard:?}");
        }
    }
    let by_certificate = certificate("7 bytes", unknown);
    let hello = Hello { method: Some("X509"), certificate: by_certificate, ..Hello::new("own") };
    let (mut device, _) = hello.connect(&mut world);
    let heard = device.renew(&mut world, "own", 1, NOW_MS + 1_000);
    assert_eq!(heard, ["DISCONNECT 130 reason", "closed"], "SAS is another method");
}
