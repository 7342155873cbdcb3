//! The client against a server that follows a script: a list of packets to expect by name, each
//! with the bytes to answer.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use mqtt::wire::connack::ConnAckOut;
use mqtt::wire::{Diagnostics, PINGRESP};
use rustls::{ClientConfig, RootCertStore, ServerConnection, StreamOwned};

use mqtt::wire::{self, Packet};

use super::*;
use crate::auth::tls::{ClientAuth, TlsConfigs, certificates};
use crate::cli::endpoint::MqttsEndpoint;
use crate::config::Tls;
use crate::identity::Identity;
use crate::identity::directory::DataDir;

/// A server on a loopback port that plays the script and returns what it did not get to.
fn server(script: Vec<(&'static str, Vec<u8>)>) -> (Connection, JoinHandle<usize>) {
    let dir = DataDir::ephemeral().expect("dir");
    let identity = Identity::prepare(dir, crate::cli::wall_s()).expect("identity");
    let files = Identity::files(identity.dir());
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(&files.ca).expect("ca"));
    let tls = Tls {
        cert_file: Some(files.server_cert),
        key_file: Some(files.server_key),
        client_ca_files: Vec::new(),
    };
    let configs = TlsConfigs::build(&tls, &[], ClientAuth::default()).expect("tls");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    let port = listener.local_addr().expect("address").port();
    let thread = std::thread::spawn(move || {
        let (socket, _) = listener.accept().expect("client");
        let tls = ServerConnection::new(configs.mqtts).expect("tls");
        play(StreamOwned::new(tls, socket), script)
    });
    let connection = Connection {
        endpoint: MqttsEndpoint { host: "localhost".into(), port },
        tls: Arc::new(client),
        token: "secret-token".into(),
    };
    (connection, thread)
}

fn play(
    mut stream: StreamOwned<ServerConnection, TcpStream>,
    script: Vec<(&'static str, Vec<u8>)>,
) -> usize {
    let mut input = Vec::new();
    let mut script = script.into_iter();
    while let Some((expected, answer)) = script.next() {
        let len = loop {
            if let Some(frame) = wire::frame(&input, PACKET_MAX).expect("frame") {
                let len = frame.len;
                let packet = wire::decode(frame, Version::V5).expect("packet");
                assert_eq!(packet.name(), expected);
                if let Packet::Connect(connect) = packet {
                    assert_eq!(connect.authentication_method, Some("OAUTH2-JWT"));
                    assert_eq!(connect.authentication_data, Some(&b"secret-token"[..]));
                }
                break len;
            }
            let mut chunk = [0; 1024];
            match stream.read(&mut chunk) {
                Ok(count) if count > 0 => input.extend_from_slice(&chunk[..count]),
                _ => return script.len() + 1,
            }
        };
        input.drain(..len);
        stream.write_all(&answer).expect("client reads");
    }
    0
}

fn connack(reason: Reason, why: Option<&str>) -> Vec<u8> {
    let mut connack = ConnAckOut::new(reason);
    connack.diagnostics = Diagnostics { reason_string: why, user: &[] };
    let mut out = Vec::new();
    connack.encode(Version::V5, PACKET_MAX, &mut out).expect("short");
    out
}

fn ack(kind: AckKind, id: u16, reason: Reason) -> Vec<u8> {
    let mut out = Vec::new();
    encoder::ack(&mut out, Version::V5, kind, PacketId::new(id).expect("not zero"), reason);
    out
}

fn message(topic: &str, qos: QoS, id: u16) -> Vec<u8> {
    let packet = PublishOut {
        version: Version::V5,
        dup: false,
        qos,
        retain: false,
        topic,
        packet_id: id,
        alias: 0,
        send_topic: true,
        subscription_ids: &[],
        properties: &[],
        expiry: None,
        payload: b"p",
    };
    let mut out = Vec::new();
    packet.encode(&mut out);
    out
}

fn outgoing(qos: QoS) -> Outgoing<'static> {
    Outgoing { topic: "t", qos, retain: false, properties: &[], payload: b"p" }
}

