//! `gridhub serve --config`: users, certificates, groups, topic spaces and bindings decide
//! (event-grid 4 and 5).
use crate::accept::{problem, subscribed};
use e2e::curl::Curl;
use e2e::raw::{End, Raw, connect, connect_with, publish, subscribe, subscribe_v311};
use e2e::site::Site;
use e2e::tls::{Proof, thumbprint};
use e2e::token::{Signer, claims};
use e2e::{Foreign, Server};
use serde_json::json;

const PASSWORD: &str = "correct horse battery staple";

/// Operators with passwords, pumps with certificates, one of them by thumbprint only.
struct Plant {
    server: Server,
    site: Site,
    /// Signed by an authority that the plant does not know.
    foreign: Proof,
    _elsewhere: Site,
}

impl Plant {
    fn new() -> Self {
        let (site, elsewhere) = (Site::new(), Site::new());
        let foreign = elsewhere.certificate("stranger");
        let Proof::Certificate(file, _) = &foreign else { unreachable!("just made") };
        let (print, hash) = (thumbprint(file), site.hash(PASSWORD));
        let registry = format!(
            r##"
            auth.users = [
                {{ name = "anna", password_hash = "{hash}" }},
                {{ name = "carl", password_hash = "{hash}" }},
                {{ name = "bob", password_hash = "{hash}" }},
            ]
            auth.issuers = [{{
                issuer = "https://issuer.example", jwks_file = ".gridhub/jwks.json",
                algorithms = ["ES256"], audiences = ["api://plant"],
            }}]
            [[clients]]
            name = "anna"
            properties.attributes = {{ kind = "operator", level = 3 }}
            [[clients]]
            name = "carl"
            properties.attributes = {{ kind = "operator", level = 2 }}
            [[clients]]
            name = "pump-1"
            properties.attributes = {{ kind = "pump" }}
            [[clients]]
            name = "pump-2"
            properties.attributes = {{ kind = "pump" }}
            [clients.properties.clientCertificateAuthentication]
            validationScheme = "ThumbprintMatch"
            allowedThumbprints = ["{print}"]
            [[clients]]
            name = "off"
            properties.state = "Disabled"
            [[clientGroups]]
            name = "operators"
            properties.query = "attributes.kind = 'operator' and attributes.level >= 3"
            [[clientGroups]]
            name = "pumps"
            properties.query = "attributes.kind IN ['pump', 'valve']"
            [[topicSpaces]]
            name = "own-topics"
            properties.topicTemplates = ["devices/${{client.authenticationName}}/#"]
            [[topicSpaces]]
            name = "devices"
            properties.topicTemplates = ["devices/#"]
            [[topicSpaces]]
            name = "news"
            properties.topicTemplates = ["news/+"]
            [[permissionBindings]]
            name = "pumps-publish"
            properties.clientGroupName = "pumps"
            properties.topicSpaceName = "own-topics"
            properties.permission = "Publisher"
            [[permissionBindings]]
            name = "operators-hear"
            properties.clientGroupName = "operators"
            properties.topicSpaceName = "devices"
            properties.permission = "Subscriber"
            [[permissionBindings]]
            name = "all-hear-news"
            properties.clientGroupName = "$all"
            properties.topicSpaceName = "news"
            properties.permission = "Subscriber"
            "##
        );
        let config = site.configure("namespace.name = \"plant\"", &registry);
        let server = site.serve(&config);
        Self { server, site, foreign, _elsewhere: elsewhere }
    }

    /// By password over the plain listener; the reason of CONNACK and what it says.
    #[track_caller]
    fn user(&self, level: u8, name: &str, password: &str) -> (Raw, u8, String) {
        let mut raw = Raw::open(&self.server);
        raw.send(&connect_with(level, 0xC2, &[], &[name, name, password]));
        answered(raw)
    }

    /// By certificate; a user name only when there is one.
    #[track_caller]
    fn device(&self, level: u8, name: Option<&str>, proof: &Proof) -> (Raw, u8, String) {
        let mut raw = Raw::tls(&self.server, proof);
        raw.send(&match name {
            Some(name) => connect_with(level, 0x82, &[], &["device", name]),
            None => connect(level, 0x02, "device", &[]),
        });
        answered(raw)
    }

    #[track_caller]
    fn accepted(&self, level: u8, name: &str) -> Raw {
        let (raw, reason, why) = match name {
            "pump-1" => self.device(level, Some(name), &self.site.certificate(name)),
            "pump-2" => self.device(level, Some(name), &self.foreign),
            user => self.user(level, user, PASSWORD),
        };
        assert_eq!(reason, 0, "{name}: {why}");
        raw
    }
}

fn answered(mut raw: Raw) -> (Raw, u8, String) {
    let (first, body) = raw.packet();
    assert_eq!(first, 0x20);
    let why = problem(&body[2..]);
    (raw, body[1], why)
}

