//! `[hub.telemetry]`, `[[hub.routes]]` and `[[hub.enrichments]]`: the built-in channel of a hub,
//! and what goes there and elsewhere (iot-hub B4, B5). Owns their spelling and what is refused;
//! conditions are crate `hub`'s to read.

use hub::channel::{PARTITIONS_MAX, PARTITIONS_MIN, Partitions};
use hub::route::{Refused, Routing, Switch, Wanted, WantedEnrichment, WantedRoute};
use node::channel::ChannelSettings;
use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::duration::HumanDuration;
use super::endpoint::{self, ENDPOINTS, EndpointEntry};
use super::hub::HubConfig;
use super::mistake::Mistake;

/// How much the channel has.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// 2 to 32, fixed when the hub begins.
    pub partitions: u64,
    /// How long a message is there.
    pub retention: HumanDuration,
    /// How many bytes of messages there are.
    pub bytes_max: u64,
}

/// A route.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteEntry {
    /// 1 to 64 letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// Such as `DeviceMessages`.
    pub source: String,
    /// In the language of routes.
    #[serde(default = "always")]
    pub condition: String,
    /// `events`, or an endpoint of the hub's own.
    #[serde(default = "events")]
    pub endpoint: String,
    /// Whether it is asked.
    #[serde(default = "yes")]
    pub enabled: bool,
}

/// An enrichment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrichmentEntry {
    /// The application property.
    pub key: String,
    /// A text, `$iothubname`, or a path that begins with `$twin.`.
    pub value: String,
    /// Where it is added.
    #[serde(default = "only_events")]
    pub endpoints: Vec<String>,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        let retention = HumanDuration::new(DAY);
        Self { partitions: Partitions::default().count() as u64, retention, bytes_max: 1 << 30 }
    }
}

impl TelemetryConfig {
    /// As the channel takes it.
    ///
    /// # Errors
    /// The first mistake.
    pub fn settings(&self) -> Result<ChannelSettings, Mistake> {
        let wrong =
            |key: &str, message: String| Mistake::new(format!("{TELEMETRY}.{key}"), message);
        let partitions = Partitions::new(self.partitions).ok_or_else(|| {
            let (given, range) = (self.partitions, format!("{PARTITIONS_MIN} to {PARTITIONS_MAX}"));
            wrong("partitions", format!("{given} is not in the range of {range}"))
        })?;
        if !(DAY..=DAY * 7).contains(&self.retention.get()) {
            let message = format!("{} is not in the range of 1d to 7d", self.retention);
            return Err(wrong("retention", message));
        }
        if self.bytes_max < BYTES_MIN {
            let message = format!("{} is less than {BYTES_MIN} bytes", self.bytes_max);
            return Err(wrong("bytes_max", message));
        }
        let retention_ms = self.retention.ms();
        Ok(ChannelSettings { partitions, retention_ms, bytes_max: self.bytes_max })
    }
}

impl HubConfig {
    /// The routes and enrichments, checked.
    ///
    /// # Errors
    /// The first mistake.
    pub fn routing(&self) -> Result<Routing, Mistake> {
        self.check_endpoints()?;
        let names: Vec<&str> = self.endpoints.iter().map(|one| one.name.as_str()).collect();
        let routes: Vec<_> = self.routes.iter().map(RouteEntry::wanted).collect();
        let endpoints: Vec<Vec<&str>> = self
            .enrichments
            .iter()
            .map(|one| one.endpoints.iter().map(String::as_str).collect())
            .collect();
        let enrichments: Vec<_> = self
            .enrichments
            .iter()
            .zip(&endpoints)
            .map(|(one, endpoints)| WantedEnrichment {
                key: &one.key,
                value: &one.value,
                endpoints,
            })
            .collect();
        let (fallback, enrichments) = (switch(self.fallback), &*enrichments);
        let wanted = Wanted { endpoints: &names, routes: &routes, fallback, enrichments };
        let routing = Routing::of(&wanted).map_err(|refused| self.refused(&refused))?;
        endpoint::settings(&self.endpoints)?;
        Ok(routing)
    }

    fn check_endpoints(&self) -> Result<(), Mistake> {
        let routes = self.routes.iter().map(|route| &route.endpoint);
        let routes =
            routes.enumerate().map(|(at, name)| (format!("{ROUTES}[{at}].endpoint"), name));
        let enrichments = self.enrichments.iter().enumerate().flat_map(|(at, one)| {
            one.endpoints.iter().map(move |name| (format!("{ENRICHMENTS}[{at}].endpoints"), name))
        });
        let is_known = |name: &str| {
            let mut own = self.endpoints.iter().map(|one| one.name.as_str());
            name.eq_ignore_ascii_case(EVENTS) || own.any(|one| one.eq_ignore_ascii_case(name))
        };
        match routes.chain(enrichments).find(|(_, name)| !is_known(name)) {
            Some((path, name)) => {
                let message =
                    format!("there is no endpoint '{name}'; describe it in [[{ENDPOINTS}]]");
                Err(Mistake::new(path, message))
            }
            None => Ok(()),
        }
    }

