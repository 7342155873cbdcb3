//! Every method through the one door: who is granted, who is refused, by which rule.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;

use broker::access::Manage;
use mqtt::reason::Reason;

use super::*;
use crate::auth::certificate::thumbprints;
use crate::auth::password;
use crate::config::registry::ClientEntry;
use crate::config::{Issuer, Unregistered, User, algorithms, principal_claims};
use crate::identity::Identity;
use crate::identity::directory::DataDir;
use crate::identity::signing::{TokenRequest, TokenRole};

const NOW_S: u64 = 1_800_000_000;

struct Fixture {
    identity: Identity,
    authenticator: Authenticator,
    clock_ms: Arc<AtomicU64>,
}

/// Clients, users, groups and bindings as a small plant would have them.
fn config(identity: &Identity) -> Config {
    let text = r##"
        [[clients]]
        name = "pump1"
        properties.attributes = { kind = "pump" }
        [[clients]]
        name = "off"
        properties.state = "Disabled"
        [[clients]]
        name = "byname"
        [clients.properties.clientCertificateAuthentication]
        validationScheme = "DnsMatchesAuthenticationName"
        [[clientGroups]]
        name = "pumps"
        properties.query = "attributes.kind = 'pump'"
        [[topicSpaces]]
        name = "own"
        properties.topicTemplates = ["d/${client.authenticationName}/#"]
        [[topicSpaces]]
        name = "pumps"
        properties.topicTemplates = ["pumps/#"]
        [[permissionBindings]]
        name = "own"
        properties = { clientGroupName = "$all", topicSpaceName = "own", permission = "Publisher" }
        [[permissionBindings]]
        name = "pumps"
        properties.clientGroupName = "pumps"
        properties.topicSpaceName = "pumps"
        properties.permission = "Subscriber"
    "##;
    let mut config: Config = toml::from_str(text).expect("config");
    config.auth.issuers = vec![Issuer {
        issuer: "*".into(),
        jwks_file: Some(Identity::files(identity.dir()).jwks),
        pem_file: None,
        audiences: Vec::new(),
        principal_claims: principal_claims(),
        algorithms: algorithms(),
    }];
    let password_hash = password::hash(b"secret").expect("hash");
    config.auth.users = vec![User { name: "ann".into(), password_hash }];
    config
}

fn fixture(change: impl FnOnce(&mut Config)) -> Fixture {
    let dir = DataDir::ephemeral().expect("dir");
    let identity = Identity::prepare(dir, NOW_S).expect("identity");
    let mut config = config(&identity);
    change(&mut config);
    let clock_ms = Arc::new(AtomicU64::new(NOW_S * 1000));
    let clock = Arc::clone(&clock_ms);
    let clock: WallClock = Arc::new(move || clock.load(Ordering::Relaxed));
    let authenticator = Authenticator::new(&config, clock).expect("authenticator");
    Fixture { identity, authenticator, clock_ms }
}

fn request(listener: Listener) -> AuthRequest {
    AuthRequest {
        client_id: "c".into(),
        user_name: None,
        password: None,
        method: None,
        data: Vec::new(),
        certificate: None,
        listener,
        renewal_of: None,
    }
}

fn user(name: &str, password: &str) -> AuthRequest {
    AuthRequest {
        user_name: Some(name.into()),
        password: Some(password.into()),
        ..request(Listener::Tls)
    }
}

impl Fixture {
    fn ask(&self, request: AuthRequest) -> AuthOutcome {
        let (send, receive) = channel();
        let reply = Box::new(move |outcome| send.send(outcome).expect("listening"));
        self.authenticator.authenticate(request, reply);
        receive.recv().expect("answered")
    }

    fn granted(&self, request: AuthRequest) -> Arc<Principal> {
        match self.ask(request) {
            AuthOutcome::Granted(principal) => principal,
            AuthOutcome::Refused { why, .. } => panic!("refused: {why}"),
        }
    }

    /// Rule and reason of a refusal; the sentence must not hold the secret.
    fn refused(&self, request: AuthRequest) -> (&'static str, Reason) {
        match self.ask(request) {
            AuthOutcome::Granted(principal) => panic!("granted to {}", principal.name),
            AuthOutcome::Refused { reason, why, rule } => {
                assert!(!why.contains("secret") && why.len() > 20, "{why}");
                (rule, reason)
            }
        }
    }

    fn token(&self, roles: &[TokenRole]) -> String {
        let request =
            TokenRequest { name: "svc".into(), roles: roles.to_vec(), now_s: NOW_S, ttl_s: 60 };
        self.identity.signing().token(&request).expect("token")
    }

