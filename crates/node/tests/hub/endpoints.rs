//! What goes to endpoints of the hub's own: every message that routes send there, once, in order,
//! with what is added there, and again after a crash from where the endpoint was.

use crate::device::{Device, Hello};
use crate::world::{World, hub, take_after};
use crashdisk::CrashDisk;
use hub::IfMatch;
use hub::channel::{Envelope, Partitions};
use hub::route::{Routing, Switch, Wanted, WantedEnrichment, WantedRoute};
use mqtt::qos::QoS;
use node::channel::{Channel, ChannelSettings, Portion, Taken};
use node::devices::Hub;
use node::post::Post;
use std::sync::Arc;
use store::log::Credit;

const ALL: Credit = Credit { records: usize::MAX, bytes: usize::MAX };
const EVERYTHING: &str = "true";

pub fn with_routes(
    endpoints: &[&str],
    routes: &[(&str, &str, &str)],
    enrichments: &[WantedEnrichment<'_>],
    settings: ChannelSettings,
) -> Hub {
    let names: Vec<String> = (0..routes.len()).map(|n| format!("r{n}")).collect();
    let state = Switch::Enabled;
    let route = |(name, (source, condition, endpoint))| WantedRoute {
        name,
        source,
        condition,
        endpoint,
        state,
    };
    let routes =
        routes.iter().map(|(source, condition, endpoint)| (*source, *condition, *endpoint));
    let routes: Vec<_> = names.iter().map(String::as_str).zip(routes).map(route).collect();
    let wanted = Wanted { endpoints, routes: &routes, fallback: Switch::Enabled, enrichments };
    let mut hub = hub();
    hub.routing = Routing::of(&wanted).unwrap();
    let own = hub.routing.endpoints().skip(1).map(|(_, name)| name.clone());
    hub.channel = Arc::new(Channel::with_outlets(settings, own));
    hub
}

/// Everything goes to `one`; what says `p = 'v'` to `two` and the built-in endpoint too.
fn two() -> Hub {
    let device = "DeviceMessages";
    let routes = [
        (device, EVERYTHING, "one"),
        (device, "p = 'v'", "two"),
        (device, "p = 'v'", "events"),
        (device, "p = 'v'", "two"),
    ];
    with_routes(&["one", "two"], &routes, &[], ChannelSettings::default())
}

fn device(world: &mut World, id: &str) -> Device {
    assert_eq!(take_after(world, |w| w.put(id, IfMatch::Absent)), Ok(true));
    Hello::new(id).connect(world).0
}

fn send(world: &mut World, device: &mut Device, property: &str, body: &str) -> Vec<String> {
    let to = ("$iothub/telemetry", QoS::AtLeastOnce);
    device.publish(world, to, (None, &[("@p", property)]), body.as_bytes())
}

fn portion(world: &mut World, outlet: usize, credit: Credit) -> Portion {
    let (log, channel) = (world.log(), Arc::clone(&world.hub.channel));
    let after = channel.outlets()[outlet].after();
    channel.read_outlet(log.as_ref(), outlet, after, credit).unwrap()
}

/// Source, properties, body of each message that waits.
pub fn waits(world: &mut World, outlet: usize) -> Vec<String> {
    let shown = |payload: &Vec<u8>| {
        let envelope = Envelope::decode(payload).unwrap();
        let properties = envelope.properties.iter().map(|(name, value)| format!("{name}={value} "));
        let properties: String = properties.collect();
        format!("{properties}{}", String::from_utf8_lossy(envelope.body))
    };
    let portion = portion(world, outlet, ALL);
    let waiting = world.hub.channel.outlets()[outlet].waiting();
    assert_eq!(waiting, portion.lapsed + portion.records.len() as u64);
    portion.records.iter().map(|(_, payload)| shown(payload)).collect()
}

/// An endpoint has taken some of what waits, or all.
fn taken(world: &mut World, outlet: usize, records: usize) {
    let Portion { lapsed, after, records } =
        portion(world, outlet, Credit { records, bytes: usize::MAX });
    let to = records.last().map_or(after, |(at, _)| *at);
    let messages = lapsed + records.len() as u64;
    let kept = take_after(world, |w| {
        w.post(|reply| Post::Taken(Box::new(Taken { outlet, to, messages, reply })))
    });
    assert_eq!(kept, Ok(()));
}

fn built_in(world: &mut World) -> usize {
    crate::channel::count(world)
}

#[test]
fn each_endpoint_has_what_its_routes_send_once_and_puback_follows_the_disk() {
    for mut world in [World::making(two), World::with(CrashDisk::new(1), two)] {
        let mut device = device(&mut world, "d1");
        let mut told = send(&mut world, &mut device, "v", "1");
        assert_eq!(told.is_empty(), world.keeps(), "nothing is told before it is a fact");
        assert_eq!(waits(&mut world, 0).is_empty(), world.keeps());
        told.extend(send(&mut world, &mut device, "w", "2"));
        world.settled();
        told.extend(device.hear(&mut world));
        assert_eq!(told, ["PUBACK 0", "PUBACK 0"]);
        assert_eq!(waits(&mut world, 0), ["p=v 1", "p=w 2"]);
        assert_eq!(waits(&mut world, 1), ["p=v 1"]);
        assert_eq!(built_in(&mut world), 1);
        // What one has taken the other still gets.
        taken(&mut world, 0, 1);
        assert_eq!(waits(&mut world, 0), ["p=w 2"]);
        assert_eq!(waits(&mut world, 1), ["p=v 1"]);
        taken(&mut world, 0, 9);
        taken(&mut world, 1, 9);
        assert!(waits(&mut world, 0).is_empty() && waits(&mut world, 1).is_empty());
        assert_eq!(built_in(&mut world), 1);
    }
}

#[test]
fn after_a_crash_an_endpoint_goes_on_where_it_was() {
    let mut world = World::with(CrashDisk::new(2), two);
    let mut device1 = device(&mut world, "d1");
    let (mut sent, mut done) = (Vec::new(), 0);
    for round in 0..6 {
        for n in 0..20 {
            send(&mut world, &mut device1, "v", &format!("{round} {n} {}", "x".repeat(200)));
            sent.push(format!("p=v {round} {n} {}", "x".repeat(200)));
        }
        world.settled();
        assert_eq!(waits(&mut world, 0), sent[done..]);
        taken(&mut world, 0, 13);
        done += 13;
        if round % 2 == 1 {
            world = world.crash();
            device1 = Hello::new("d1").connect(&mut world).0;
        }
        world.clean();
        assert_eq!(waits(&mut world, 0), sent[done..], "{round}");
        assert_eq!(waits(&mut world, 1), sent);
    }
    // A position that was not committed: the same again.
    let last = portion(&mut world, 1, ALL).records.last().unwrap().0;
    let reply = Box::new(|_| panic!("the power went before"));
    let lost = Taken { outlet: 1, to: last, messages: 120, reply };
    world.turn(|shard| shard.post_in(Post::Taken(Box::new(lost))));
    world = world.crash();
    assert_eq!(waits(&mut world, 1), sent);
}

/// Where endpoints get something else there is a record for each, and they become facts together.
#[test]
fn what_is_added_is_added_for_each_endpoint() {
    fn enriched() -> Hub {
        let added = |key, value, endpoints| WantedEnrichment { key, value, endpoints };
        let enrichments = [
            added("all", "a", &["one", "two", "three"][..]),
            added("own", "$iothubname", &["two"]),
        ];
        let routes = ["one", "two", "three"].map(|name| ("DeviceMessages", EVERYTHING, name));
        with_routes(&["one", "two", "three"], &routes, &enrichments, ChannelSettings::default())
    }
    for mut world in [World::making(enriched), World::with(CrashDisk::new(3), enriched)] {
        let mut device = device(&mut world, "d1");
        send(&mut world, &mut device, "v", "1");
        world.settled();
        for (outlet, expected) in
            [(0, "p=v all=a 1"), (1, "p=v all=a own=hub 1"), (2, "p=v all=a 1")]
        {
            assert_eq!(waits(&mut world, outlet), [expected], "{outlet}");
        }
        if world.keeps() {
            let at = |world: &mut World, outlet| portion(world, outlet, ALL).records[0].0;
            let [one, two, three] = [0, 1, 2].map(|outlet| at(&mut world, outlet));
            assert_eq!((one, two.0), (three, one.0 + 1));
        }
        // Only where it would be too large it is dropped.
        let name_bytes = "allap".len() + "v".len();
        send(&mut world, &mut device, "v", &"x".repeat(262_144 - name_bytes));
        world.settled();
        let left = [0, 1, 2].map(|outlet| waits(&mut world, outlet).len());
        assert_eq!(left, [2, 1, 2]);
    }
}

#[test]
fn events_of_every_kind_go_to_endpoints() {
    fn events() -> Hub {
        let all = ["TwinChangeEvents", "DeviceLifecycleEvents", "DeviceConnectionStateEvents"];
        let routes = all.map(|source| (source, EVERYTHING, "one"));
        with_routes(&["one"], &routes, &[], ChannelSettings::default())
    }
    for mut world in [World::making(events), World::with(CrashDisk::new(4), events)] {
        let device = device(&mut world, "d1");
        let _ = take_after(&mut world, |w| w.patch("d1", r#"{"tags":{"site":"a"}}"#));
        world.turn(|shard| shard.lost(device.link));
        world.settled();
        let operation = |line: &String| {
            let (_, rest) = line.split_once("opType=").unwrap();
            rest.split(' ').next().unwrap().to_owned()
        };
        let operations: Vec<_> = waits(&mut world, 0).iter().map(operation).collect();
        assert_eq!(
            operations,
            ["createDeviceIdentity", "deviceConnected", "updateTwin", "deviceDisconnected"]
        );
        assert_eq!(built_in(&mut world), 0);
    }
}

/// What an endpoint leaves is bounded as the channel is: the oldest lapse, and are counted.
#[test]
fn what_is_too_much_or_too_old_lapses_and_gives_its_space_back() {
    fn small() -> Hub {
        let partitions = Partitions::new(2).unwrap();
        let settings =
            ChannelSettings { partitions, retention_ms: 3_600_000, bytes_max: 192 * 1024 };
        with_routes(&["one"], &[("DeviceMessages", EVERYTHING, "one")], &[], settings)
    }
    for mut world in [World::making(small), World::with(CrashDisk::new(5), small)] {
        let mut device = device(&mut world, "d1");
        let mut sent = 0;
        for round in 0..20 {
            for n in 0..40 {
                send(&mut world, &mut device, "v", &format!("{round} {n} {}", "x".repeat(400)));
                sent += 1;
            }
            world.settled();
        }
        let Portion { lapsed, records, .. } = portion(&mut world, 0, ALL);
        assert_eq!(lapsed + records.len() as u64, sent);
        assert!(lapsed > 300 && records.len() > 50, "{lapsed} lapsed, {} left", records.len());
        taken(&mut world, 0, 10);
        if world.keeps() {
            world.clean();
            let bytes = world.log().unwrap().extent().bytes;
            assert!(bytes < 400 * 1024, "{bytes} bytes on the disk");
            world = world.crash();
            assert_eq!(portion(&mut world, 0, ALL).lapsed, 0, "it was told, and stays so");
        }
        let left = portion(&mut world, 0, ALL).records;
        assert_eq!(left.len(), records.len() - 10);
        let (first, kept_in) = (
            left[0].0,
            match world.keeps() {
                true => node::channel::KeptIn::InLog,
                false => node::channel::KeptIn::InMemory,
            },
        );
        assert!(!world.hub.channel.has_lapsed(0, first, kept_in));
        // A turn says when the next look is due.
        world.settled();
        world.now.wall_ms += 3_600_000;
        world.settled();
        assert!(world.hub.channel.has_lapsed(0, first, kept_in));
        let Portion { lapsed, records, .. } = portion(&mut world, 0, ALL);
        assert_eq!((lapsed, records.len()), (left.len() as u64, 0));
        taken(&mut world, 0, 10);
        assert_eq!(waits(&mut world, 0).len(), 0);
    }
}

/// An endpoint that is configured no more is forgotten; another in its place begins anew.
#[test]
fn endpoints_come_and_go() {
    fn only(name: &'static str) -> Hub {
        with_routes(
            &[name],
            &[("DeviceMessages", EVERYTHING, name)],
            &[],
            ChannelSettings::default(),
        )
    }
    let mut world = World::with(CrashDisk::new(6), || only("one"));
    let mut first = device(&mut world, "d1");
    send(&mut world, &mut first, "v", "1");
    world.settled();
    let mut world = world.crash_into(two);
    assert_eq!(waits(&mut world, 0), ["p=v 1"], "the same name is the same endpoint");
    assert_eq!(waits(&mut world, 1), [""; 0]);
    let mut again = Hello::new("d1").connect(&mut world).0;
    send(&mut world, &mut again, "v", "2");
    world.settled();
    let mut world = world.crash_into(|| only("TWO"));
    assert_eq!(waits(&mut world, 0), ["p=v 2"]);
    for _ in 0..3 {
        world = world.crash_into(|| only("one"));
        world.clean();
        assert_eq!(waits(&mut world, 0), [""; 0], "what was forgotten does not come back");
        world = world.crash_into(|| only("two"));
        world.clean();
        assert_eq!(waits(&mut world, 0), [""; 0]);
    }
}
