//! TLS by hand, for bytes that no well-behaved client sends: the server's certificate is checked.
use crate::server::Server;
use crate::until::DEADLINE;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A TLS connection; reads and writes the bytes inside.
pub type Tls = StreamOwned<ClientConnection, TcpStream>;

/// What the client shows in the handshake.
#[derive(Clone, Debug)]
pub enum Proof {
    /// No certificate.
    Nothing,
    /// A certificate and its key, as PEM files.
    Certificate(PathBuf, PathBuf),
}

/// Opens a TLS connection to `localhost`, the handshake not yet done.
#[track_caller]
pub fn open(server: &Server, port: u16, proof: &Proof) -> Tls {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(Path::new(&server.text("ca_file"))) {
        roots.add(certificate).expect("an authority");
    }
    let builder = ClientConfig::builder().with_root_certificates(roots);
    let config = match proof {
        Proof::Nothing => builder.with_no_client_auth(),
        Proof::Certificate(cert, key) => {
            let key = PrivateKeyDer::from_pem_file(key).expect("a private key");
            builder.with_client_auth_cert(certificates(cert), key).expect("a pair")
        }
    };
    let name = ServerName::try_from("localhost").expect("a name");
    let session = ClientConnection::new(Arc::new(config), name).expect("a TLS session");
    let socket = TcpStream::connect(("127.0.0.1", port)).expect("the listener accepts");
    socket.set_read_timeout(Some(DEADLINE)).expect("a socket option");
    socket.set_nodelay(true).expect("a socket option");
    StreamOwned::new(session, socket)
}

/// The certificates of a PEM file, as DER.
#[track_caller]
pub fn certificates(file: &Path) -> Vec<CertificateDer<'static>> {
    let read = CertificateDer::pem_file_iter(file).expect("a PEM file");
    read.map(|certificate| certificate.expect("a certificate")).collect()
}

/// SHA-256 of a certificate file's first certificate, in hex.
#[track_caller]
pub fn thumbprint(file: &Path) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &certificates(file)[0]);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