    fn certificate(&self, name: &str) -> Arc<[u8]> {
        let issued = self.identity.issue_client(name, NOW_S).expect("certificate");
        let (_, block) = x509_parser::pem::parse_x509_pem(issued.cert_pem.as_bytes()).expect("pem");
        block.contents.into()
    }
}

fn with_certificate(der: &Arc<[u8]>, user_name: Option<&str>) -> AuthRequest {
    AuthRequest {
        certificate: Some(Certificate { der: Arc::clone(der), chain: Chain::Trusted }),
        user_name: user_name.map(str::to_owned),
        ..request(Listener::Tls)
    }
}

#[test]
fn anonymous_on_loopback_and_nowhere_else() {
    let f = fixture(|config| config.auth.anonymous = Anonymous::Loopback);
    let principal = f.granted(request(Listener::Plain));
    assert_eq!((&*principal.name, principal.source), (ANONYMOUS, Source::Anonymous));
    assert_eq!(principal.permissions.publish_filters().len(), 1);
    assert_eq!(f.refused(request(Listener::Tls)).0, "no-credential");
    // Wrong credentials are wrong even where none would do.
    let wrong = AuthRequest { listener: Listener::Plain, ..user("ann", "wrong") };
    assert_eq!(f.refused(wrong).0, "password");
    let f = fixture(|_| {});
    assert_eq!(f.refused(request(Listener::Plain)), ("no-credential", Reason::NOT_AUTHORIZED));
}

#[test]
fn tokens_by_method_and_as_password() {
    let f = fixture(|_| {});
    let token = f.token(&[TokenRole::Publisher]);
    let by_method = AuthRequest {
        method: Some("OAUTH2-JWT".into()),
        data: token.clone().into_bytes(),
        ..request(Listener::Tls)
    };
    for request in [by_method.clone(), user("whatever", &token), {
        AuthRequest { password: Some(token.clone().into()), ..request(Listener::Plain) }
    }] {
        let principal = f.granted(request);
        assert_eq!((&*principal.name, principal.source), ("svc", Source::Token));
        assert_eq!(principal.expires_at_ms, Some((NOW_S + 60 + 30) * 1000));
        // Every topic space, with the token's name in the template; nothing to subscribe to.
        let publish: Vec<&str> =
            principal.permissions.publish_filters().iter().map(|filter| &**filter).collect();
        assert_eq!(publish, ["d/svc/#", "pumps/#"]);
        assert!(principal.permissions.subscribe_filters().is_empty());
        assert_eq!(principal.permissions.manage(), Manage::No);
    }
    let manager = f.authenticator.bearer(&f.token(&TokenRole::ALL), Audience::Http);
    assert_eq!(manager.expect("good").permissions.manage(), Manage::Yes);
    f.clock_ms.fetch_add(90_000, Ordering::Relaxed);
    // Remembered, but over.
    assert_eq!(f.refused(by_method), ("token-expired", Reason::NOT_AUTHORIZED));
    let error = f.authenticator.bearer(&token, Audience::Http).expect_err("over");
    assert_eq!(error, TokenError::Expired(30));
}

#[test]
fn methods_and_renewals() {
    let f = fixture(|_| {});
    for method in ["SAS", "X509", "CUSTOM-JWT", "oauth2-jwt", ""] {
        let request = AuthRequest { method: Some(method.into()), ..request(Listener::Tls) };
        assert_eq!(f.refused(request), ("unknown-method", Reason::BAD_AUTHENTICATION_METHOD));
    }
    let renewal = |name: &str| AuthRequest {
        method: Some("OAUTH2-JWT".into()),
        data: f.token(&[]).into_bytes(),
        renewal_of: Some(name.into()),
        ..request(Listener::Tls)
    };
    assert_eq!(&*f.granted(renewal("svc")).name, "svc");
    assert_eq!(f.refused(renewal("other")), ("renewal-other-principal", Reason::NOT_AUTHORIZED));
}

#[test]
fn users_with_passwords() {
    let f = fixture(|_| {});
    for _ in 0..2 {
        let principal = f.granted(user("ann", "secret"));
        assert_eq!((&*principal.name, principal.source), ("ann", Source::Password));
    }
    let wrong = ("password", Reason::BAD_USER_NAME_OR_PASSWORD);
    for (name, password) in [("ann", "secret!"), ("bob", "secret"), ("", "secret")] {
        assert_eq!(f.refused(user(name, password)), wrong, "{name}");
    }
    let alone = AuthRequest { user_name: None, ..user("", "secret") };
    assert_eq!(f.refused(alone).0, "password-without-user");
}

