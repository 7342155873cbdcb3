//! An event as a message: body and properties under the names of each kind of endpoint (iot-hub B4,
//! B6). Refuses to know what has happened.

use crate::route::Source;
use crate::telemetry::SystemName;

/// An event, ready to be routed and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What routes ask for.
    pub source: Source,
    /// What the hub has names for.
    pub system: Vec<(SystemName, Box<str>)>,
    /// Application properties: name and value.
    pub properties: Vec<(&'static str, Box<str>)>,
    /// JSON in UTF-8.
    pub body: Vec<u8>,
}

impl Event {
    /// Its application properties, as [`query::Message`](crate::query::Message) takes them.
    pub fn property_view(&self) -> Vec<(&str, &str)> {
        self.properties.iter().map(|(name, value)| (*name, &**value)).collect()
    }

    /// Its system properties, likewise.
    pub fn system_view(&self) -> Vec<(&str, &str)> {
        self.system.iter().map(|(name, value)| (name.camel(), &**value)).collect()
    }

    /// Its size as B4 counts: body, values of system properties, names and values of application
    /// properties.
    pub fn bytes(&self) -> usize {
        let system: usize = self.system.iter().map(|(_, value)| value.len()).sum();
        let properties = self.properties.iter().map(|(name, value)| name.len() + value.len());
        self.body.len() + system + properties.sum::<usize>()
    }
}
