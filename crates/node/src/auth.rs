//! What the node asks about a CONNECT, and what it is told. Checking credentials needs IO and
//! time, so it happens outside; what comes back is a principal with compiled permissions.

use broker::access::Principal;
pub use hub::identity::Chain;
use mqtt::reason::Reason;
use std::sync::Arc;

/// The credentials of one CONNECT or of one re-authentication (MQTT 5, 4.12.1).
#[derive(Clone)]
pub struct AuthRequest {
    /// The client identifier, assigned already if the client sent none.
    pub client_id: String,
    /// User Name.
    pub user_name: Option<String>,
    /// Password.
    pub password: Option<Vec<u8>>,
    /// Authentication Method.
    pub method: Option<String>,
    /// Authentication Data; empty if there was none.
    pub data: Vec<u8>,
    /// The client's certificate.
    pub certificate: Option<Certificate>,
    /// Where the connection came in.
    pub listener: Listener,
    /// Re-authentication: the name of the principal so far; another one is refused.
    pub renewal_of: Option<Arc<str>>,
}

/// A client's certificate, as TLS has left it.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// Its DER.
    pub der: Arc<[u8]>,
    /// Whether its chain ends at an authority, or it is registered for itself.
    pub chain: Chain,
}

/// The kind of listener a connection came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// Plain TCP.
    Plain,
    /// TLS.
    Tls,
}

/// The answer to an [`AuthRequest`].
#[derive(Debug, Clone)]
pub enum AuthOutcome {
    /// Who it is and what it may do.
    Granted(Arc<Principal>),
    /// Nobody we let in.
    Refused {
        /// For CONNACK or DISCONNECT; 3.1.1 gets the nearest return code.
        reason: Reason,
        /// For the client: what to change. Never holds a secret.
        why: String,
        /// For the log: which rule refused.
        rule: &'static str,
    },
}
