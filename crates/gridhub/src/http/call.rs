//! One request as the log knows it: its id, where it came from and who asked. Refuses to know
//! queries and headers: they may hold secrets.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use broker::access::Principal;
use hyper::header::HeaderValue;
use hyper::http::Extensions;
use hyper::{Method, Request, Uri};
use node::auth::Certificate;

use super::server::Peer;

/// Lies in the extensions of every request that `service` passes on.
#[derive(Debug)]
pub struct Call {
    request_id: HeaderValue,
    peer: SocketAddr,
    certificate: Option<Certificate>,
    method: Method,
    uri: Uri,
    principal: OnceLock<Arc<Principal>>,
    /// The hub's policy whose token it has.
    policy: OnceLock<Box<str>>,
}

/// Who asks, by which request.
#[derive(Clone, Debug)]
pub struct Caller {
    pub who: Arc<Principal>,
    pub call: Arc<Call>,
}

impl Call {
    /// A request that nobody is known for yet.
    pub fn new<T>(request_id: HeaderValue, peer: &Peer, request: &Request<T>) -> Arc<Self> {
        Arc::new(Call {
            request_id,
            peer: peer.address,
            certificate: peer.certificate.clone(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            principal: OnceLock::new(),
            policy: OnceLock::new(),
        })
    }

    /// The call of a request under way.
    pub fn of(extensions: &Extensions) -> &Arc<Self> {
        extensions.get().expect("service::answer puts it there")
    }

    /// Remembers who asks.
    pub fn caller(self: &Arc<Self>, who: Arc<Principal>) -> Caller {
        let _ = self.principal.set(Arc::clone(&who)); // The first one stays: it is the same.
        Caller { who, call: Arc::clone(self) }
    }

    /// Remembers by which of the hub's policies somebody asks.
    pub fn by_policy(&self, name: &str) {
        let _ = self.policy.set(name.into()); // As above.
    }

    /// As `x-ms-request-id` has it.
    pub fn request_id(&self) -> &str {
        self.request_id.to_str().expect("our ids are ASCII")
    }

    /// The address of the connection's other end.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// What the connection's other end has shown in the TLS handshake.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// The method as sent.
    pub fn method(&self) -> &str {
        self.method.as_str()
    }

    /// The path without its query, percent-encoded as sent.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The name of who asks, or of his policy; `None` before the token is verified.
    pub fn principal(&self) -> Option<&str> {
        let who = self.principal.get().map(|who| &*who.name);
        who.or_else(|| self.policy.get().map(|name| &**name))
    }
}

impl Caller {
    /// The log line for a publish that was accepted (event-grid 2.8).
    pub fn published(&self, topic: &str) {
        tracing::debug!(
            protocol = "http-publish",
            request_id = self.call.request_id(),
            topic,
            peer = %self.call.peer,
            principal = &*self.who.name,
            "published"
        );
    }
}
