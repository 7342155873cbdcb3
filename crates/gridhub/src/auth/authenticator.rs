//! The one answer to "who is this?" for MQTT and HTTP. Chooses the method (event-grid 4.1), runs
//! costly checks on its own threads, never blocks a reactor. Knows nothing of packets.

use std::sync::Arc;

use broker::access::{Attributes, ClientFacts, Principal, Source};
use node::auth::{AuthOutcome, AuthRequest, Certificate, Chain, Listener};
use node::journal::Owner;

use super::password::Passwords;
use super::permissions::Permissions;
use super::pool::{Full, Pool};
use super::refusal::Refusal;
use super::registry::{Identified, Registry};
use super::token::{Issuers, TokenError, looks_like_token};
use super::token_cache::TokenCache;
use crate::config::{Anonymous, Config};

/// The domain clock: Unix milliseconds.
pub type WallClock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Takes the outcome, once, on the caller's thread or on one of the authenticator's.
pub type Reply = Box<dyn FnOnce(AuthOutcome) + Send>;

/// For whom a token must be; one namespace takes the same for both today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// HTTP requests (event-grid 2.4).
    Http,
}

/// Answers who somebody is. Shared by reactors and HTTP.
pub struct Authenticator {
    checks: Arc<Checks>,
    pool: Pool,
}

/// Everything a check needs, shared with the threads.
struct Checks {
    issuers: Issuers,
    tokens: TokenCache,
    passwords: Passwords,
    registry: Registry,
    permissions: Permissions,
    anonymous: Anonymous,
    /// Whoever says no name: all of them are one.
    nameless: Arc<Principal>,
    no_attributes: Attributes,
    clock: WallClock,
}

/// How a request is to be checked.
enum Method {
    Token(String),
    Password { user_name: String, password: Vec<u8> },
    Certificate { der: Arc<[u8]>, user_name: Option<String> },
    Anonymous,
}

impl Authenticator {
    /// Builds it from a configuration that `config::check` accepted; reads the issuers' keys.
    ///
    /// # Errors
    /// When a key file is unusable or the system gives no threads.
    pub fn new(config: &Config, clock: WallClock) -> anyhow::Result<Self> {
        let (permissions, no_attributes) = (Permissions::new(config)?, Attributes::default());
        let facts = ClientFacts { name: ANONYMOUS, attributes: &no_attributes };
        let nameless = permissions.client(&facts, Source::Anonymous);
        let checks = Checks {
            issuers: Issuers::new(&config.auth, &config.namespace.hostname)?,
            tokens: TokenCache::default(),
            passwords: Passwords::new(&config.auth.users)?,
            registry: Registry::new(config)?,
            permissions,
            anonymous: config.auth.anonymous,
            nameless,
            no_attributes,
            clock,
        };
        let limits = config.limits.limits(config.namespace.profile);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let pool = Pool::new(cores.min(THREADS_MAX), limits.authentications_pending_max)?;
        Ok(Self { checks: Arc::new(checks), pool })
    }

    /// Checks the credentials of a CONNECT or AUTH. Cheap methods answer before this returns;
    /// costly ones later, from another thread. Never blocks.
    pub fn authenticate(&self, request: AuthRequest, reply: Reply) {
        let renewal_of = request.renewal_of.clone();
        let answer = move |outcome: Result<Arc<Principal>, Refusal>| {
            reply(finish(outcome, renewal_of.as_deref()));
        };
        let method = match self.checks.method(request) {
            Ok(method) => method,
            Err(refusal) => return answer(Err(refusal)),
        };
        if let Some(outcome) = self.checks.quick(&method) {
            return answer(outcome);
        }
        // The queue may refuse the job after it took the answer: keep a way back.
        let slot = Arc::new(std::sync::Mutex::new(Some(answer)));
        let take = |slot: &std::sync::Mutex<Option<_>>| {
            slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
        };
        let (checks, jobs_slot) = (Arc::clone(&self.checks), Arc::clone(&slot));
        let job = move || {
            let outcome = checks.costly(&method);
            if let Some(answer) = take(&jobs_slot) {
                answer(outcome);
            }
        };
        if let Err(Full) = self.pool.submit(Box::new(job))
            && let Some(answer) = take(&slot)
        {
            answer(Err(Refusal::Busy));
        }
    }

    /// Who the owner of a session of an earlier run is now; `None` = nobody has that name any more,
    /// or may not come.
    pub fn recall(&self, owner: &Owner<'_>) -> Option<Arc<Principal>> {
        self.checks.recall(owner)
    }

    /// A device of the hub, whose proof holds until then: the client of its name is the same
    /// principal (product.md 1).
    pub fn device(&self, name: &str, expires_at_ms: Option<u64>) -> Arc<Principal> {
        let checks = &self.checks;
        let known = match checks.registry.by_password(name) {
            Ok(client) => checks.client(&client, Source::Device),
            // A disabled client has no rights as one.
            Err(_) => checks.permissions.nobody(),
        };
        let permissions = Arc::clone(&known.permissions);
        let (name, source) = (name.into(), Source::Device);
        Arc::new(Principal { name, permissions, expires_at_ms, source })
    }

    /// Nobody, who may nothing: owns sessions that are about to end.
    pub fn nobody(&self) -> Arc<Principal> {
        self.checks.permissions.nobody()
    }

    /// Checks an HTTP bearer token on the caller's thread; repeated tokens are remembered.
    ///
    /// # Errors
    /// The rule that the token breaks: 401.
    pub fn bearer(&self, token: &str, audience: Audience) -> Result<Arc<Principal>, TokenError> {
        match audience {
            Audience::Http => self.checks.token(token),
        }
    }
}

