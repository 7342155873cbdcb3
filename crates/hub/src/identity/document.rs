//! Identities as JSON documents, with the members of iot-hub C3 and their exact names. Refuses to
//! know what clients may send.

use serde_json::{Value, json};

use super::activity::Activity;
use super::authentication::{Authentication, Thumbprint};
use super::registered::{Device, Edge, Identity, Part};
use crate::Moment;

impl Identity {
    /// The `Device` or `Module` that the service API answers with, keys included.
    ///
    /// `etag` is without quotes; the header `ETag` has them.
    pub fn document(&self, activity: &Activity) -> Value {
        let mut document = json!({
            "deviceId": self.device.as_str(),
            "generationId": self.generation.to_string(),
            "etag": self.etag.identity_text().as_str(),
            "connectionState": activity.state.as_str(),
            "connectionStateUpdatedTime": time(activity.state_updated),
            "lastActivityTime": time(activity.last_activity),
            "cloudToDeviceMessageCount": activity.commands,
            "authentication": authentication(&self.authentication),
        });
        match &self.part {
            Part::Device(device) => self.describe(device, &mut document),
            Part::Module(module) => {
                document["moduleId"] = json!(module.id.as_str());
                document["managedBy"] = json!(module.managed_by);
            }
        }
        document
    }

    fn describe(&self, device: &Device, document: &mut Value) {
        document["status"] = json!(device.status.as_str());
        document["statusReason"] = json!(device.status_reason);
        document["statusUpdatedTime"] = time(device.status_updated);
        document["capabilities"] = json!({ "iotEdge": device.edge == Edge::Yes });
        // Absent rather than null, as clients of older versions expect.
        if let Some(scope) = self.scope() {
            document["deviceScope"] = json!(scope);
        }
        if !self.parent_scopes().is_empty() {
            document["parentScopes"] = json!(self.parent_scopes());
        }
    }
}

/// Every member is there whatever the type is: clients read them without looking.
fn authentication(of: &Authentication) -> Value {
    let (keys, thumbprints) = match of {
        Authentication::Sas(keys) => (Some(keys), None),
        Authentication::SelfSigned(thumbprints) => (None, Some(thumbprints)),
        Authentication::CertificateAuthority | Authentication::None => (None, None),
    };
    let (primary, secondary) =
        thumbprints.map_or((&None, &None), |two| (&two.primary, &two.secondary));
    let thumbprint = |one: &Option<Thumbprint>| one.as_ref().map(Thumbprint::to_string);
    json!({
        "symmetricKey": {
            "primaryKey": keys.map(|keys| keys.primary.to_base64()),
            "secondaryKey": keys.map(|keys| keys.secondary.to_base64()),
        },
        "x509Thumbprint": {
            "primaryThumbprint": thumbprint(primary),
            "secondaryThumbprint": thumbprint(secondary),
        },
        "type": of.kind().as_str(),
    })
}

fn time(moment: Moment) -> Value {
    Value::String(moment.to_string())
}
