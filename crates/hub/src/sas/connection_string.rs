//! Connection strings, `HostName=..;DeviceId=..;SharedAccessKey=..` (iot-hub E3): read and written
//! as the device and service SDKs do. Refuses to know whether what they name exists.

use std::fmt;

use super::key::{Key, KeyError};
use crate::identity::{DeviceId, ModuleId, NameError};

/// Where to connect, as whom, and by what.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionString {
    host: Box<str>,
    gateway: Option<Box<str>>,
    subject: Subject,
    credential: Credential,
}

/// Whom a connection string is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A service, by a policy of the hub.
    Hub,
    /// A device.
    Device(DeviceId),
    /// A module of a device.
    Module(DeviceId, ModuleId),
}

/// By what it proves itself.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A key: the policy's of that name, else the identity's own.
    Key {
        /// `SharedAccessKeyName`.
        policy: Option<Box<str>>,
        /// `SharedAccessKey`.
        key: Key,
    },
    /// A token that was made before, in `SharedAccessSignature`.
    Signature(Box<str>),
    /// A client certificate: `x509=true`.
    X509,
}

impl ConnectionString {
    /// A connection string for `host` (`name` or `name:port`).
    ///
    /// # Errors
    /// When its parts do not go together, or one has a `;`, which ends a value.
    pub fn new(
        host: &str,
        subject: Subject,
        credential: Credential,
    ) -> Result<Self, ConnectionStringError> {
        let parts = Self { host: host.into(), gateway: None, subject, credential };
        match parts.fields().find(|(_, value)| value.contains(';')) {
            Some((name, _)) => Err(ConnectionStringError::Semicolon(name)),
            None => parts.checked(),
        }
    }

    /// The same one through a gateway, to which the client then connects.
    ///
    /// # Errors
    /// When the name is empty or has a `;`.
    pub fn through(mut self, gateway: &str) -> Result<Self, ConnectionStringError> {
        if gateway.contains(';') {
            return Err(ConnectionStringError::Semicolon(GATEWAY));
        }
        self.gateway = Some(gateway.into());
        self.checked()
    }

    /// Reads fields in any order, each once; one `;` may stand at the end.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, ConnectionStringError> {
        use ConnectionStringError as Error;
        let mut found: [Option<&str>; 8] = [None; 8];
        for field in text.strip_suffix(';').unwrap_or(text).split(';') {
            let (name, value) = field.split_once('=').ok_or(Error::NoField)?;
            let at = FIELDS.iter().position(|known| *known == name).ok_or(Error::Unknown)?;
            if value.is_empty() {
                return Err(Error::Empty(FIELDS[at]));
            }
            if found[at].replace(value).is_some() {
                return Err(Error::Twice(FIELDS[at]));
            }
        }
        let [host, device, module, policy, key, signature, x509, gateway] = found;
        let subject = match (device, module) {
            (None, None) => Subject::Hub,
            (Some(device), None) => Subject::Device(device_id(device)?),
            (Some(device), Some(module)) => {
                let module = ModuleId::parse(module).map_err(|why| Error::Id(MODULE, why))?;
                Subject::Module(device_id(device)?, module)
            }
            (None, Some(_)) => return Err(Error::Missing(DEVICE)),
        };
        let credential = match (key, signature, x509) {
            (Some(key), None, None) => {
                let key = Key::from_base64(key).map_err(Error::Key)?;
                Credential::Key { policy: policy.map(Into::into), key }
            }
            (None, ..) if policy.is_some() => return Err(Error::Missing(KEY)),
            (None, Some(signature), None) => Credential::Signature(signature.into()),
            (None, None, Some("true")) => Credential::X509,
            (None, None, Some(_)) => return Err(Error::X509),
            (None, None, None) => return Err(Error::NoCredential),
            _ => return Err(Error::Credentials),
        };
        let host = host.ok_or(Error::Missing(HOST))?.into();
        Self { host, gateway: gateway.map(Into::into), subject, credential }.checked()
    }

    /// The host as it stands there, with a port if it has one.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host to connect to instead, where there is one.
    pub fn gateway(&self) -> Option<&str> {
        self.gateway.as_deref()
    }

    /// Whom it is for.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// By what it proves itself.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The text, with its secret: for its owner, never for a log.
    pub fn reveal(&self) -> String {
        let fields = self.fields().map(|(name, value)| format!("{name}={value}"));
        fields.collect::<Vec<_>>().join(";")
    }

    fn checked(self) -> Result<Self, ConnectionStringError> {
        use ConnectionStringError as Error;
        if let Some((name, _)) = self.fields().find(|(_, value)| value.is_empty()) {
            return Err(Error::Empty(name));
        }
        match (&self.subject, &self.credential) {
            (Subject::Hub, Credential::Key { policy: None, .. }) => Err(Error::Missing(POLICY)),
            (Subject::Hub, Credential::X509) => Err(Error::Missing(DEVICE)),
            _ => Ok(self),
        }
    }

    fn fields(&self) -> impl Iterator<Item = (&'static str, String)> + use<> {
        let (device, module) = match &self.subject {
            Subject::Hub => (None, None),
            Subject::Device(device) => (Some(device.to_string()), None),
            Subject::Module(device, module) => (Some(device.to_string()), Some(module.to_string())),
        };
        let (policy, key, signature, x509) = match &self.credential {
            Credential::Key { policy, key } => (policy.clone(), Some(key.to_base64()), None, None),
            Credential::Signature(token) => (None, None, Some(token.to_string()), None),
            Credential::X509 => (None, None, None, Some("true".to_owned())),
        };
        let (host, gateway) = (Some(self.host.to_string()), self.gateway.clone().map(Into::into));
        let values = [host, device, module, policy.map(Into::into), key, signature, x509, gateway];
        FIELDS.into_iter().zip(values).filter_map(|(name, value)| Some((name, value?)))
    }
}

