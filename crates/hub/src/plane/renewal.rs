//! Re-authentication by AUTH (iot-hub A8): what it says and what a mistake in it leads to. Refuses
//! to know whether its signature is good.

use std::borrow::Cow;

use mqtt::reason::Reason;
use mqtt::wire::Auth;

use super::claim::{AT, Claim, EXPIRY, Method, POLICY};
use super::property;
use super::status::Status;
use super::told::Told;

/// A client proves anew that it is who it is. Host and client identifier are those of CONNECT.
/// What succeeds is answered by AUTH 0x00 with the method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal<'a> {
    /// How. The policy is the one of CONNECT.
    pub claim: Claim<'a>,
}

/// Why not. DISCONNECT, and the connection is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotRenewed {
    /// Another reason than 0x19, or another method than in CONNECT.
    Protocol(&'static str),
    /// Something is missing, unknown or unreadable; the sentence says what.
    BadRequest(Cow<'static, str>),
    /// Another policy than in CONNECT, or a proof that is not good.
    NotAuthorized,
}

impl<'a> Renewal<'a> {
    /// Reads an AUTH on a connection that had proved itself by `method` and signed with `policy`.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn read(
        auth: &Auth<'a>,
        method: Method,
        policy: Option<&'a str>,
    ) -> Result<Self, NotRenewed> {
        if auth.reason != Reason::RE_AUTHENTICATE {
            return Err(NotRenewed::Protocol("a client sends AUTH to re-authenticate only"));
        }
        if auth.method != Some(method.as_str()) {
            return Err(NotRenewed::Protocol("Authentication Method is not the one of CONNECT"));
        }
        let names = [POLICY, AT, EXPIRY];
        let other = |name: &str, _: &str| Err(property::unknown(name));
        let [other_policy, at, expiry] = property::read(auth.properties.user(), names, other)
            .map_err(|error| NotRenewed::BadRequest(error.to_string().into()))?;
        if other_policy.is_some() && other_policy != policy {
            return Err(NotRenewed::NotAuthorized);
        }
        Claim::read(method, auth.data, [policy, at, expiry])
            .map(|claim| Self { claim })
            .map_err(|error| NotRenewed::BadRequest(error.to_string().into()))
    }
}

impl NotRenewed {
    /// Reason code of DISCONNECT.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Protocol(_) => Reason::PROTOCOL_ERROR,
            Self::BadRequest(_) => Reason::IMPLEMENTATION_SPECIFIC_ERROR,
            Self::NotAuthorized => Reason::NOT_AUTHORIZED,
        }
    }

    /// User properties of DISCONNECT.
    pub fn told<'t>(&'t self, trace_id: &'t str) -> Told<'t> {
        match self {
            Self::Protocol(why) => Told::why(why),
            Self::BadRequest(why) => Told::of(Status::BAD_REQUEST, trace_id, why),
            Self::NotAuthorized => Told::of(Status::NOT_AUTHORIZED, trace_id, ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::claim::Signature;
    use super::super::telemetry::tests::block;
    use super::*;
    use mqtt::wire::{Properties, Property};

    const MAC: &[u8] = &[7; 32];

    #[test]
    fn renewals_and_their_mistakes() {
        let again = Reason::RE_AUTHENTICATE;
        let expiry = ("sas-expiry", "2");
        let at = ("sas-at", "1");
        let rows = [
            (again, Some("SAS"), &[expiry, at][..], 0),
            (again, Some("SAS"), &[expiry, at, ("sas-policy", "p")], 0),
            (again, Some("SAS"), &[expiry, ("sas-policy", "q")], 135),
            (again, Some("SAS"), &[at], 131),
            (again, Some("SAS"), &[("sas-expiry", "x")], 131),
            (again, Some("SAS"), &[expiry, ("api-version", "2020-10-01-preview")], 131),
            (again, Some("SAS"), &[expiry, expiry], 131),
            (again, Some("X509"), &[expiry], 130),
            (again, None, &[expiry], 130),
            (Reason::CONTINUE_AUTHENTICATION, Some("SAS"), &[expiry], 130),
            (Reason::SUCCESS, None, &[], 130),
        ];
        for (reason, method, all, code) in rows {
            let properties: Vec<_> = all.iter().map(|(k, v)| Property::User(k, v)).collect();
            let raw = block(&properties);
            let properties = Properties::trusted(&raw);
            let auth = Auth { reason, method, data: Some(MAC), properties };
            match Renewal::read(&auth, Method::Sas, Some("p")) {
                Ok(renewal) => {
                    let claim =
                        Signature { policy: Some("p"), at: Some("1"), expiry: "2", mac: MAC };
                    assert_eq!((renewal.claim, code), (Claim::Sas(claim), 0));
                }
                Err(refused) => assert_eq!(refused.reason().code(), code, "{method:?} {all:?}"),
            }
        }
        let bare =
            Auth { reason: again, method: Some("X509"), data: None, properties: Properties::EMPTY };
        assert_eq!(Renewal::read(&bare, Method::X509, None), Ok(Renewal { claim: Claim::X509 }));
        let no_data = Auth { method: Some("SAS"), ..bare };
        assert!(Renewal::read(&no_data, Method::Sas, None).is_err());
        let policy = block(&[Property::User("sas-policy", "p")]);
        let named = Auth { properties: Properties::trusted(&policy), ..no_data };
        let refused = Renewal::read(&named, Method::Sas, None);
        assert_eq!(refused, Err(NotRenewed::NotAuthorized));
    }

    #[test]
    fn what_a_client_is_told() {
        let bad = NotRenewed::BadRequest("w".into());
        assert_eq!(bad.told("t").user(), [("status", "0100"), ("reason", "w")]);
        let denied = NotRenewed::NotAuthorized;
        assert_eq!(denied.told("t").user(), [("status", "0101"), ("trace-id", "t")]);
        assert_eq!(NotRenewed::Protocol("w").told("t").user(), [("reason", "w")]);
    }
}
