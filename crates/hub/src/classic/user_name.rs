//! The user name of a device's CONNECT (iot-hub D1): which hub, who, and what its library says of
//! itself. Refuses to know whether any of it is true.

use std::borrow::Cow;

use crate::identity::{DeviceId, IdentityId, ModuleId, NameError};
use crate::percent;

/// `{host}/{device}[/{module}]`, perhaps with a query behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserName<'u> {
    /// The hub, which counts more than the name that TLS was asked for: behind a gateway they
    /// differ. As the client wrote it.
    pub host: &'u str,
    /// Who it says that it is; the client identifier has to be the same.
    pub id: IdentityId,
    /// `api-version`; any value is taken. Without one, nothing but the host tells a hub's user
    /// name from another.
    pub api_version: Option<Cow<'u, str>>,
    /// `DeviceClientType`.
    pub client_type: Option<Cow<'u, str>>,
    /// `model-id`: the twin's `modelId`, and `dt-dataschema` of messages.
    pub model_id: Option<Cow<'u, str>>,
    /// `auth-chain`, of a device behind an edge device.
    pub auth_chain: Option<Cow<'u, str>>,
}

/// Why a text is no such user name. For a connection that is the hub's: CONNACK 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserNameError {
    /// There is no host before the first `/`, or no `/`.
    #[error("the user name has to be {{host}}/{{client id}}/?api-version={{version}}")]
    Form,
    /// The device's id is none.
    #[error("the device id in the user name {0}")]
    Device(NameError),
    /// The module's id is none.
    #[error("the module id in the user name {0}")]
    Module(NameError),
}

impl<'u> UserName<'u> {
    /// Reads a user name in any of the forms that clients use.
    ///
    /// Only a segment that begins with `?` or with `api-version=` begins the query, behind the
    /// device or behind the module; ids may have `?` and `=` elsewhere. Keys that D1 has not are
    /// passed over; of two that are the same the last counts; a value that is no percent-encoding
    /// stands for itself.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn parse(text: &'u str) -> Result<Self, UserNameError> {
        let (host, rest) = text.split_once('/').ok_or(UserNameError::Form)?;
        if host.is_empty() {
            return Err(UserNameError::Form);
        }
        let (device, rest) = rest.split_once('/').map_or((rest, None), |(d, r)| (d, Some(r)));
        let (module, query) = match rest.map(|rest| (query(rest), rest)) {
            None => (None, None),
            Some((Some(query), _)) => (None, Some(query)),
            Some((None, rest)) => match rest.split_once('/') {
                None => (Some(rest), None),
                Some((module, rest)) => {
                    (Some(module), Some(query(rest).ok_or(UserNameError::Form)?))
                }
            },
        };
        let device = DeviceId::parse(device).map_err(UserNameError::Device)?;
        let module = module.map(ModuleId::parse).transpose().map_err(UserNameError::Module)?;
        let mut name = Self {
            host,
            id: IdentityId { device, module },
            api_version: None,
            client_type: None,
            model_id: None,
            auth_chain: None,
        };
        for pair in query.unwrap_or_default().split('&') {
            name.take(pair);
        }
        Ok(name)
    }

    fn take(&mut self, pair: &'u str) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let place = match decoded(key).as_ref() {
            API_VERSION => &mut self.api_version,
            "DeviceClientType" => &mut self.client_type,
            "model-id" => &mut self.model_id,
            "auth-chain" => &mut self.auth_chain,
            _ => return,
        };
        *place = Some(decoded(value));
    }
}

/// The query that a text is, all of it.
fn query(text: &str) -> Option<&str> {
    let named = || text.strip_prefix(API_VERSION).is_some_and(|rest| rest.starts_with('='));
    text.strip_prefix('?').or_else(|| named().then_some(text))
}

fn decoded(text: &str) -> Cow<'_, str> {
    percent::decode_borrowed(text).unwrap_or(Cow::Borrowed(text))
}

