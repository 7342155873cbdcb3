//! A routing configuration, and where a message goes by it (iot-hub B5). Refuses to know what
//! endpoints are.

use super::enrichment::{Added, Enrichment, TooLarge, WantedEnrichment, add};
use super::limits::{ENDPOINTS_MAX, ENRICHMENTS_MAX, ROUTES_MAX};
use super::name::Name;
use super::source::Source;
use super::target::{Target, Targets};
use crate::query::{Condition, Message, Root, Verdict};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A configuration as an operator writes it. The default is that of a new hub.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'w> {
    /// The endpoints beside the built-in one.
    pub endpoints: &'w [&'w str],
    /// The routes.
    pub routes: &'w [WantedRoute<'w>],
    /// `fallbackRoute`: whether messages of devices that no route takes go to the built-in
    /// endpoint.
    pub fallback: Switch,
    /// The enrichments.
    pub enrichments: &'w [WantedEnrichment<'w>],
}

/// A route as an operator writes it.
#[derive(Debug, Clone, Copy)]
pub struct WantedRoute<'w> {
    /// `name`.
    pub name: &'w str,
    /// `source`.
    pub source: &'w str,
    /// `condition`; empty = `true`.
    pub condition: &'w str,
    /// `endpointNames`, of which there is one.
    pub endpoint: &'w str,
    /// `isEnabled`.
    pub state: Switch,
}

/// Whether something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Switch {
    /// It is.
    #[default]
    Enabled,
    /// It is not.
    Disabled,
}

/// A configuration, checked.
#[derive(Debug, Clone)]
pub struct Routing {
    /// The built-in one first.
    endpoints: Vec<Name>,
    /// Those that are enabled.
    routes: Vec<Route>,
    /// Where a message of a device goes that no route takes.
    fallback: Targets,
    enrichments: Vec<Enrichment>,
}

#[derive(Debug, Clone)]
struct Route {
    name: Name,
    source: Source,
    condition: Condition,
    target: Target,
    /// How often its condition has come to nothing: of all copies of the configuration.
    undefined: Arc<AtomicU64>,
}

/// What is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct Refused {
    /// `route 'a'`, `endpoint 'b'`, `enrichment 'c'`, `routes`, ...
    pub what: String,
    /// The rule.
    pub why: String,
}

impl Default for Routing {
    fn default() -> Self {
        Self::of(&Wanted::default()).expect("nothing is wrong with nothing")
    }
}