impl Checks {
    /// Which credential counts (event-grid 4.1): the method's data, then a token or a user's
    /// password, then the certificate.
    fn method(&self, request: AuthRequest) -> Result<Method, Refusal> {
        match request.method {
            Some(method) if method == TOKEN_METHOD => {
                let token = String::from_utf8(request.data);
                let malformed = |_| Refusal::Token(TokenError::Malformed);
                return Ok(Method::Token(token.map_err(malformed)?));
            }
            Some(method) => return Err(Refusal::UnknownMethod(shortened(&method))),
            None => {}
        }
        let (trusted, stranger) = match request.certificate {
            Some(Certificate { der, chain: Chain::Trusted }) => (Some(der), false),
            certificate => (None, certificate.is_some()),
        };
        let method = match (request.user_name, request.password, trusted) {
            (_, Some(password), _) if looks_like_token(&password) => {
                let token = String::from_utf8(password);
                let malformed = |_| Refusal::Token(TokenError::Malformed);
                Ok(Method::Token(token.map_err(malformed)?))
            }
            // A certificate proves more than a password of a user we do not have; Event Grid
            // ignores the password then.
            (user_name, Some(_), Some(der))
                if !user_name.as_ref().is_some_and(|name| self.passwords.knows(name)) =>
            {
                Ok(Method::Certificate { der, user_name })
            }
            (Some(user_name), Some(password), _) => Ok(Method::Password { user_name, password }),
            (None, Some(_), None) => Err(Refusal::PasswordWithoutUser),
            (None, Some(_), Some(der)) => Ok(Method::Certificate { der, user_name: None }),
            (user_name, None, Some(der)) => Ok(Method::Certificate { der, user_name }),
            (_, None, None) => match (request.listener, self.anonymous) {
                (Listener::Plain, Anonymous::Loopback) => Ok(Method::Anonymous),
                _ => Err(Refusal::NoCredential),
            },
        };
        match method {
            // What it says of itself is proved by nobody.
            Err(Refusal::NoCredential | Refusal::PasswordWithoutUser) if stranger => {
                Err(Refusal::UnknownAuthority)
            }
            method => method,
        }
    }

    /// The outcome, when it costs microseconds only.
    fn quick(&self, method: &Method) -> Option<Result<Arc<Principal>, Refusal>> {
        let now_ms = (self.clock)();
        match method {
            Method::Token(token) => self.tokens.get(token, now_ms).map(Ok),
            Method::Password { user_name, password } => {
                self.passwords.remembers(user_name, password, now_ms).then(|| self.user(user_name))
            }
            Method::Certificate { der, user_name } => Some(
                self.registry
                    .by_certificate(der, user_name.as_deref())
                    .map(|client| self.client(&client, Source::Certificate)),
            ),
            Method::Anonymous => Some(Ok(Arc::clone(&self.nameless))),
        }
    }

    /// The outcome, whatever it costs.
    fn costly(&self, method: &Method) -> Result<Arc<Principal>, Refusal> {
        match method {
            Method::Token(token) => self.token(token).map_err(Refusal::Token),
            Method::Password { user_name, password } => {
                // Without users there is no hash to compare and nothing to keep secret.
                if self.passwords.is_empty() {
                    return Err(Refusal::Password);
                }
                self.passwords
                    .verify(user_name, password, (self.clock)())
                    .map_err(|_| Refusal::Password)?;
                self.user(user_name)
            }
            Method::Certificate { .. } | Method::Anonymous => {
                self.quick(method).unwrap_or(Err(Refusal::NoCredential))
            }
        }
    }

    fn token(&self, token: &str) -> Result<Arc<Principal>, TokenError> {
        let now_ms = (self.clock)();
        if let Some(principal) = self.tokens.get(token, now_ms) {
            return Ok(principal);
        }
        let claims = self.issuers.verify(token, now_ms)?;
        let principal =
            self.permissions.holder(&claims.principal, &claims.roles, claims.expires_ms);
        self.tokens.insert(token, &principal, now_ms);
        Ok(principal)
    }

    fn user(&self, user_name: &str) -> Result<Arc<Principal>, Refusal> {
        let client = self.registry.by_password(user_name)?;
        Ok(self.client(&client, Source::Password))
    }

    fn recall(&self, owner: &Owner<'_>) -> Option<Arc<Principal>> {
        match owner.source {
            Source::Token => self.permissions.recall(owner),
            Source::Anonymous => self.quick(&Method::Anonymous)?.ok(),
            // They are clients of the registry, or known by name alone.
            Source::Password | Source::Certificate | Source::Device => {
                let client = self.registry.by_password(owner.name).ok()?;
                Some(self.client(&client, owner.source))
            }
        }
    }

    fn client(&self, client: &Identified<'_>, source: Source) -> Arc<Principal> {
        self.permissions.client(&client.facts(&self.no_attributes), source)
    }
}

/// A renewal must not change the identity (MQTT 5, 4.12.1; event-grid 4.5).
fn finish(outcome: Result<Arc<Principal>, Refusal>, renewal_of: Option<&str>) -> AuthOutcome {
    match outcome {
        Ok(principal) if renewal_of.is_some_and(|name| *name != *principal.name) => {
            Refusal::OtherPrincipal.into()
        }
        Ok(principal) => AuthOutcome::Granted(principal),
        Err(refusal) => refusal.into(),
    }
}

/// A peer's text, short enough for a reason string.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// The name of clients without credential. Group queries see it; they are members of `$all`.
pub const ANONYMOUS: &str = "$anonymous";
/// Entra's method (event-grid 4.5).
const TOKEN_METHOD: &str = "OAUTH2-JWT";
/// Hashing takes memory by the megabyte: more threads would only take it from the broker.
const THREADS_MAX: usize = 4;

#[cfg(test)]
#[path = "authenticator_tests.rs"]
mod tests;