const SUBACK_ID_1: [u8; 4] = [0x90, 0, 0, 1];

/// SUBACK for packet id 1 without properties.
fn suback(reasons: &[u8]) -> Vec<u8> {
    let [first, _, high, low] = SUBACK_ID_1;
    let len = u8::try_from(3 + reasons.len()).expect("short");
    [&[first, len, high, low, 0], reasons].concat()
}

#[test]
fn publishes_at_every_level() {
    let (connection, server) = server(vec![
        ("CONNECT", connack(Reason::SUCCESS, None)),
        ("PUBLISH", Vec::new()),
        ("PINGREQ", PINGRESP.to_vec()),
        ("PUBLISH", ack(AckKind::PubAck, 2, Reason::NO_MATCHING_SUBSCRIBERS)),
        ("PUBLISH", ack(AckKind::PubRec, 3, Reason::SUCCESS)),
        ("PUBREL", ack(AckKind::PubComp, 3, Reason::SUCCESS)),
        ("PUBLISH", ack(AckKind::PubAck, 4, Reason::NOT_AUTHORIZED)),
        ("DISCONNECT", Vec::new()),
    ]);
    let mut client = MqttClient::connect(&connection).expect("connected");
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        client.publish(&outgoing(qos)).expect("published");
    }
    let error = client.publish(&outgoing(QoS::AtLeastOnce)).expect_err("refused").to_string();
    assert!(error.contains("0x87"), "{error}");
    client.disconnect();
    assert_eq!(server.join().expect("script"), 0);
}

#[test]
fn a_refused_connection_says_why_and_shows_no_token() {
    let refusal = connack(Reason::NOT_AUTHORIZED, Some("the token expired 5 s ago"));
    let (connection, server) = server(vec![("CONNECT", refusal)]);
    let error = MqttClient::connect(&connection).map(|_| ()).expect_err("refused");
    let error = format!("{error:#}");
    assert!(error.contains("0x87") && error.contains("expired 5 s ago"), "{error}");
    assert!(!error.contains("secret-token"), "{error}");
    assert_eq!(server.join().expect("script"), 0);
}

#[test]
fn receives_early_late_and_twice_sent_messages() {
    let subscribed =
        [message("early", QoS::AtMostOnce, 0), suback(&[2]), message("once", QoS::AtLeastOnce, 7)];
    let (connection, server) = server(vec![
        ("CONNECT", connack(Reason::SUCCESS, None)),
        ("SUBSCRIBE", subscribed.concat()),
        // The QoS 2 message comes twice before it is released: it is one message.
        (
            "PUBACK",
            [message("two", QoS::ExactlyOnce, 8), message("two", QoS::ExactlyOnce, 8)].concat(),
        ),
        ("PUBREC", Vec::new()),
        ("PUBREC", ack(AckKind::PubRel, 8, Reason::SUCCESS)),
        ("PUBCOMP", message("last", QoS::AtMostOnce, 0)),
    ]);
    let mut client = MqttClient::connect(&connection).expect("connected");
    client.subscribe(&["#".to_owned()], QoS::ExactlyOnce).expect("subscribed");
    for topic in ["early", "once", "two", "last"] {
        assert_eq!(client.next_message().expect("message").topic, topic);
    }
    drop(client);
    assert_eq!(server.join().expect("script"), 0);
}

#[test]
fn a_refused_filter_is_named() {
    let (connection, server) = server(vec![
        ("CONNECT", connack(Reason::SUCCESS, None)),
        ("SUBSCRIBE", suback(&[1, 0x87])),
    ]);
    let mut client = MqttClient::connect(&connection).expect("connected");
    let filters = ["a/#".to_owned(), "b/#".to_owned()];
    let error = client.subscribe(&filters, QoS::AtLeastOnce).expect_err("refused").to_string();
    assert!(error.contains("'b/#'") && error.contains("0x87"), "{error}");
    drop(client);
    assert_eq!(server.join().expect("script"), 0);
}
