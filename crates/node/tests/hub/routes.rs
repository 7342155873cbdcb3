//! Where routes send messages and events, and what is added to them.

use crate::channel::lines;
use crate::telemetry::{QOS_1, connected, send, with_devices};
use crate::world::{World, hub, take_after};
use crashdisk::CrashDisk;
use hub::IfMatch;
use hub::route::{Routing, Switch, Wanted, WantedEnrichment, WantedRoute};
use node::devices::{Ask, Hub};

fn routed_hub() -> Hub {
    let route = |name, source, condition| {
        let state = Switch::Enabled;
        WantedRoute { name, source, condition, endpoint: "events", state }
    };
    let added = |key, value| WantedEnrichment { key, value, endpoints: &["events"] };
    let routes = [
        route("hot", "DeviceMessages", "p = 'v' AND $twin.tags.site = 'a'"),
        route("twins", "TwinChangeEvents", "true"),
        route("lives", "DeviceLifecycleEvents", ""),
        route("links", "DeviceConnectionStateEvents", "$connectionDeviceId = 'd1'"),
    ];
    let enrichments = [added("hub", "$iothubname"), added("p", "$twin.tags.site")];
    let fallback = Switch::Disabled;
    let wanted =
        Wanted { routes: &routes, fallback, enrichments: &enrichments, ..Wanted::default() };
    let mut hub = hub();
    hub.routing = Routing::of(&wanted).unwrap();
    hub
}

#[test]
fn routes_decide_what_goes_and_events_are_told_where_one_asks() {
    let mut world = with_devices(World::with(CrashDisk::new(8), routed_hub), &["d1", "d2"]);
    let mut device = connected(&mut world, "d1");
    let mut told = send(&mut world, &mut device, QOS_1, "1");
    let _ = take_after(&mut world, |w| w.patch("d1", r#"{"tags":{"site":"a"}}"#));
    told.extend(send(&mut world, &mut device, QOS_1, "2"));
    let mut other = connected(&mut world, "d2");
    send(&mut world, &mut other, QOS_1, "3");
    world.settled();
    told.extend(device.hear(&mut world));
    assert_eq!(told, ["PUBACK 0", "PUBACK 0"], "also where no route takes it");
    world.turn(|shard| shard.lost(device.link));
    let _ = take_after(&mut world, |w| w.ask("d1", |reply| Ask::Delete(IfMatch::Any, reply)));
    let lines = lines(&mut world);
    let of = |source: &str, id: &str| {
        let (source, id) =
            (format!("\"source\":\"{source}\""), format!("\"deviceId\":\"{id}\",\"moduleId\""));
        lines.iter().filter(|l| l.2.contains(&source) && l.2.contains(&id)).collect::<Vec<_>>()
    };
    let telemetry = of("Telemetry", "d1");
    assert_eq!(telemetry.len(), 1, "{lines:#?}");
    assert!(telemetry[0].2.contains(r#""properties":{"hub":"hub","p":"a"},"bodyBase64":"Mg=="}"#));
    assert!(of("Telemetry", "d2").is_empty());
    assert_eq!(of("twinChangeEvents", "d1").len(), 1);
    let links = of("deviceConnectionStateEvents", "d1");
    let lives = of("deviceLifecycleEvents", "d1");
    let operation = |line: &(usize, u64, String)| {
        let (_, rest) = line.2.split_once("\"opType\":\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let operations = |lines: &[&(usize, u64, String)]| {
        lines.iter().map(|line| operation(line)).collect::<Vec<_>>()
    };
    assert_eq!(operations(&links), ["deviceConnected", "deviceDisconnected"]);
    assert_eq!(operations(&lives), ["createDeviceIdentity", "deleteDeviceIdentity"]);
    assert_eq!(of("deviceLifecycleEvents", "d2").len(), 1);
    assert_eq!(of("deviceConnectionStateEvents", "d2").len(), 0);
    let undefined: Vec<u64> = world.hub.routing.undefined().map(|(_, count)| count).collect();
    assert_eq!(undefined, [2, 0, 0, 0], "of two messages there was no site yet");
}
