//! How the sender of a message had proved who it is, as the message says it (iot-hub B4). Refuses
//! to know proofs.

/// Whose proof it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The device's own.
    Device,
    /// The module's own.
    Module,
}

/// What was proved with: the value of `iothub-connection-auth-method`. Stamped on what comes by
/// MQTT 3.1.1 and HTTP, not on what comes by the MQTT 5 plane (A14.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// A token that a policy of the hub had signed.
    Policy,
    /// A token that a key of its own had signed.
    Key(Scope),
    /// A certificate.
    Certificate(Scope),
}

impl AuthMethod {
    /// The JSON text. A certificate's issuer is not the hub.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Policy => r#"{"scope":"hub","type":"sas","issuer":"iothub"}"#,
            Self::Key(Scope::Device) => r#"{"scope":"device","type":"sas","issuer":"iothub"}"#,
            Self::Key(Scope::Module) => r#"{"scope":"module","type":"sas","issuer":"iothub"}"#,
            Self::Certificate(Scope::Device) => {
                r#"{"scope":"device","type":"x509","issuer":"external"}"#
            }
            Self::Certificate(Scope::Module) => {
                r#"{"scope":"module","type":"x509","issuer":"external"}"#
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{self, Value};

    #[test]
    fn the_text_is_json_with_three_members() {
        let rows = [
            (AuthMethod::Policy, ["hub", "sas", "iothub"]),
            (AuthMethod::Key(Scope::Device), ["device", "sas", "iothub"]),
            (AuthMethod::Key(Scope::Module), ["module", "sas", "iothub"]),
            (AuthMethod::Certificate(Scope::Device), ["device", "x509", "external"]),
            (AuthMethod::Certificate(Scope::Module), ["module", "x509", "external"]),
        ];
        for (method, values) in rows {
            let document = json::parse(method.text().as_bytes(), 2).unwrap();
            for (name, value) in ["scope", "type", "issuer"].into_iter().zip(values) {
                assert_eq!(document.member(name), Some(&Value::Text(value.into())));
            }
        }
    }
}
