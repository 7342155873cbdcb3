//! CONNECT of the plane (iot-hub A2): what it says before anything of it is believed. Refuses to
//! know hubs, identities and proofs.

use mqtt::wire::Connect;

use super::claim::{AT, Claim, EXPIRY, Method, POLICY};
use super::connect_refused::ConnectRefused;
use super::property::{self, PropertyError, PropertyRule};
use super::will::will;
use crate::identity::IdentityId;
use crate::telemetry::Message;

/// Whether a CONNECT of MQTT 5 is meant for the plane: it carries Authentication Method `SAS` or
/// `X509`, or user property `api-version`. What is then missing is refused as A5 says.
pub fn is_for_hub(connect: &Connect<'_>) -> bool {
    connect.authentication_method.is_some_and(|text| Method::parse(text).is_some())
        || connect.properties.user().any(|(name, _)| name == API_VERSION)
}

/// What a client says when it connects.
#[derive(Debug, Clone, PartialEq)]
pub struct Hello<'c> {
    /// Who it says that it is.
    pub id: IdentityId,
    /// User property `host`: the hub, where TLS has not named one.
    pub host: Option<&'c str>,
    /// How it proves it.
    pub claim: Claim<'c>,
    /// User property `client-agent`: what it is.
    pub agent: Option<&'c str>,
    /// Telemetry that it leaves behind.
    pub will: Option<Message<'c>>,
}

/// How exactly A2 and A7 are taken. The default is to the letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leniency {
    /// User properties that A2 has not.
    pub other_properties: OtherProperties,
    /// Versions of the API.
    pub api_versions: ApiVersions,
    /// A CONNECT without Session Expiry Interval and Clean Start.
    pub absent_expiry: AbsentExpiry,
}

/// User properties of CONNECT that A2 has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OtherProperties {
    /// CONNACK 131.
    #[default]
    Refused,
    /// They mean nothing.
    Ignored,
}

/// Which `api-version` there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApiVersions {
    /// `2020-10-01-preview`.
    #[default]
    Current,
    /// Also `2020-10-10`, as one of the vendor's samples has it.
    AlsoSample,
}

/// What a CONNECT without Session Expiry Interval and with Clean Start 0 means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AbsentExpiry {
    /// The session ends with the connection, as MQTT 5 says.
    #[default]
    Ends,
    /// It never ends, as the vendor's sample expects.
    NeverEnds,
}

impl<'c> Hello<'c> {
    /// Reads a CONNECT for which [`is_for_hub`] is true.
    ///
    /// # Errors
    /// The first rule of A5 that it breaks.
    pub fn read(connect: &Connect<'c>, leniency: Leniency) -> Result<Self, ConnectRefused> {
        let id = IdentityId::parse(connect.client_id).map_err(|error| {
            ConnectRefused::ClientId(format!("an id in the client identifier {error}").into())
        })?;
        let method = connect.authentication_method.ok_or(ConnectRefused::bad(NO_METHOD))?;
        let method = Method::parse(method).ok_or(ConnectRefused::Method)?;
        let other = |name: &str, _: &str| match leniency.other_properties {
            OtherProperties::Refused => Err(property::unknown(name)),
            OtherProperties::Ignored => Ok(()),
        };
        let names = [API_VERSION, HOST, AGENT, POLICY, AT, EXPIRY];
        let [version, host, agent, policy, at, expiry] =
            property::read(connect.properties.user(), names, other).map_err(|error| bad(&error))?;
        let version =
            version.ok_or_else(|| bad(&PropertyError::new(API_VERSION, PropertyRule::Missing)))?;
        if !leniency.api_versions.has(version) {
            return Err(ConnectRefused::bad("api-version is 2020-10-01-preview"));
        }
        let claim = Claim::read(method, connect.authentication_data, [policy, at, expiry]);
        let claim = claim.map_err(|error| ConnectRefused::bad(error.to_string()))?;
        let will = connect.will.as_ref().map(will).transpose().map_err(ConnectRefused::Will)?;
        Ok(Self { id, host, claim, agent, will })
    }
}

impl ApiVersions {
    fn has(self, version: &str) -> bool {
        version == "2020-10-01-preview" || (self == Self::AlsoSample && version == "2020-10-10")
    }
}

fn bad(error: &PropertyError) -> ConnectRefused {
    ConnectRefused::bad(error.to_string())
}

const API_VERSION: &str = "api-version";
const HOST: &str = "host";
const AGENT: &str = "client-agent";
const NO_METHOD: &str = "Authentication Method is missing";

#[cfg(test)]
mod tests {
    use super::super::claim::Signature;
    use super::super::telemetry::tests::block;
    use super::super::will::WillRefused;
    use super::*;
    use mqtt::qos::QoS;
    use mqtt::wire::{Properties, Property, Version, Will};

    const VERSION: (&str, &str) = (API_VERSION, "2020-10-01-preview");
    const MAC: &[u8] = &[7; 32];