    /// Puts an error at its entry.
    fn refused(&self, Refused { what, why }: &Refused) -> Mistake {
        let named = |list: &str, at: Option<usize>| {
            at.map_or_else(|| list.to_owned(), |at| format!("{list}[{at}]"))
        };
        let route = |entry: &RouteEntry| *what == format!("route '{}'", entry.name);
        let added = |entry: &EnrichmentEntry| *what == format!("enrichment '{}'", entry.key);
        let own = |entry: &EndpointEntry| *what == format!("endpoint '{}'", entry.name);
        // A name that is there twice is wrong the second time.
        let path = if what.starts_with("enrichment") {
            named(ENRICHMENTS, self.enrichments.iter().rposition(added))
        } else if what.starts_with("endpoint") {
            named(ENDPOINTS, self.endpoints.iter().rposition(own))
        } else {
            named(ROUTES, self.routes.iter().rposition(route))
        };
        Mistake::new(path, format!("{what}: {why}"))
    }
}

impl RouteEntry {
    fn wanted(&self) -> WantedRoute<'_> {
        WantedRoute {
            name: &self.name,
            source: &self.source,
            condition: &self.condition,
            endpoint: &self.endpoint,
            state: switch(self.enabled),
        }
    }
}

fn switch(is_on: bool) -> Switch {
    if is_on { Switch::Enabled } else { Switch::Disabled }
}

fn always() -> String {
    "true".to_owned()
}

fn events() -> String {
    EVENTS.to_owned()
}

fn only_events() -> Vec<String> {
    vec![events()]
}

fn yes() -> bool {
    true
}

const EVENTS: &str = "events";
const TELEMETRY: &str = "hub.telemetry";
const ROUTES: &str = "hub.routes";
const ENRICHMENTS: &str = "hub.enrichments";
const DAY: Duration = Duration::from_secs(86_400);
/// A few of the largest messages.
const BYTES_MIN: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use hub::route::Source;

    fn hub(text: &str) -> HubConfig {
        toml::from_str(text).expect("readable")
    }

    #[test]
    fn what_cannot_work_is_refused_at_its_key() {
        let route = |name: &str, rest: &str| {
            format!("[[routes]]\nname = \"{name}\"\nsource = \"DeviceMessages\"\n{rest}\n")
        };
        let file = |name: &str, path: &str| {
            format!("[[endpoints]]\nname = \"{name}\"\nkind = \"file\"\npath = \"{path}\"\n")
        };
        let enrichment = |rest: &str| format!("[[enrichments]]\nkey = \"k\"\n{rest}\n");
        for (text, path) in [
            (String::new(), None),
            ("[telemetry]\npartitions = 32\nretention = \"7d\"".to_owned(), None),
            ("[telemetry]\npartitions = 1".to_owned(), Some("hub.telemetry.partitions")),
            ("[telemetry]\nretention = \"23h\"".to_owned(), Some("hub.telemetry.retention")),
            ("[telemetry]\nretention = \"8d\"".to_owned(), Some("hub.telemetry.retention")),
            ("[telemetry]\nbytes_max = 5".to_owned(), Some("hub.telemetry.bytes_max")),
            (route("a", "condition = \"x = 1\""), None),
            (route("a", "condition = \"x = \""), Some("hub.routes[0]")),
            (route("a", "endpoint = \"eventhub1\""), Some("hub.routes[0].endpoint")),
            (route("a", "endpoint = \"DISK\"") + &file("disk", "d"), None),
            (file("disk", "d") + &file("Disk", "e"), Some("hub.endpoints[1]")),
            (file("events", "d"), Some("hub.endpoints[0]")),
            (file("disk", "d") + &file("other", "d"), Some("hub.endpoints[1].path")),
            (
                (0..11).map(|n| file(&format!("e{n}"), &n.to_string())).collect(),
                Some("hub.endpoints"),
            ),
            (route("a", "") + &route("a", ""), Some("hub.routes[1]")),
            (enrichment("value = \"v\""), None),
            (enrichment("value = \"$twin.\""), Some("hub.enrichments[0]")),
            (
                enrichment("value = \"v\"\nendpoints = [\"blob\"]"),
                Some("hub.enrichments[0].endpoints"),
            ),
        ] {
            let hub = hub(&text);
            let settings = hub.telemetry.settings().err();
            let found = settings.or_else(|| hub.routing().err()).map(|mistake| mistake.path);
            assert_eq!(found.as_deref(), path, "{text}");
        }
    }

    #[test]
    fn the_default_takes_what_devices_send() {
        let routing = hub("").routing().expect("routes");
        assert!(routing.takes_all() && !routing.wants(Source::TwinChangeEvents));
        let text = "fallback = false\n[[routes]]\nname = \"t\"\nsource = \"twinChangeEvents\"";
        let routing = hub(text).routing().expect("routes");
        assert!(routing.wants(Source::TwinChangeEvents) && !routing.wants(Source::DeviceMessages));
    }
}
