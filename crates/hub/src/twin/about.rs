//! What a twin's document says of the identity beside it (B1.1). Owns the names of those fields;
//! refuses to know where identities lie.

use crate::identity::{AuthenticationType, ConnectionState, Edge, Status};
use crate::{Etag, Moment};

/// The identity's part of the service-side document, borrowed.
#[derive(Debug, Clone, Default)]
pub struct About<'a> {
    /// `deviceId`.
    pub device_id: &'a str,
    /// `moduleId`, of a module.
    pub module_id: Option<&'a str>,
    /// `deviceEtag`: the identity's etag.
    pub device_etag: Etag,
    /// `status`.
    pub status: Status,
    /// `statusReason`.
    pub status_reason: Option<&'a str>,
    /// `statusUpdateTime`.
    pub status_updated: Moment,
    /// `connectionState`.
    pub connection: ConnectionState,
    /// `lastActivityTime`.
    pub last_activity: Moment,
    /// `cloudToDeviceMessageCount`.
    pub command_count: u32,
    /// `authenticationType`.
    pub authentication: AuthenticationType,
    /// `x509Thumbprint.primaryThumbprint`.
    pub primary_thumbprint: Option<&'a str>,
    /// `x509Thumbprint.secondaryThumbprint`.
    pub secondary_thumbprint: Option<&'a str>,
    /// `modelId`: of the last connection that named one, else empty.
    pub model_id: &'a str,
    /// `capabilities.iotEdge`.
    pub edge: Edge,
    /// `deviceScope`.
    pub device_scope: Option<&'a str>,
    /// `parentScopes`; none are not shown.
    pub parent_scopes: &'a [Box<str>],
}
