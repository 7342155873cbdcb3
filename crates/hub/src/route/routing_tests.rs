//! Configurations and messages as B5 has them.

use super::*;
use crate::IfMatch;
use crate::twin::{Twin, patch};

const CUSTOM: &[&str] = &["alpha", "beta"];

fn route<'w>(source: &'w str, condition: &'w str, endpoint: &'w str) -> WantedRoute<'w> {
    WantedRoute { name: "r", source, condition, endpoint, state: Switch::Enabled }
}

fn named<'w>(names: &'w [&'w str], routes: &[WantedRoute<'w>]) -> Vec<WantedRoute<'w>> {
    names.iter().zip(routes).map(|(name, route)| WantedRoute { name, ..*route }).collect()
}

/// The names of the endpoints, and of the routes whose condition is undefined.
fn goes(routing: &Routing, source: Source, message: &Message<'_>) -> (String, String) {
    let before: Vec<u64> = routing.undefined().map(|(_, count)| count).collect();
    let targets = routing.targets(source, message);
    let undefined = routing.undefined().zip(before).filter(|((_, count), was)| count > was);
    let undefined: Vec<_> = undefined.map(|((name, _), _)| name.as_str()).collect();
    let names = targets.iter().map(|target| routing.name(target).unwrap().as_str().to_owned());
    (names.collect::<Vec<_>>().join(" "), undefined.join(" "))
}

#[test]
fn a_message_goes_to_each_endpoint_once() {
    let message = Message { properties: &[("level", "storage")], ..Message::default() };
    let plain = Message::default();
    let names = ["a", "b", "c", "d"];
    let routes = |routes: &[WantedRoute<'static>], fallback| {
        let routes = named(&names, routes);
        let wanted = Wanted { endpoints: CUSTOM, routes: &routes, fallback, ..Wanted::default() };
        Routing::of(&wanted).unwrap()
    };
    let (on, off) = (Switch::Enabled, Switch::Disabled);
    let storage = "level = 'storage'";
    let device = |condition, endpoint| route("DeviceMessages", condition, endpoint);
    let sleeping = WantedRoute { state: off, ..device("true", "alpha") };
    // Routes; fallback; where a message with a level goes and which routes cannot say; one without.
    for (n, (wanted, fallback, with, without)) in [
        (vec![], on, ("events", ""), ("events", "")),
        (vec![], off, ("events", ""), ("events", "")),
        (vec![device("", "alpha")], on, ("alpha", ""), ("alpha", "")),
        (vec![device(storage, "alpha")], on, ("alpha", ""), ("events", "a")),
        (vec![device(storage, "alpha")], off, ("alpha", ""), ("", "a")),
        (vec![device("false", "alpha")], off, ("", ""), ("", "")),
        (
            vec![device(storage, "Beta"), device("true", "beta"), device(storage, "alpha")],
            on,
            ("alpha beta", ""),
            ("beta", "a c"),
        ),
        (
            vec![device(storage, "events"), device("true", "beta")],
            on,
            ("events beta", ""),
            ("beta", "a"),
        ),
        (vec![sleeping], on, ("events", ""), ("events", "")),
        (vec![sleeping], off, ("", ""), ("", "")),
        (vec![route("TwinChangeEvents", "true", "alpha")], on, ("events", ""), ("events", "")),
    ]
    .into_iter()
    .enumerate()
    {
        let routing = routes(&wanted, fallback);
        let found = [&message, &plain].map(|one| goes(&routing, Source::DeviceMessages, one));
        let expected = [with, without].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(found, expected, "row {n}");
    }
}

