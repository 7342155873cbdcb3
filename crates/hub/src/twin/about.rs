//! What a twin's document says of the identity beside it (B1.1). Owns the names of those fields;
//! refuses to know where identities lie.

/// The identity's part of the service-side document, borrowed. Moments are wall milliseconds,
/// none = never.
#[derive(Debug, Clone, Default)]
pub struct About<'a> {
    /// `deviceId`.
    pub device_id: &'a str,
    /// `moduleId`, of a module.
    pub module_id: Option<&'a str>,
    /// `deviceEtag`: the identity's etag as shown.
    pub device_etag: &'a str,
    /// `status`.
    pub status: Status,
    /// `statusReason`.
    pub status_reason: Option<&'a str>,
    /// `statusUpdateTime`.
    pub status_updated_ms: Option<u64>,
    /// `connectionState`.
    pub connection: Connection,
    /// `lastActivityTime`.
    pub last_activity_ms: Option<u64>,
    /// `cloudToDeviceMessageCount`.
    pub command_count: u64,
    /// `authenticationType`.
    pub authentication: Authentication,
    /// `x509Thumbprint.primaryThumbprint`.
    pub primary_thumbprint: Option<&'a str>,
    /// `x509Thumbprint.secondaryThumbprint`.
    pub secondary_thumbprint: Option<&'a str>,
    /// `modelId`: of the last connection that named one, else empty.
    pub model_id: &'a str,
    /// `capabilities.iotEdge`.
    pub iot_edge: bool,
    /// `deviceScope`.
    pub device_scope: Option<&'a str>,
    /// `parentScopes`; none are not shown.
    pub parent_scopes: &'a [String],
}

/// Whether an identity may connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// It may.
    #[default]
    Enabled,
    /// It may not.
    Disabled,
}

/// Whether it is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Connection {
    /// It is.
    Connected,
    /// It is not.
    #[default]
    Disconnected,
}

/// How it authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Authentication {
    /// Shared keys.
    #[default]
    Sas,
    /// Thumbprints.
    SelfSigned,
    /// A certificate of a known authority.
    CertificateAuthority,
    /// Not at all.
    None,
}

impl Status {
    /// As documents show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
        }
    }
}

impl Connection {
    /// As documents show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "Connected",
            Self::Disconnected => "Disconnected",
        }
    }
}

impl Authentication {
    /// As documents show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sas => "sas",
            Self::SelfSigned => "selfSigned",
            Self::CertificateAuthority => "certificateAuthority",
            Self::None => "none",
        }
    }
}