    fn user(all: &[(&'static str, &'static str)]) -> Vec<u8> {
        let all: Vec<_> = all.iter().map(|(k, v)| Property::User(k, v)).collect();
        block(&all)
    }

    fn connect<'a>(id: &'a str, method: Option<&'a str>, raw: &'a [u8]) -> Connect<'a> {
        Connect {
            authentication_method: method,
            authentication_data: Some(MAC),
            properties: Properties::trusted(raw),
            ..Connect::new(Version::V5, id)
        }
    }

    #[test]
    fn all_that_a_client_says() {
        let raw = user(&[
            VERSION,
            ("host", "h"),
            ("sas-policy", "p"),
            ("sas-at", "1"),
            ("sas-expiry", "2"),
            ("client-agent", "artisan;Linux"),
        ]);
        let hello = Hello::read(&connect("D1/m", Some("SAS"), &raw), Leniency::default()).unwrap();
        let signature = Signature { policy: Some("p"), at: Some("1"), expiry: "2", mac: MAC };
        assert_eq!((hello.id.to_string().as_str(), hello.host), ("D1/m", Some("h")));
        assert_eq!(hello.claim, Claim::Sas(signature));
        assert_eq!((hello.agent, hello.will), (Some("artisan;Linux"), None));

        let raw = user(&[VERSION]);
        let hello = Hello::read(&connect("D1", Some("X509"), &raw), Leniency::default()).unwrap();
        assert_eq!((hello.claim, hello.host), (Claim::X509, None));
    }

    #[test]
    fn each_mistake_has_its_row() {
        let expiry = ("sas-expiry", "2");
        let good = [VERSION, expiry];
        let rows = [
            ("", Some("SAS"), &good[..], 133),
            ("a/b/c", Some("SAS"), &good, 133),
            ("D 1", Some("SAS"), &good, 133),
            ("D1", None, &good, 131),
            ("D1", Some("sas"), &good, 140),
            ("D1", Some("PLAIN"), &good, 140),
            ("D1", Some("SAS"), &[expiry], 131),
            ("D1", Some("SAS"), &[(API_VERSION, "2021-04-12"), expiry], 131),
            ("D1", Some("SAS"), &[(API_VERSION, "2020-10-10"), expiry], 131),
            ("D1", Some("SAS"), &[VERSION], 131),
            ("D1", Some("SAS"), &[VERSION, ("sas-expiry", "soon")], 131),
            ("D1", Some("SAS"), &[VERSION, expiry, ("sas-at", "x")], 131),
            ("D1", Some("SAS"), &[VERSION, expiry, expiry], 131),
            ("D1", Some("SAS"), &[VERSION, expiry, ("foo", "")], 131),
            ("D1", Some("SAS"), &[VERSION, expiry, ("@foo", "")], 131),
        ];
        for (id, method, all, code) in rows {
            let raw = user(all);
            let refused = Hello::read(&connect(id, method, &raw), Leniency::default());
            assert_eq!(refused.unwrap_err().reason().code(), code, "{id} {method:?} {all:?}");
        }
        let raw = user(&good);
        let no_data = Connect { authentication_data: None, ..connect("D1", Some("SAS"), &raw) };
        let refused = Hello::read(&no_data, Leniency::default()).unwrap_err();
        assert_eq!(refused.reason().code(), 131);

        let will = Will {
            qos: QoS::AtMostOnce,
            retain: false,
            topic: "a",
            payload: b"",
            delay_s: 0,
            expiry: None,
            properties: Properties::EMPTY,
        };
        let with_will = |will| Connect { will: Some(will), ..connect("D1", Some("SAS"), &raw) };
        let refused = Hello::read(&with_will(will), Leniency::default()).unwrap_err();
        assert_eq!(refused, ConnectRefused::Will(WillRefused::Topic));
        let will = Will { topic: "$iothub/telemetry", ..will };
        assert!(Hello::read(&with_will(will), Leniency::default()).unwrap().will.is_some());
    }

    #[test]
    fn leniency_is_asked_for() {
        let raw = user(&[(API_VERSION, "2020-10-10"), ("sas-expiry", "2"), ("foo", "")]);
        let connect = connect("D1", Some("SAS"), &raw);
        let strict = Leniency::default();
        let half = Leniency { other_properties: OtherProperties::Ignored, ..strict };
        let lenient = Leniency { api_versions: ApiVersions::AlsoSample, ..half };
        let read = |leniency| Hello::read(&connect, leniency).is_ok();
        assert_eq!([strict, half, lenient].map(read), [false, false, true]);
    }

    #[test]
    fn whether_it_is_meant_for_the_hub() {
        let raw = user(&[("foo", ""), VERSION]);
        for (method, raw, expected) in [
            (Some("SAS"), &[][..], true),
            (Some("X509"), &[], true),
            (Some("SCRAM"), &[], false),
            (Some("SCRAM"), &raw, true),
            (None, &[], false),
            (None, &raw, true),
        ] {
            assert_eq!(is_for_hub(&connect("D1", method, raw)), expected, "{method:?}");
        }
    }
}