impl Routing {
    /// Checks a configuration.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn of(wanted: &Wanted<'_>) -> Result<Self, Refused> {
        at_most("endpoints", wanted.endpoints.len(), ENDPOINTS_MAX)?;
        at_most("routes", wanted.routes.len(), ROUTES_MAX)?;
        at_most("enrichments", wanted.enrichments.len(), ENRICHMENTS_MAX)?;
        let fallback = match (wanted.fallback, wanted.routes) {
            (Switch::Enabled, _) | (Switch::Disabled, []) => Targets::only(Target::EVENTS),
            (Switch::Disabled, _) => Targets::NONE,
        };
        let endpoints = vec![Name::events()];
        let mut routing = Self { endpoints, routes: Vec::new(), fallback, enrichments: Vec::new() };
        for text in wanted.endpoints {
            let refused = |why: &str| refused(format!("endpoint '{text}'"), why);
            let name = Name::parse(text).ok_or_else(|| refused(NAME_RULE))?;
            if name.is_reserved() || routing.endpoints.contains(&name) {
                return Err(refused("this name is taken"));
            }
            routing.endpoints.push(name);
        }
        let mut names: Vec<Name> = Vec::new();
        for route in wanted.routes {
            let refused = |why: &str| refused(format!("route '{}'", route.name), why);
            let checked = routing.route(route).map_err(|why| refused(&why))?;
            if names.contains(&checked.name) {
                return Err(refused("this name is taken"));
            }
            names.push(checked.name.clone());
            if route.state == Switch::Enabled {
                routing.routes.push(checked);
            }
        }
        for one in wanted.enrichments {
            let refused = |why: &str| refused(format!("enrichment '{}'", one.key), why);
            let targets = one.endpoints.iter().try_fold(Targets::NONE, |targets, name| {
                routing.target(name).map(|target| targets.with(target))
            });
            let targets = targets.ok_or_else(|| refused(NO_ENDPOINT))?;
            if targets.is_empty() {
                return Err(refused("it has no endpoints"));
            }
            let checked = Enrichment::of(one, targets).map_err(|why| refused(&why))?;
            if routing.enrichments.iter().any(|other| other.key == checked.key) {
                return Err(refused("this key is taken"));
            }
            routing.enrichments.push(checked);
        }
        Ok(routing)
    }

    /// Whether a message of this kind can go anywhere: events that nobody asks for are not made.
    pub fn wants(&self, source: Source) -> bool {
        let is_fallback = source == Source::DeviceMessages && !self.fallback.is_empty();
        is_fallback || self.routes_of(source).next().is_some()
    }

    /// Whether every message of a device goes to the built-in endpoint as it is.
    pub fn takes_all(&self) -> bool {
        let only_events = self.fallback == Targets::only(Target::EVENTS);
        only_events && self.routes.is_empty() && self.enrichments.is_empty()
    }

    /// Whether routes of this kind look into bodies: others need not be read.
    pub fn looks_into_body(&self, source: Source) -> bool {
        self.routes_of(source).any(|route| route.condition.looks_into(Root::Body))
    }

    /// Whether routes or enrichments of this kind look into the sender's twin.
    pub fn looks_into_twin(&self, source: Source) -> bool {
        let enriched = self.enrichments_of(source, None).any(Enrichment::looks_into_twin);
        enriched || self.routes_of(source).any(|route| route.condition.looks_into(Root::Twin))
    }

    /// Where a message goes: to the endpoint of each route that takes it, once. A condition that
    /// comes to nothing is no reason to take it, and [counted](Self::undefined): it may be a
    /// mistake.
    pub fn targets(&self, source: Source, message: &Message<'_>) -> Targets {
        let mut targets = Targets::NONE;
        for route in self.routes_of(source) {
            match route.condition.verdict(message) {
                Verdict::True => targets = targets.with(route.target),
                Verdict::False => {}
                Verdict::Undefined => drop(route.undefined.fetch_add(1, Ordering::Relaxed)),
            }
        }
        match source {
            Source::DeviceMessages if targets.is_empty() => self.fallback,
            _ => targets,
        }
    }

    /// Each enabled route, and for how many messages its condition has come to nothing.
    pub fn undefined(&self) -> impl Iterator<Item = (&Name, u64)> {
        self.routes.iter().map(|route| (&route.name, route.undefined.load(Ordering::Relaxed)))
    }

    /// What a message gets on its way to an endpoint. `bytes`: its size as B4 counts.
    ///
    /// # Errors
    /// [`TooLarge`]: it is dropped there.
    pub fn enrich<'a>(
        &'a self,
        source: Source,
        target: Target,
        hub_name: &'a str,
        message: &Message<'_>,
        bytes: usize,
    ) -> Result<Added<'a>, TooLarge> {
        add(self.enrichments_of(source, Some(target)), hub_name, message, bytes)
    }

    /// The endpoints, the built-in one first.
    pub fn endpoints(&self) -> impl Iterator<Item = (Target, &Name)> {
        (0..).map(Target).zip(&self.endpoints)
    }

    /// What an endpoint is called; of another configuration it may be none.
    pub fn name(&self, target: Target) -> Option<&Name> {
        self.endpoints.get(usize::from(target.0))
    }

    /// The endpoint of a name.
    pub fn target(&self, name: &str) -> Option<Target> {
        let name = Name::parse(name)?;
        self.endpoints().find(|(_, other)| **other == name).map(|(target, _)| target)
    }

    fn route(&self, wanted: &WantedRoute<'_>) -> Result<Route, String> {
        let name = Name::parse(wanted.name).ok_or(NAME_RULE)?;
        let source = Source::parse(wanted.source)
            .ok_or_else(|| format!("there is no source '{}'", wanted.source))?;
        let condition = Condition::of_route(wanted.condition);
        let condition = condition.map_err(|e| format!("its condition: {e}"))?;
        let target = self.target(wanted.endpoint).ok_or(NO_ENDPOINT)?;
        Ok(Route { name, source, condition, target, undefined: Arc::default() })
    }

    fn routes_of(&self, source: Source) -> impl Iterator<Item = &Route> {
        self.routes.iter().filter(move |route| route.source == source)
    }

    /// Those of an endpoint, or of any; changes of digital twins get none.
    fn enrichments_of(
        &self,
        source: Source,
        target: Option<Target>,
    ) -> impl Iterator<Item = &Enrichment> {
        let is_enriched = source != Source::DigitalTwinChangeEvents;
        self.enrichments
            .iter()
            .filter(move |one| is_enriched && target.is_none_or(|target| one.targets.has(target)))
    }
}

fn at_most(what: &str, count: usize, count_max: usize) -> Result<(), Refused> {
    match count > count_max {
        true => Err(refused(what, &format!("there are at most {count_max}, not {count}"))),
        false => Ok(()),
    }
}

fn refused(what: impl Into<String>, why: &str) -> Refused {
    Refused { what: what.into(), why: why.into() }
}

const NAME_RULE: &str = "a name has 1 to 64 letters, digits, '.', '_' and '-'";
const NO_ENDPOINT: &str = "there is no such endpoint";

#[cfg(test)]
#[path = "routing_tests.rs"]
mod tests;