/// Without its secret.
impl fmt::Debug for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionString")
            .field("host", &self.host)
            .field("subject", &self.subject)
            .field("credential", &self.credential)
            .finish_non_exhaustive()
    }
}

/// Without its secret.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { policy, .. } => write!(f, "Key({policy:?})"),
            Self::Signature(_) => f.write_str("Signature(..)"),
            Self::X509 => f.write_str("X509"),
        }
    }
}

/// Why a text is no connection string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionStringError {
    /// A piece between `;` without `=`.
    #[error("a part of the connection string is no name=value")]
    NoField,
    /// A name that is none of the known ones, which are compared with their case.
    #[error(
        "the connection string has a part that is none of HostName, DeviceId, ModuleId, \
         SharedAccessKeyName, SharedAccessKey, SharedAccessSignature, x509 and GatewayHostName"
    )]
    Unknown,
    /// A part without a value.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// A part that stands there again.
    #[error("the connection string has {0} twice")]
    Twice(&'static str),
    /// A part that its other parts ask for.
    #[error("the connection string has no {0}")]
    Missing(&'static str),
    /// An id that is none.
    #[error("{0} {1}")]
    Id(&'static str, NameError),
    /// A key that is none.
    #[error("SharedAccessKey is no key: {0}")]
    Key(KeyError),
    /// `x509` with another value than `true`.
    #[error("x509 can only be true")]
    X509,
    /// No key, signature or certificate.
    #[error("the connection string has no SharedAccessKey, SharedAccessSignature or x509=true")]
    NoCredential,
    /// More than one of them.
    #[error("the connection string has more than one of key, signature and x509")]
    Credentials,
    /// A value that would end too early.
    #[error("{0} has a ';', which a connection string cannot hold")]
    Semicolon(&'static str),
}

fn device_id(text: &str) -> Result<DeviceId, ConnectionStringError> {
    DeviceId::parse(text).map_err(|why| ConnectionStringError::Id(DEVICE, why))
}

const HOST: &str = "HostName";
const DEVICE: &str = "DeviceId";
const MODULE: &str = "ModuleId";
const POLICY: &str = "SharedAccessKeyName";
const KEY: &str = "SharedAccessKey";
const GATEWAY: &str = "GatewayHostName";
/// In the order in which they are written.
const FIELDS: [&str; 8] =
    [HOST, DEVICE, MODULE, POLICY, KEY, "SharedAccessSignature", "x509", GATEWAY];

#[cfg(test)]
mod tests {
    use super::*;

    const B64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn the_forms_of_the_sdks_are_read_and_written_alike() {
        let key = format!("SharedAccessKey={B64}");
        let rows = [
            format!("HostName=localhost;DeviceId=D;{key}"),
            format!("HostName=localhost;DeviceId=D;ModuleId=M;{key}"),
            format!("HostName=localhost:8444;SharedAccessKeyName=iothubowner;{key}"),
            format!("HostName=h;DeviceId=D;SharedAccessKeyName=device;{key}"),
            "HostName=h;DeviceId=D;x509=true".into(),
            "HostName=h;DeviceId=D;ModuleId=M;x509=true".into(),
            "HostName=h;DeviceId=D;SharedAccessSignature=SharedAccessSignature sr=h&sig=a=&se=1"
                .into(),
            "HostName=h;SharedAccessSignature=SharedAccessSignature sr=h&sig=a=&se=1".into(),
            format!("HostName=any.hub.name;DeviceId=D=;{key};GatewayHostName=localhost"),
        ];
        for text in rows {
            let read = ConnectionString::parse(&text).unwrap();
            assert_eq!(read.reveal(), text);
            assert_eq!(ConnectionString::parse(&format!("{text};")), Ok(read.clone()));
            let shuffled = text.split(';').rev().collect::<Vec<_>>().join(";");
            assert_eq!(ConnectionString::parse(&shuffled), Ok(read.clone()));
            let again = ConnectionString::new(
                read.host(),
                read.subject().clone(),
                read.credential().clone(),
            );
            let again = match read.gateway() {
                Some(gateway) => again.unwrap().through(gateway),
                None => again,
            };
            assert_eq!(again, Ok(read.clone()));
            assert!(!format!("{read:?}").contains("AAEC"), "{read:?}");
            assert!(!format!("{read:?}").contains("sig="), "{read:?}");
        }
    }

    #[test]
    fn what_is_no_connection_string() {
        use ConnectionStringError::*;
        let key = format!("SharedAccessKey={B64}");
        let bad = ("DeviceId", DeviceId::parse("a b").unwrap_err());
        let rows = [
            (String::new(), NoField),
            ("HostName".into(), NoField),
            (format!("HostName=h;;DeviceId=D;{key}"), NoField),
            (format!("hostname=h;DeviceId=D;{key}"), Unknown),
            (format!("HostName=h;DeviceId=D;{key};Port=1"), Unknown),
            (format!("HostName=;DeviceId=D;{key}"), Empty("HostName")),
            (format!("HostName=h;DeviceId=D;{key};{key}"), Twice("SharedAccessKey")),
            (format!("DeviceId=D;{key}"), Missing("HostName")),
            (format!("HostName=h;ModuleId=M;{key}"), Missing("DeviceId")),
            (format!("HostName=h;{key}"), Missing("SharedAccessKeyName")),
            ("HostName=h;SharedAccessKeyName=p".into(), Missing("SharedAccessKey")),
            ("HostName=h;x509=true".into(), Missing("DeviceId")),
            ("HostName=h;DeviceId=D;x509=yes".into(), X509),
            ("HostName=h;DeviceId=D".into(), NoCredential),
            (format!("HostName=h;DeviceId=D;x509=true;{key}"), Credentials),
            (format!("HostName=h;DeviceId=a b;{key}"), Id(bad.0, bad.1)),
            ("HostName=h;DeviceId=D;SharedAccessKey=abc".into(), Key(KeyError::NoBase64)),
            ("HostName=h;DeviceId=D;SharedAccessKey=AAAA".into(), Key(KeyError::Length(3))),
        ];
        for (text, error) in rows {
            assert_eq!(ConnectionString::parse(&text), Err(error), "{text}");
        }
    }

    #[test]
    fn an_id_with_a_semicolon_has_no_connection_string() {
        let subject = Subject::Device(DeviceId::parse("a;b").unwrap());
        let made = ConnectionString::new("h", subject, Credential::X509);
        assert_eq!(made, Err(ConnectionStringError::Semicolon("DeviceId")));
        let made = ConnectionString::new("h;g", Subject::Hub, Credential::X509);
        assert_eq!(made, Err(ConnectionStringError::Semicolon("HostName")));
    }
}