#[test]
fn registered_certificates() {
    let f = fixture(|_| {});
    let pump = f.certificate("pump1");
    let principal = f.granted(with_certificate(&pump, Some("PUMP1")));
    // Looked up ignoring case; the registry's spelling is the name.
    assert_eq!((&*principal.name, principal.source), ("pump1", Source::Certificate));
    assert_eq!(principal.permissions.subscribe_filters(), [Box::from("pumps/#")]);
    // Devices send any password along with a certificate.
    let password = AuthRequest {
        password: Some(b"ignored".to_vec()),
        ..with_certificate(&pump, Some("pump1"))
    };
    assert_eq!(&*f.granted(password).name, "pump1");
    for (der, name, rule) in [
        (&pump, None, "certificate-no-name"),
        (&pump, Some("nobody"), "client-unknown"),
        (&pump, Some("byname"), "certificate-unproven"),
        (&pump, Some("off"), "client-disabled"),
        (&f.certificate("off"), Some("off"), "client-disabled"),
        (&f.certificate("other"), Some("pump1"), "certificate-unproven"),
        (&Arc::from(&b"rubbish"[..]), Some("pump1"), "certificate-unreadable"),
    ] {
        assert_eq!(f.refused(with_certificate(der, name)), (rule, Reason::NOT_AUTHORIZED));
    }
}

#[test]
fn names_from_the_certificate() {
    let f = fixture(|config| {
        config.auth.alternative_authentication_name_sources =
            vec![crate::config::NameSource::ClientCertificateSubject];
    });
    let pump = f.certificate("pump1");
    assert_eq!(&*f.granted(with_certificate(&pump, None)).name, "pump1");
    let f = fixture(|config| config.auth.unregistered_certificates = Unregistered::Accept);
    let any = f.certificate("anything at all");
    assert_eq!(&*f.granted(with_certificate(&any, None)).name, "anything at all");
    assert_eq!(f.refused(with_certificate(&any, Some("x"))).0, "certificate-other-name");
    // A registered name still needs its client's proof.
    assert_eq!(f.refused(with_certificate(&any, Some("pump1"))).0, "certificate-unproven");
}

#[test]
fn a_pinned_certificate_serves_only_clients_that_pin_it() {
    let slot: Mutex<Option<Arc<[u8]>>> = Mutex::new(None);
    let signer = Identity::prepare(DataDir::ephemeral().expect("dir"), NOW_S).expect("identity");
    let f = fixture(|config| {
        let issued = signer.issue_client("pump1", NOW_S).expect("certificate");
        let (_, block) = x509_parser::pem::parse_x509_pem(issued.cert_pem.as_bytes()).expect("pem");
        let [sha256, _] = thumbprints(&block.contents);
        let entry = format!(
            "name = \"pinned\"\n[properties.clientCertificateAuthentication]\n\
             validationScheme = \"ThumbprintMatch\"\nallowedThumbprints = [\"{sha256}\"]\n"
        );
        config.clients.push(toml::from_str::<ClientEntry>(&entry).expect("entry"));
        config.auth.unregistered_certificates = Unregistered::Accept;
        *slot.lock().expect("alone") = Some(block.contents.into());
    });
    let der = slot.lock().expect("alone").take().expect("set");
    assert_eq!(&*f.granted(with_certificate(&der, Some("pinned"))).name, "pinned");
    // Its common name is pump1's, but nobody vouches for that.
    assert_eq!(f.refused(with_certificate(&der, Some("pump1"))).0, "certificate-pinned");
    assert_eq!(f.refused(with_certificate(&der, None)).0, "certificate-pinned");
}

#[test]
fn when_too_many_wait_the_next_is_told_so() {
    let f = fixture(|config| config.limits.authentications_pending_max = Some(1));
    let (send, receive) = channel();
    // More than threads and queue hold, faster than argon2 works.
    for at in 0..64 {
        let send = send.clone();
        let reply = Box::new(move |outcome| send.send(outcome).expect("listening"));
        f.authenticator.authenticate(user("ann", &format!("wrong{at}")), reply);
    }
    drop(send);
    let outcomes: Vec<AuthOutcome> = receive.iter().collect();
    assert_eq!(outcomes.len(), 64);
    let busy = |outcome: &&AuthOutcome| match outcome {
        AuthOutcome::Refused { reason, .. } => *reason == Reason::QUOTA_EXCEEDED,
        AuthOutcome::Granted(_) => false,
    };
    assert!(outcomes.iter().filter(busy).count() > 0);
}
