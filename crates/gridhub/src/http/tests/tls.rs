//! `serve` on loopback sockets with TLS.

use std::sync::Arc;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::double::{Double, Tokens};
use super::publish_head;
use super::wire::Client;
use crate::http::app::{App, Settings};

fn configs() -> (Arc<ServerConfig>, ClientConfig) {
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = signed.cert.der().clone();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), client)
}

async fn connect(
    client: &ClientConfig,
    address: std::net::SocketAddr,
    alpn: &[u8],
) -> TlsStream<TcpStream> {
    let mut client = client.clone();
    if !alpn.is_empty() {
        client.alpn_protocols = vec![alpn.to_vec()];
    }
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(client)).connect(name, stream).await.unwrap()
}

#[tokio::test]
async fn two_listeners_serve_one_app_and_stop() {
    let (server, client) = configs();
    let hub = Arc::new(Double::open());
    let app = App::new(Arc::clone(&hub), Arc::new(Tokens), Settings::default());
    let mut running = Vec::new();
    for alpn in [&b""[..], b"http/1.1"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = crate::http::serve(listener, Arc::clone(&server), app.clone(), async {
            let _ = stopped.await;
        });
        running.push((tokio::spawn(serve), stop, address));
        // A peer that is no TLS client disturbs nobody.
        let mut plain = Client::new(TcpStream::connect(address).await.unwrap());
        plain.send(b"GET / HTTP/1.1\r\n\r\n").await;
        let mut https = Client::new(connect(&client, address, alpn).await);
        assert_eq!(https.ask(&publish_head("topic=a", ""), b"x").await.status, 204);
        assert_eq!(https.ask(&publish_head("topic=b", ""), b"x").await.status, 204);
    }
    assert_eq!(hub.topics(), ["a", "b", "a", "b"]);
    for (serve, stop, address) in running {
        let mut idle = Client::new(connect(&client, address, b"http/1.1").await);
        assert_eq!(idle.ask(&publish_head("topic=c", ""), b"x").await.status, 204);
        stop.send(()).unwrap();
        serve.await.unwrap();
        assert!(idle.ended().await);
        assert!(TcpStream::connect(address).await.is_err());
    }
}

#[tokio::test]
async fn alpn_chooses_http2() {
    let (server, client) = configs();
    let app = App::new(Arc::new(Double::open()), Arc::new(Tokens), Settings::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = tokio::spawn(crate::http::serve(listener, server, app, std::future::pending()));
    let mut stream = connect(&client, address, b"h2").await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], 4, "the first frame is SETTINGS");
    serve.abort();
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_come_is_given_up() {
    use tokio::io::AsyncReadExt;
    let (server, _) = configs();
    let app = App::new(Arc::new(Double::open()), Arc::new(Tokens), Settings::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = tokio::spawn(crate::http::serve(listener, server, app, std::future::pending()));
    let start = tokio::time::Instant::now();
    let mut silent = TcpStream::connect(address).await.unwrap();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
    assert_eq!(start.elapsed().as_secs(), 30);
    serve.abort();
}

#[tokio::test]
async fn at_the_bound_connections_wait_for_a_free_place() {
    let (server, client) = configs();
    let settings = Settings { connections_max: 1, ..Settings::default() };
    let app = App::new(Arc::new(Double::open()), Arc::new(Tokens), settings);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = tokio::spawn(crate::http::serve(listener, server, app, std::future::pending()));
    let mut first = Client::new(connect(&client, address, b"").await);
    let waiting = tokio::spawn(async move {
        let mut second = Client::new(connect(&client, address, b"").await);
        second.ask(&publish_head("topic=b", ""), b"").await.status
    });
    for _ in 0..20 {
        assert_eq!(first.ask(&publish_head("topic=a", ""), b"").await.status, 204);
    }
    assert!(!waiting.is_finished());
    drop(first);
    assert_eq!(waiting.await.unwrap(), 204);
    serve.abort();
}