#[test]
fn events_are_made_for_routes_that_ask() {
    let twin_route = route("twinchangeevents", "$twin.tags.x = 1", "alpha");
    let body_route = route("DeviceMessages", "$body.x = 1", "alpha");
    let routes = named(&["a", "b"], &[twin_route, body_route]);
    let fallback = Switch::Disabled;
    let wanted = Wanted { endpoints: CUSTOM, routes: &routes, fallback, ..Wanted::default() };
    let routing = Routing::of(&wanted).unwrap();
    let new = Routing::default();
    for (source, wants, body, twin) in [
        (Source::DeviceMessages, true, true, false),
        (Source::TwinChangeEvents, true, false, true),
        (Source::DeviceLifecycleEvents, false, false, false),
        (Source::DeviceConnectionStateEvents, false, false, false),
    ] {
        assert_eq!(routing.wants(source), wants, "{source:?}");
        assert_eq!(routing.looks_into_body(source), body);
        assert_eq!(routing.looks_into_twin(source), twin);
        assert_eq!(new.wants(source), source == Source::DeviceMessages);
    }
    let twin = patch(&Twin::new(0), br#"{"tags":{"x":1}}"#, &IfMatch::Any, 1).unwrap().twin;
    let message = Message { twin: Some(&twin), ..Message::default() };
    assert_eq!(goes(&routing, Source::TwinChangeEvents, &message).0, "alpha");
    assert_eq!(goes(&routing, Source::TwinChangeEvents, &Message::default()).0, "");
}

#[test]
fn what_breaks_a_rule_is_named() {
    let many: Vec<String> = (0..101).map(|n| format!("r{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let good = route("DeviceMessages", "true", "alpha");
    let hundred = vec![good; 101];
    let hundred = named(&many, &hundred);
    let enrichment = |key, value, endpoints| WantedEnrichment { key, value, endpoints };
    let eleven: Vec<_> = many[..11].iter().map(|key| enrichment(key, "v", CUSTOM)).collect();
    let base = Wanted { endpoints: CUSTOM, ..Wanted::default() };
    let said = |wanted: Wanted<'_>| Routing::of(&wanted).map(drop).map_err(|e| e.to_string());
    let routes = |routes: &[WantedRoute<'_>]| said(Wanted { routes, ..base });
    let endpoints = |endpoints: &[&str]| said(Wanted { endpoints, ..Wanted::default() });
    let enrichments = |enrichments: &[WantedEnrichment<'_>]| said(Wanted { enrichments, ..base });
    let long = "x".repeat(257);
    for (found, expected) in [
        (routes(&hundred[1..]), ""),
        (routes(&hundred), "routes: there are at most 100, not 101"),
        (endpoints(&many[1..11]), ""),
        (endpoints(&many[..11]), "endpoints: there are at most 10"),
        (endpoints(&["a", "A"]), "endpoint 'A': this name is taken"),
        (endpoints(&["EVENTS"]), "endpoint 'EVENTS': this name is taken"),
        (endpoints(&["a b"]), "endpoint 'a b': a name has"),
        (routes(&[good, good]), "route 'r': this name is taken"),
        (routes(&[WantedRoute { name: "", ..good }]), "route '': a name has"),
        (routes(&[WantedRoute { source: "Telemetry", ..good }]), "route 'r': there is no source"),
        (routes(&[WantedRoute { endpoint: "gamma", ..good }]), "route 'r': there is no such end"),
        (routes(&[WantedRoute { condition: "a =", ..good }]), "route 'r': its condition: char"),
        (
            routes(&[WantedRoute { condition: "a =", state: Switch::Disabled, ..good }]),
            "route 'r': its condition",
        ),
        (enrichments(&eleven[1..]), ""),
        (enrichments(&eleven), "enrichments: there are at most 10"),
        (enrichments(&[enrichment("a b", "v", CUSTOM)]), "enrichment 'a b': its key has"),
        (enrichments(&[enrichment("", "v", CUSTOM)]), "enrichment '': its key has"),
        (enrichments(&[enrichment("k", "", CUSTOM)]), "enrichment 'k': its value has"),
        (enrichments(&[enrichment("k", &long, CUSTOM)]), "enrichment 'k': its value has"),
        (enrichments(&[enrichment("k", "$twin.etag", CUSTOM)]), "enrichment 'k': its value: char"),
        (enrichments(&[enrichment("k", "v", &[])]), "enrichment 'k': it has no endpoints"),
        (enrichments(&[enrichment("k", "v", &["gamma"])]), "enrichment 'k': there is no such"),
        (enrichments(&[eleven[0], eleven[0]]), "enrichment 'r0': this key is taken"),
    ] {
        match found {
            Ok(()) => assert_eq!(expected, "", "it was accepted"),
            Err(said) => {
                assert!(!expected.is_empty() && said.starts_with(expected), "{said}");
            }
        }
    }
}

#[test]
fn enrichments_are_what_the_table_says() {
    let both: &[&str] = &["alpha", "events"];
    let enrichments: Vec<WantedEnrichment<'_>> = [
        ("hub", "$IotHubName", both),
        ("literal", "$iothubnames", both),
        ("tag", "$twin.tags.where", &["alpha"]),
        ("number", "$twin.properties.desired.n", &["alpha"]),
        ("object", "$twin.properties.reported.o", &["alpha"]),
        ("missing", "$twin.tags.none", &["alpha"]),
        ("own", "new", &["alpha"]),
    ]
    .map(|(key, value, endpoints)| WantedEnrichment { key, value, endpoints })
    .into();
    let wanted = Wanted { endpoints: CUSTOM, enrichments: &enrichments, ..Wanted::default() };
    let routing = Routing::of(&wanted).unwrap();
    let request = br#"{"tags":{"where":"he\"re"},"properties":{"desired":{"n":1.0}}}"#;
    let twin = patch(&Twin::new(0), request, &IfMatch::Any, 1).unwrap().twin;
    let twin =
        crate::twin::patch_reported(&twin, br#"{"o":{"p":true}}"#, crate::twin::IfVersion::Any, 2);
    let twin = twin.unwrap().twin;
    let properties: &[(&str, &str)] = &[("own", "older")];
    let message = Message { properties, twin: Some(&twin), ..Message::default() };
    let added = |name: &str, source, bytes| {
        let target = routing.target(name).unwrap();
        let added = routing.enrich(source, target, "h", &message, bytes)?;
        let texts = added.iter().map(|(key, value)| format!("{key}={value}"));
        Ok::<_, TooLarge>(texts.collect::<Vec<_>>().join(" "))
    };
    let device = Source::DeviceMessages;
    let all = "hub=h literal=$iothubnames tag=he\"re number=1.0 object={\"p\":true} \
               missing=$twin.tags.none own=new";
    assert_eq!(added("alpha", device, 0).as_deref(), Ok(all));
    assert_eq!(added("events", device, 0).as_deref(), Ok("hub=h literal=$iothubnames"));
    assert_eq!(added("beta", device, 0).as_deref(), Ok(""));
    assert_eq!(added("alpha", Source::DigitalTwinChangeEvents, 0).as_deref(), Ok(""));
    assert!(routing.looks_into_twin(device));
    let more = "hubhliteral$iothubnames".len();
    assert!(added("events", device, 262_144 - more).is_ok());
    let refused = added("events", device, 262_144 - more + 1);
    assert_eq!(refused, Err(TooLarge { bytes: 262_145 }));
    let replaced = "hubhliteral$iothubnamestaghe\"renumber1.0object{\"p\":true}missing\
                    $twin.tags.nonenew"
        .len()
        - "older".len();
    assert!(added("alpha", device, 262_144 - replaced).is_ok());
    assert!(added("alpha", device, 262_144 - replaced + 1).is_err());
}
