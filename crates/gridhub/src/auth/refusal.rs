//! Why somebody is not let in: reason code, a sentence for the client with the fix, the rule for
//! the log (event-grid 3.5). The one place where refusals become reason codes; holds no secrets.

use std::fmt;

use mqtt::reason::Reason;
use node::auth::AuthOutcome;

use super::token::TokenError;

/// A refused authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No credential at all where one is needed.
    NoCredential,
    /// An authentication method nobody here knows.
    UnknownMethod(String),
    /// The token is not believed.
    Token(TokenError),
    /// User name and password do not belong together.
    Password,
    /// A password without user name.
    PasswordWithoutUser,
    /// The certificate is of no authority that is known here, and nobody registered it.
    UnknownAuthority,
    /// The certificate cannot be read.
    UnreadableCertificate,
    /// The certificate is fine, but CONNECT does not say who it is.
    NoName,
    /// The name is no client's.
    UnknownClient(String),
    /// The client is disabled.
    Disabled(String),
    /// The certificate does not prove the name by the client's scheme.
    Unproven { name: String, scheme: String },
    /// The certificate is pinned by other clients.
    Pinned(String),
    /// The certificate's own name is another one; it has this.
    OtherName { name: String, certificate: String },
    /// Re-authentication as somebody else (MQTT 5, 4.12.1).
    OtherPrincipal,
    /// Too many authentications wait.
    Busy,
}

impl Refusal {
    /// The reason code of CONNACK or DISCONNECT.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::UnknownMethod(_) => Reason::BAD_AUTHENTICATION_METHOD,
            Self::Password | Self::PasswordWithoutUser => Reason::BAD_USER_NAME_OR_PASSWORD,
            Self::Busy => Reason::QUOTA_EXCEEDED,
            _ => Reason::NOT_AUTHORIZED,
        }
    }

    /// The rule's name, for the log.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::NoCredential => "no-credential",
            Self::UnknownMethod(_) => "unknown-method",
            Self::Token(error) => error.rule(),
            Self::Password => "password",
            Self::PasswordWithoutUser => "password-without-user",
            Self::UnknownAuthority => "certificate-authority",
            Self::UnreadableCertificate => "certificate-unreadable",
            Self::NoName => "certificate-no-name",
            Self::UnknownClient(_) => "client-unknown",
            Self::Disabled(_) => "client-disabled",
            Self::Unproven { .. } => "certificate-unproven",
            Self::Pinned(_) => "certificate-pinned",
            Self::OtherName { .. } => "certificate-other-name",
            Self::OtherPrincipal => "renewal-other-principal",
            Self::Busy => "authentications-pending",
        }
    }
}

impl From<Refusal> for AuthOutcome {
    fn from(refusal: Refusal) -> Self {
        let (reason, rule) = (refusal.reason(), refusal.rule());
        Self::Refused { reason, why: refusal.to_string(), rule }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCredential => f.write_str(
                "a credential is needed here; connect over TLS with a client certificate, with a \
                 token (method OAUTH2-JWT or as the password) or with user name and password",
            ),
            Self::UnknownMethod(method) => write!(
                f,
                "authentication method '{method}' is not known here; use OAUTH2-JWT with a token"
            ),
            Self::Token(error) => error.fmt(f),
            Self::Password => f.write_str(
                "user name or password is wrong; check both, or add the user under auth.users",
            ),
            Self::PasswordWithoutUser => {
                f.write_str("the password is no token and there is no user name; send both")
            }
            Self::UnknownAuthority => f.write_str(
                "no authority of this namespace has issued the client certificate; add its \
                 issuer to tls.client_ca_files or register its thumbprint",
            ),
            Self::UnreadableCertificate => {
                f.write_str("the client certificate cannot be read; issue it again")
            }
            Self::NoName => f.write_str(
                "CONNECT has no user name and the certificate gives none; send the authentication \
                 name as user name or set auth.alternative_authentication_name_sources",
            ),
            Self::UnknownClient(name) => write!(
                f,
                "there is no client with authentication name '{name}'; register it under clients"
            ),
            Self::Disabled(name) => {
                write!(f, "client '{name}' is disabled; set its state to Enabled")
            }
            Self::Unproven { name, scheme } => write!(
                f,
                "the certificate does not prove '{name}' by {scheme}; use the client's \
                 certificate or change its validationScheme"
            ),
            Self::Pinned(name) => write!(
                f,
                "the certificate is registered by thumbprint for other clients than '{name}'; add \
                 its thumbprint to this client"
            ),
            Self::OtherName { name, certificate } => write!(
                f,
                "the user name is '{name}', the certificate's common name '{certificate}'; leave \
                 the user name out or use the certificate's"
            ),
            Self::OtherPrincipal => f.write_str(
                "a connection cannot change its identity; renew with a token of the same \
                 principal or connect again",
            ),
            Self::Busy => f.write_str("too many authentications are waiting; try again later"),
        }
    }
}