const API_VERSION: &str = "api-version";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;

    fn parts(text: &str) -> (String, String, Option<String>) {
        let name = UserName::parse(text).unwrap();
        (name.host.into(), name.id.to_string(), name.api_version.map(Into::into))
    }

    #[test]
    fn every_form_is_read() {
        for (text, host, id, version) in [
            ("h/dev/?api-version=v&k=v", "h", "dev", Some("v")),
            ("h/dev/mod/?api-version=v&k=v", "h", "dev/mod", Some("v")),
            ("h/dev/api-version=v&k=v", "h", "dev", Some("v")),
            ("h/dev/mod/api-version=v&k=v", "h", "dev/mod", Some("v")),
            ("h/dev", "h", "dev", None),
            ("h/dev/mod", "h", "dev/mod", None),
            ("h/dev/?", "h", "dev", None),
            ("h/dev/?k=v&api-version=v", "h", "dev", Some("v")),
            ("h/?dev/?api-version=v", "h", "?dev", Some("v")),
            ("h/d?v/m?d/?api-version=v", "h", "d?v/m?d", Some("v")),
            ("h/d=v/m=d/api-version=v", "h", "d=v/m=d", Some("v")),
            ("h/dev/api-versions/?api-version=v", "h", "dev/api-versions", Some("v")),
            ("h/dev/%41/?api-version=v", "h", "dev/%41", Some("v")),
            ("h/dev/?api-version=a/b", "h", "dev", Some("a/b")),
            ("h/dev/?api-version=", "h", "dev", Some("")),
            ("h/dev/?api-version", "h", "dev", Some("")),
            ("h/dev/?api-version=1&api-version=2", "h", "dev", Some("2")),
            ("h/dev/?api%2Dversion=v", "h", "dev", Some("v")),
            ("h:8883/dev/?api-version=v", "h:8883", "dev", Some("v")),
        ] {
            assert_eq!(parts(text), (host.into(), id.into(), version.map(Into::into)), "{text}");
        }
    }

    #[test]
    fn what_sdks_send() {
        let python = "localhost/dev1/?api-version=2019-10-01&DeviceClientType=\
                      azure-iot-device-iothub-py%2F2.14.0%28a%20b%29";
        let name = UserName::parse(python).unwrap();
        assert_eq!(name.client_type.as_deref(), Some("azure-iot-device-iothub-py/2.14.0(a b)"));
        let csharp = "h/dev/?api-version=1&DeviceClientType=100%&auth-chain=a%3Bb&model-id=\
                      dtmi%3Acom%3Aexample%3AThermostat%3B1";
        let name = UserName::parse(csharp).unwrap();
        assert_eq!(name.client_type.as_deref(), Some("100%"));
        assert_eq!(name.auth_chain.as_deref(), Some("a;b"));
        assert_eq!(name.model_id.as_deref(), Some("dtmi:com:example:Thermostat;1"));
    }

    #[test]
    fn what_is_no_user_name() {
        let (device, module) = (UserNameError::Device, UserNameError::Module);
        for (text, error) in [
            ("", UserNameError::Form),
            ("h", UserNameError::Form),
            ("/dev", UserNameError::Form),
            ("h/dev/mod/x", UserNameError::Form),
            ("h/dev/mod/", UserNameError::Form),
            ("h/dev/mod/more/?api-version=v", UserNameError::Form),
            ("h/", device(NameError::Empty)),
            ("h//?api-version=v", device(NameError::Empty)),
            ("h/a b/?api-version=v", device(NameError::Character(' '))),
            ("h/dev/", module(NameError::Empty)),
            ("h/dev//?api-version=v", module(NameError::Empty)),
            ("h/dev/é", module(NameError::Character('é'))),
        ] {
            assert_eq!(UserName::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn any_text_is_read_or_refused() {
        let mut chance = Chance::new(1);
        let pieces =
            ["h", "/", "?", "=", "&", "%", "%2", "%zz", "%C3", "é", "api-version", "dev", "\0"];
        for _ in 0..2_000 {
            let text: String = (0..chance.below(12)).map(|_| chance.one_of(&pieces)).collect();
            if let Ok(name) = UserName::parse(&text) {
                assert!(text.starts_with(&format!("{}/{}", name.host, name.id)), "{text}");
            }
        }
    }
}
