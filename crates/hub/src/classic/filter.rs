//! What a device subscribes to (iot-hub D2, D4). Refuses to know what it has subscribed to already.

use mqtt::qos::QoS;

use super::publication::own;
use crate::identity::IdentityId;

/// What a device hears of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subscription {
    /// `devices/{d}/messages/devicebound/#`: commands, QoS 1. Of devices only.
    Commands,
    /// `devices/{d}/modules/{m}/inputs/#` or `devices/{d}/modules/{m}/#`: what an edge device
    /// sends to a module. Accepted; the hub sends nothing there.
    Inputs,
    /// `$iothub/methods/POST/#`, QoS 0.
    Methods,
    /// `$iothub/twin/res/#`, QoS 0.
    TwinResponses,
    /// `$iothub/twin/PATCH/properties/desired/#`, QoS 0.
    Desired,
}

impl Subscription {
    /// Reads a filter on a connection of this identity. `None`: SUBACK 0x80; where ordinary topics
    /// exist too (profile `open`), one that is not under `$iothub/` is the broker's.
    pub fn of(id: &IdentityId, filter: &str) -> Option<Self> {
        match (filter, &id.module) {
            (METHODS, _) => Some(Self::Methods),
            (TWIN_RESPONSES, _) => Some(Self::TwinResponses),
            (DESIRED, _) => Some(Self::Desired),
            (_, None) => (own(id, filter)? == "messages/devicebound/#").then_some(Self::Commands),
            (_, Some(_)) => matches!(own(id, filter)?, "inputs/#" | "#").then_some(Self::Inputs),
        }
    }

    /// The filter that it is kept under; of the two for inputs, the wider one. `None`: an identity
    /// of this kind has no such subscription.
    pub fn filter(self, id: &IdentityId) -> Option<String> {
        match (self, &id.module) {
            (Self::Commands, None) => Some(format!("devices/{}/messages/devicebound/#", id.device)),
            (Self::Inputs, Some(module)) => {
                Some(format!("devices/{}/modules/{module}/#", id.device))
            }
            (Self::Commands, Some(_)) | (Self::Inputs, None) => None,
            (Self::Methods, _) => Some(METHODS.into()),
            (Self::TwinResponses, _) => Some(TWIN_RESPONSES.into()),
            (Self::Desired, _) => Some(DESIRED.into()),
        }
    }

    /// What SUBACK grants: at most QoS 1, whatever the messages are sent with.
    pub fn granted(self, requested: QoS) -> QoS {
        requested.min(QoS::AtLeastOnce)
    }
}

const METHODS: &str = "$iothub/methods/POST/#";
const TWIN_RESPONSES: &str = "$iothub/twin/res/#";
const DESIRED: &str = "$iothub/twin/PATCH/properties/desired/#";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_of_devices_and_modules() {
        let methods = Some(Subscription::Methods);
        let twin = Some(Subscription::TwinResponses);
        let desired = Some(Subscription::Desired);
        for (filter, device, module) in [
            ("devices/D1/messages/devicebound/#", Some(Subscription::Commands), None),
            ("devices/D1/modules/m/inputs/#", None, Some(Subscription::Inputs)),
            ("devices/D1/modules/m/#", None, Some(Subscription::Inputs)),
            ("$iothub/methods/POST/#", methods, methods),
            ("$iothub/twin/res/#", twin, twin),
            ("$iothub/twin/PATCH/properties/desired/#", desired, desired),
            ("devices/D2/messages/devicebound/#", None, None),
            ("devices/D1/messages/deviceBound/#", None, None),
            ("devices/D1/messages/devicebound", None, None),
            ("devices/D1/messages/events/#", None, None),
            ("devices/D1/modules/n/#", None, None),
            ("devices/D1/#", None, None),
            ("devices/+/messages/devicebound/#", None, None),
            ("$iothub/#", None, None),
            ("$iothub/methods/POST/reboot", None, None),
            ("$iothub/commands", None, None),
            ("#", None, None),
            ("", None, None),
        ] {
            for (id, expected) in [("D1", device), ("D1/m", module)] {
                let id = IdentityId::parse(id).unwrap();
                assert_eq!(Subscription::of(&id, filter), expected, "{id} {filter}");
            }
        }
        let granted = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]
            .map(|qos| Subscription::Commands.granted(qos).bits());
        assert_eq!(granted, [0, 1, 1]);
    }
}
