//! Which operation a topic names (iot-hub A10). Case counts and nothing is trimmed. Refuses to
//! know who publishes.

/// What a client means by publishing to a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// `$iothub/telemetry`
    Telemetry,
    /// `$iothub/twin/get`
    TwinGet,
    /// `$iothub/twin/patch/reported`
    PatchReported,
    /// `$iothub/responses`
    Responses,
    /// A topic that only the hub publishes to: commands, methods, desired.
    ToClient,
    /// Under `$iothub/`, and none of them.
    Undefined,
    /// Elsewhere.
    Outside,
}

impl Topic {
    /// The meaning of a topic name; with an alias, of the name that it stands for.
    pub fn of(name: &str) -> Self {
        let Some(rest) = name.strip_prefix(PREFIX) else { return Self::Outside };
        match rest {
            "telemetry" => Self::Telemetry,
            "twin/get" => Self::TwinGet,
            "twin/patch/reported" => Self::PatchReported,
            "responses" => Self::Responses,
            "commands" | "twin/patch/desired" => Self::ToClient,
            _ => match rest.strip_prefix(METHODS) {
                Some(method) if !method.is_empty() && !method.contains('/') => Self::ToClient,
                _ => Self::Undefined,
            },
        }
    }
}

/// What all topics of the plane begin with.
pub(super) const PREFIX: &str = "$iothub/";
/// What method topics go on with.
pub(super) const METHODS: &str = "methods/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_of_the_table_and_its_neighbours() {
        let rows = [
            ("$iothub/telemetry", Topic::Telemetry),
            ("$iothub/twin/get", Topic::TwinGet),
            ("$iothub/twin/patch/reported", Topic::PatchReported),
            ("$iothub/responses", Topic::Responses),
            ("$iothub/commands", Topic::ToClient),
            ("$iothub/methods/reboot", Topic::ToClient),
            ("$iothub/twin/patch/desired", Topic::ToClient),
            ("$iothub/telemetry/", Topic::Undefined),
            ("$iothub/Telemetry", Topic::Undefined),
            ("$iothub/methods/", Topic::Undefined),
            ("$iothub/methods", Topic::Undefined),
            ("$iothub/methods/a/b", Topic::Undefined),
            ("$iothub/methods/POST/a/?$rid=1", Topic::Undefined),
            ("$iothub/twin/GET/?$rid=1", Topic::Undefined),
            ("$iothub/twin/patch", Topic::Undefined),
            ("$iothub//telemetry", Topic::Undefined),
            ("$iothub/", Topic::Undefined),
            ("$iothub", Topic::Outside),
            ("$IOTHUB/telemetry", Topic::Outside),
            ("/$iothub/telemetry", Topic::Outside),
            ("telemetry", Topic::Outside),
            ("devices/D1/messages/events/", Topic::Outside),
            ("", Topic::Outside),
        ];
        for (name, topic) in rows {
            assert_eq!(Topic::of(name), topic, "{name}");
        }
    }
}
