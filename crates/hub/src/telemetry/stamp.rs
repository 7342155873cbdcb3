//! What the hub adds to a message (iot-hub B4): whose it is, when it came, and how its sender had
//! proved itself. Refuses to know the message.

use super::auth_method::AuthMethod;
use super::system::SystemName;
use crate::Moment;
use crate::identity::{Generation, IdentityId};

/// The hub's own properties of one message.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'m> {
    /// Who sent it.
    pub sender: &'m IdentityId,
    /// Which life of the id.
    pub generation: Generation,
    /// How it had proved itself; `None` for the MQTT 5 plane (A14.1).
    pub auth_method: Option<AuthMethod>,
    /// When the hub took it.
    pub enqueued: Moment,
    /// [`SOURCE_TELEMETRY`], or the source of another event (B6).
    pub source: &'m str,
    /// The model that the sender's connection had named (D1, `model-id`).
    pub model_id: Option<&'m str>,
}

impl Stamp<'_> {
    /// Shows each property.
    pub fn each(&self, mut show: impl FnMut(SystemName, &str)) {
        show(SystemName::DeviceId, self.sender.device.as_str());
        if let Some(module) = &self.sender.module {
            show(SystemName::ModuleId, module.as_str());
        }
        show(SystemName::GenerationId, &self.generation.to_string());
        if let Some(method) = self.auth_method {
            show(SystemName::AuthMethod, method.text());
        }
        show(SystemName::EnqueuedTime, self.enqueued.text().as_str());
        show(SystemName::Source, self.source);
        if let Some(model_id) = self.model_id {
            show(SystemName::ModelId, model_id);
        }
    }
}

/// `iothub-message-source` of what a device sends, as the built-in stream has it.
pub const SOURCE_TELEMETRY: &str = "Telemetry";

#[cfg(test)]
mod tests {
    use super::super::auth_method::Scope;
    use super::*;

    fn stamped(id: &str, auth_method: Option<AuthMethod>, model_id: Option<&str>) -> Vec<String> {
        let sender = IdentityId::parse(id).unwrap();
        let (generation, enqueued) = (Generation(7), Moment::at(1));
        let stamp = Stamp {
            sender: &sender,
            generation,
            auth_method,
            enqueued,
            source: SOURCE_TELEMETRY,
            model_id,
        };
        let mut shown = Vec::new();
        stamp.each(|name, value| shown.push(format!("{}={value}", name.dashed())));
        shown
    }

    #[test]
    fn devices_and_modules_are_stamped() {
        let device = [
            "iothub-connection-device-id=D1",
            "iothub-connection-auth-generation-id=7",
            "iothub-enqueuedtime=1970-01-01T00:00:00.0010000Z",
            "iothub-message-source=Telemetry",
        ];
        assert_eq!(stamped("D1", None, None), device);
        let module = [
            "iothub-connection-device-id=D1",
            "iothub-connection-module-id=m",
            "iothub-connection-auth-generation-id=7",
            "iothub-connection-auth-method=\
             {\"scope\":\"module\",\"type\":\"sas\",\"issuer\":\"iothub\"}",
            "iothub-enqueuedtime=1970-01-01T00:00:00.0010000Z",
            "iothub-message-source=Telemetry",
            "dt-dataschema=dtmi:a;1",
        ];
        let method = AuthMethod::Key(Scope::Module);
        assert_eq!(stamped("D1/m", Some(method), Some("dtmi:a;1")), module);
    }
}
