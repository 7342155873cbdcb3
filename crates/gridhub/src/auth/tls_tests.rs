//! Handshakes without sockets: which client certificates the MQTT listener takes.

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConnection};

use super::*;
use crate::identity::Identity;
use crate::identity::directory::DataDir;

fn now_s() -> u64 {
    UnixTime::now().as_secs()
}

fn identity() -> Identity {
    Identity::prepare(DataDir::ephemeral().expect("dir"), now_s()).expect("identity")
}

fn server(identity: &Identity, clients: &[ClientEntry]) -> TlsConfigs {
    let files = Identity::files(identity.dir());
    let tls = Tls {
        cert_file: Some(files.server_cert),
        key_file: Some(files.server_key),
        client_ca_files: vec![files.ca],
    };
    TlsConfigs::build(&tls, clients, ClientAuth::default()).expect("tls")
}

/// A client that believes `server` and offers a certificate of `own`, if any.
fn client(server: &Identity, own: Option<&Identity>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for cert in certificates(&server.ca_file()).expect("ca") {
        roots.add(cert).expect("root");
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .expect("versions")
        .with_root_certificates(roots);
    match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let (cert, key) = own.client_files("client1");
            let chain = certificates(&cert).expect("chain");
            let key = PrivateKeyDer::from_pem_file(key).expect("key");
            builder.with_client_auth_cert(chain, key).expect("client")
        }
    }
}

/// Runs a handshake in memory; the server's connection, or why it refused.
fn handshake(client: ClientConfig, server: &Arc<ServerConfig>) -> Result<ServerConnection, Error> {
    let name = ServerName::try_from("localhost").expect("name");
    let client = ClientConnection::new(Arc::new(client), name).expect("client");
    let mut client: Connection = client.into();
    let mut server = ServerConnection::new(Arc::clone(server)).expect("server");
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).expect("memory");
        }
        let mut input = wire.as_slice();
        while !input.is_empty() {
            server.read_tls(&mut input).expect("memory");
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).expect("memory");
        }
        let mut input = wire.as_slice();
        while !input.is_empty() {
            client.read_tls(&mut input).expect("memory");
            client.process_new_packets()?;
        }
    }
    Ok(server)
}

#[test]
fn a_client_certificate_is_optional_and_must_be_ours() {
    let ours = identity();
    let configs = server(&ours, &[]);
    let none = handshake(client(&ours, None), &configs.mqtts).expect("no certificate is fine");
    assert!(none.peer_certificates().is_none());
    let own = handshake(client(&ours, Some(&ours)), &configs.mqtts).expect("our authority");
    assert!(own.peer_certificates().is_some_and(|chain| !chain.is_empty()));
    let stranger = identity();
    assert!(handshake(client(&ours, Some(&stranger)), &configs.mqtts).is_err());
}

#[test]
fn a_pinned_certificate_needs_no_authority() {
    let (ours, stranger) = (identity(), identity());
    let cert = certificates(&stranger.client_files("client1").0).expect("cert");
    let [sha256, _] = thumbprints(&cert[0]);
    let entry = format!(
        "name = \"p\"\n[properties.clientCertificateAuthentication]\n\
         validationScheme = \"ThumbprintMatch\"\nallowedThumbprints = [\"{sha256}\"]\n"
    );
    let entry: ClientEntry = toml::from_str(&entry).expect("entry");
    let configs = server(&ours, std::slice::from_ref(&entry));
    assert!(handshake(client(&ours, Some(&stranger)), &configs.mqtts).is_ok());
    assert!(handshake(client(&ours, Some(&ours)), &configs.mqtts).is_ok());
    assert!(handshake(client(&ours, Some(&identity())), &configs.mqtts).is_err());
}

#[test]
fn both_versions_are_spoken_and_https_chooses_http() {
    let ours = identity();
    let configs = server(&ours, &[]);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(&ours.ca_file()).expect("ca"));
        let mut client =
            ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_protocol_versions(&[version])
                .expect("version")
                .with_root_certificates(roots)
                .with_no_client_auth();
        let done = handshake(client.clone(), &configs.mqtts).expect("mqtts");
        assert_eq!(done.protocol_version(), Some(version.version));
        client.alpn_protocols = vec![b"http/1.1".to_vec()];
        let done = handshake(client, &configs.https).expect("https");
        assert_eq!(done.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
}

#[test]
fn files_that_do_not_fit_are_named() {
    let (ours, other) = (identity(), identity());
    let tls = Tls {
        cert_file: Some(Identity::files(ours.dir()).server_cert),
        key_file: Some(Identity::files(other.dir()).server_key),
        client_ca_files: Vec::new(),
    };
    let error =
        TlsConfigs::build(&tls, &[], ClientAuth::default()).map(|_| ()).expect_err("other key");
    assert!(error.to_string().contains("do not fit together"), "{error:#}");
    let missing = Tls { cert_file: Some("/nonexistent/c.pem".into()), ..tls };
    let error =
        TlsConfigs::build(&missing, &[], ClientAuth::default()).map(|_| ()).expect_err("no file");
    assert!(error.to_string().contains("/nonexistent/c.pem"), "{error:#}");
}
