//! What a message is: routes ask for one kind (iot-hub B5, B6). Refuses to know messages.

use crate::telemetry::SOURCE_TELEMETRY;

/// The kind of a message, as a route names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// What devices send.
    DeviceMessages,
    /// A twin has changed.
    TwinChangeEvents,
    /// An identity was created or deleted.
    DeviceLifecycleEvents,
    /// A job has begun or ended.
    DeviceJobLifecycleEvents,
    /// A device or module has connected or disconnected.
    DeviceConnectionStateEvents,
    /// A digital twin has changed.
    DigitalTwinChangeEvents,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::DeviceMessages,
        Self::TwinChangeEvents,
        Self::DeviceLifecycleEvents,
        Self::DeviceJobLifecycleEvents,
        Self::DeviceConnectionStateEvents,
        Self::DigitalTwinChangeEvents,
    ];

    /// Reads the name in a configuration, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str().eq_ignore_ascii_case(text))
    }

    /// The name in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeviceMessages => "DeviceMessages",
            Self::TwinChangeEvents => "TwinChangeEvents",
            Self::DeviceLifecycleEvents => "DeviceLifecycleEvents",
            Self::DeviceJobLifecycleEvents => "DeviceJobLifecycleEvents",
            Self::DeviceConnectionStateEvents => "DeviceConnectionStateEvents",
            Self::DigitalTwinChangeEvents => "DigitalTwinChangeEvents",
        }
    }

    /// `iothub-message-source` of a message of this kind (B4, B6).
    pub const fn stamp(self) -> &'static str {
        match self {
            Self::DeviceMessages => SOURCE_TELEMETRY,
            Self::TwinChangeEvents => "twinChangeEvents",
            Self::DeviceLifecycleEvents => "deviceLifecycleEvents",
            Self::DeviceJobLifecycleEvents => "deviceJobLifecycleEvents",
            Self::DeviceConnectionStateEvents => "deviceConnectionStateEvents",
            Self::DigitalTwinChangeEvents => "digitalTwinChangeEvents",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case() {
        for source in Source::ALL {
            assert_eq!(Source::parse(source.as_str()), Some(source));
            assert_eq!(Source::parse(&source.as_str().to_uppercase()), Some(source));
        }
        assert_eq!(Source::parse("Telemetry"), None);
        assert_eq!(Source::parse(""), None);
    }
}