#[test]
fn who_has_no_right_credential_does_not_get_in() {
    let plant = Plant::new();
    let certificate = |name: &str| plant.site.certificate(name);
    let rows = [
        ("a wrong password", plant.user(5, "anna", "guess"), "password"),
        ("no such user", plant.user(5, "eve", PASSWORD), "password"),
        (
            "nobody on the plain port",
            {
                let mut raw = Raw::open(&plant.server);
                raw.send(&connect(5, 2, "nobody", &[]));
                answered(raw)
            },
            "credential",
        ),
        ("no certificate", plant.device(5, Some("pump-1"), &Proof::Nothing), "credential"),
        ("unregistered", plant.device(5, Some("valve"), &certificate("valve")), "valve"),
        ("disabled", plant.device(5, Some("off"), &certificate("off")), "disabled"),
        ("another's", plant.device(5, Some("pump-1"), &certificate("pump-9")), "pump-1"),
        ("a stranger's", plant.device(5, Some("pump-1"), &plant.foreign), "pump-1"),
        ("not pinned", plant.device(5, Some("pump-2"), &certificate("pump-2")), "pump-2"),
        ("no name", plant.device(5, None, &certificate("pump-1")), "user name"),
    ];
    for (name, (mut raw, reason, why), word) in rows {
        assert!([0x86, 0x87].contains(&reason), "{name}: {reason:#x} {why}");
        assert!(why.contains(word), "{name}: {why}");
        assert_eq!(raw.closed(), [], "{name}");
    }
    // Whether there is such a user is nobody's business.
    assert_eq!(plant.user(5, "anna", "guess").2, plant.user(5, "eve", "guess").2);
    let (mut old, code, _) = plant.user(4, "anna", "guess");
    assert!([4, 5].contains(&code), "3.1.1 says 4 or 5: {code}");
    assert_eq!(old.closed(), []);
}

#[test]
fn each_pump_publishes_below_its_own_name() {
    let plant = Plant::new();
    let mut anna = plant.accepted(5, "anna");
    anna.send(&subscribe(1, "devices/#", 1));
    subscribed(&mut anna, &[1]);
    for name in ["pump-1", "pump-2"] {
        let mut pump = plant.accepted(5, name);
        let other = if name == "pump-1" { "pump-2" } else { "pump-1" };
        let own = format!("devices/{name}/state");
        pump.send(&publish(0x32, &own, 1, Some(&[]), b"on"));
        assert_eq!(pump.packet(), (0x40, vec![0, 1]));
        for denied in [format!("devices/{other}/state"), "devices".into(), "news/a".into()] {
            // At QoS 0 nobody is told, at QoS 1 PUBACK says why (event-grid 3.5).
            pump.send(&publish(0x30, &denied, 0, Some(&[]), b"x"));
            pump.send(&publish(0x32, &denied, 2, Some(&[]), b"x"));
            let (first, body) = pump.packet();
            assert_eq!((first, &body[..3]), (0x40, &[0, 2, 0x87][..]), "{denied}");
            assert!(problem(&body[3..]).contains(&denied), "{}", problem(&body[3..]));
        }
        let (_, heard) = anna.packet();
        assert!(String::from_utf8_lossy(&heard).contains(&own), "{heard:02x?}");
        // 3.1.1 has no way to say no but to close.
        drop(pump);
        let mut old = plant.accepted(4, name);
        old.send(&publish(0x32, &format!("devices/{other}/x"), 1, None, b"x"));
        assert_eq!(old.outcome(e2e::DEADLINE), (vec![], End::Closed));
    }
    anna.ping();
}

#[test]
fn each_filter_is_granted_or_denied_by_the_callers_groups() {
    let plant = Plant::new();
    let rows: [(&str, &[(&str, u8)]); 4] = [
        ("anna", &[("devices/+/state", 1), ("devices", 1), ("news/+", 1), ("news/#", 0x87)]),
        // Level 2 is no operator.
        ("carl", &[("devices/+/state", 0x87), ("news/a", 1), ("#", 0x87)]),
        // A user without an entry in `clients` is a member of `$all` and of nothing else.
        ("bob", &[("devices/bob/x", 0x87), ("news/a", 1), ("+/+", 0x87)]),
        ("pump-1", &[("devices/pump-1/#", 0x87), ("news/a", 1)]),
    ];
    for (name, filters) in rows {
        let mut new = plant.accepted(5, name);
        for (filter, reason) in filters {
            new.send(&subscribe(1, filter, 1));
            let (first, body) = new.packet();
            assert_eq!((first, body.last()), (0x90, Some(reason)), "{name} {filter}");
            let why = problem(&body[2..]);
            assert!(*reason == 1 || why.contains(filter), "{name}: {why}");
        }
        drop(new);
        let mut old = plant.accepted(4, name);
        for (filter, reason) in filters {
            old.send(&subscribe_v311(2, filter, 1));
            let code = if *reason == 1 { 1 } else { 0x80 };
            assert_eq!(old.packet(), (0x90, vec![0, 2, code]), "{name} {filter}");
        }
    }
}

#[test]
fn tokens_of_the_configured_issuer_bring_their_roles() {
    if !Foreign::Curl.ready() {
        return;
    }
    let plant = Plant::new();
    let signer = Signer::of(&plant.site.identity());
    let post = |token: &str| {
        let header = format!("Authorization: Bearer {token}");
        let path = "/mqtt/messages?topic=devices%2Fx&api-version=2025-08-01-preview";
        Curl::anonymous(&plant.server, path).header(&header).post(b"x").send()
    };
    let mut claims = claims("service", 3_600);
    claims["aud"] = json!(["api://plant"]);
    assert_eq!(post(&signer.sign(&claims, &signer.kid())).status, 204);
    claims["roles"] = json!(["Subscriber"]);
    let why = post(&signer.sign(&claims, &signer.kid())).refused(403);
    assert!(why.contains("devices/x"), "{why}");
    claims["iss"] = json!("https://elsewhere.example");
    post(&signer.sign(&claims, &signer.kid())).refused(401);
    // The clock is real here, and the password of a user is no token.
    let clock = Curl::anonymous(&plant.server, "/admin/clock");
    let header = format!("Authorization: Bearer {}", signer.good("service", 60));
    let answer = clock.header(&header).post(b"{\"advance\":\"1h\"}").send();
    assert!([403, 404].contains(&answer.status), "{answer:?}");
    post(PASSWORD).refused(401);
}
