//! What a twin's document says of the identity beside it (B1.1). Owns the names of those fields;
//! refuses to know where identities lie.

use std::borrow::Cow;

use crate::identity::{
    Activity, Authentication, AuthenticationType, ConnectionState, Edge, Identity, Part, Status,
    Thumbprint,
};
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
    pub device_scope: Option<Cow<'a, str>>,
    /// `parentScopes`; none are not shown.
    pub parent_scopes: &'a [Box<str>],
}

impl<'a> About<'a> {
    /// What a registered identity says. `model_id`: of the last connection that named one, else
    /// empty.
    pub fn of(identity: &'a Identity, activity: &Activity, model_id: &'a str) -> Self {
        let shared = Self {
            device_id: identity.device.as_str(),
            device_etag: identity.etag,
            connection: activity.state,
            last_activity: activity.last_activity,
            command_count: activity.commands,
            authentication: identity.authentication.kind(),
            model_id,
            ..Self::default()
        };
        let thumbprints = match &identity.authentication {
            Authentication::SelfSigned(two) => [&two.primary, &two.secondary],
            _ => [&None, &None],
        };
        let [primary_thumbprint, secondary_thumbprint] =
            thumbprints.map(|one| one.as_ref().map(Thumbprint::as_str));
        let shared = Self { primary_thumbprint, secondary_thumbprint, ..shared };
        match &identity.part {
            Part::Module(module) => Self { module_id: Some(module.id.as_str()), ..shared },
            Part::Device(device) => Self {
                status: device.status,
                status_reason: device.status_reason.as_deref(),
                status_updated: device.status_updated,
                edge: device.edge,
                device_scope: identity.scope(),
                parent_scopes: identity.parent_scopes(),
                ..shared
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Twin;
    use super::*;
    use crate::Moment;
    use crate::chance::Chance;
    use crate::identity::examples::any;

    #[test]
    fn both_documents_of_an_identity_say_the_same() {
        let activity = Activity {
            state: ConnectionState::Connected,
            state_updated: Moment::at(1),
            last_activity: Moment::at(2),
            commands: 3,
        };
        for seed in 0..200 {
            let identity = any(&mut Chance::new(seed));
            let of_identity = identity.document(&activity);
            let mut bytes = Vec::new();
            let about = About::of(&identity, &activity, "dtmi:a;1");
            Twin::new(0).write_for_service(&about, &mut bytes);
            let of_twin: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            // The name in the identity's document, and in the twin's.
            for (name, in_twin) in [
                ("/deviceId", "/deviceId"),
                ("/moduleId", "/moduleId"),
                ("/etag", "/deviceEtag"),
                ("/connectionState", "/connectionState"),
                ("/lastActivityTime", "/lastActivityTime"),
                ("/cloudToDeviceMessageCount", "/cloudToDeviceMessageCount"),
                ("/authentication/type", "/authenticationType"),
                ("/authentication/x509Thumbprint", "/x509Thumbprint"),
                ("/deviceScope", "/deviceScope"),
                ("/parentScopes", "/parentScopes"),
            ] {
                let (one, other) = (of_identity.pointer(name), of_twin.pointer(in_twin));
                assert_eq!(one, other, "seed {seed}: {name}");
            }
            if identity.id().module.is_some() {
                assert_eq!(of_twin["status"], "enabled", "a module has none of its own");
                continue;
            }
            for (name, in_twin) in [
                ("status", "status"),
                ("statusReason", "statusReason"),
                ("statusUpdatedTime", "statusUpdateTime"),
                ("capabilities", "capabilities"),
            ] {
                assert_eq!(of_identity[name], of_twin[in_twin], "seed {seed}: {name}");
            }
        }
    }
}
