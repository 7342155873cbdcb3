//! Who takes part in the soak: the mix of levels, versions, transports and habits, 500
//! connections at once, more clients. Refuses to know what they do.

use super::duel::Duel;
use super::group::Group;
use super::mourner::Mourners;
use super::postman::Postman;
use super::role::Role;
use super::stream::{Habit, Settings, Stream};
use super::visitor::Visitor;
use crate::engine::{Credential, Engine, Plan, Transport};
use crate::https::Https;
use crate::proof::Size;
use mqtt::qos::QoS;
use mqtt::wire::Version;

/// Gathers everybody.
pub fn gather(
    engine: &mut Engine,
    size: Size,
    extras: &[Extra],
    https: Https,
) -> Vec<Box<dyn Role>> {
    let mut transports = vec![Transport::Tcp, Transport::Tls, Transport::Tcp];
    if extras.contains(&Extra::WebSocket) {
        transports.push(Transport::WebSocket);
    }
    let mut cast = Cast { roles: Vec::new(), next: 0, size, transports };
    cast.steady(engine);
    cast.sleepers(engine);
    cast.away(engine);
    cast.comers(engine);
    cast.rest(engine, https);
    cast.roles
}

struct Cast {
    roles: Vec<Box<dyn Role>>,
    /// The next stream's number.
    next: u32,
    size: Size,
    transports: Vec<Transport>,
}

/// What not every server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// MQTT over WebSocket on the HTTPS listener.
    WebSocket,
}

impl Cast {
    /// Of a full count, as many as the size wants, at least one.
    fn count(&self, full: usize) -> usize {
        if self.size == Size::Full { full } else { full.div_ceil(SMOKE_PART) }
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// The mix: versions and transports come around in turn.
    fn plan(&self, name: &str, id: u32, place: u32) -> Plan {
        let turn = id.wrapping_mul(5).wrapping_add(place);
        let version = if turn.is_multiple_of(2) { Version::V5 } else { Version::V311 };
        let over = self.transports[(turn / 2) as usize % self.transports.len()];
        Plan { keep_alive_s: KEEP_ALIVE_S, ..Plan::new(version, format!("{name}-{id}-{place}")) }
            .over(over)
    }

    /// Always there, reading: large payloads among them. 381 connections.
    fn steady(&mut self, engine: &mut Engine) {
        for n in 0..self.count(185) {
            let id = self.number();
            let large = n % 30 == 7;
            let settings = Settings {
                qos: LEVELS[n % 3],
                bytes: if large { 200_000 } else { 40 + n * 7 % 1_000 },
                period_us: if large { 2_000_000 } else { 100_000 },
                publisher: Habit::Steady,
            };
            let publisher = self.plan("steady", id, 0);
            // Some have more receivers.
            let receivers = 1 + u32::from(n % 17 == 3);
            let receivers = (1..=receivers).map(|p| (self.plan("steady", id, p), Habit::Steady));
            let receivers = receivers.collect();
            let stream = Stream::new(engine, id, "steady", settings, publisher, receivers);
            self.roles.push(Box::new(stream));
        }
    }

    /// Receivers that do not read for a while, so that bounds are reached. 18 connections.
    fn sleepers(&mut self, engine: &mut Engine) {
        for n in 0..self.count(6) {
            let id = self.number();
            let settings = Settings {
                qos: LEVELS[n % 3],
                bytes: 4_096,
                period_us: 2_500,
                publisher: Habit::Steady,
            };
            let receivers = vec![(self.plan("sleeper", id, 1), Habit::Sleeps(15_000_000)), {
                let quick = self.plan("sleeper", id, 2);
                (quick, Habit::Steady)
            }];
            let publisher = self.plan("sleeper", id, 0);
            let stream = Stream::new(engine, id, "sleeper", settings, publisher, receivers);
            self.roles.push(Box::new(stream));
        }
    }

    /// Sessions of QoS 0 that leave: what comes meanwhile is dropped and counted. 20 connections.
    fn away(&mut self, engine: &mut Engine) {
        for _ in 0..self.count(10) {
            let id = self.number();
            let settings = Settings {
                qos: QoS::AtMostOnce,
                bytes: 100,
                period_us: 100_000,
                publisher: Habit::Steady,
            };
            let receiver = self.plan("away", id, 1).lasting(EXPIRY_S);
            let receivers = vec![(receiver, Habit::Leaves(3_000_000))];
            let publisher = self.plan("away", id, 0);
            let stream = Stream::new(engine, id, "away", settings, publisher, receivers);
            self.roles.push(Box::new(stream));
        }
    }

    /// Sessions of QoS 1 and 2 that are lost or leave and are resumed, and publishers that are
    /// lost and repeat. 80 connections.
    fn comers(&mut self, engine: &mut Engine) {
        for n in 0..self.count(40) {
            let id = self.number();
            let qos = LEVELS[1 + n % 2];
            // A repeated QoS 1 publish is a second message: only QoS 2 can be checked to the one.
            let lost = qos == QoS::ExactlyOnce && n % 4 == 1;
            let publisher = if lost { Habit::Lost(7_000_000) } else { Habit::Steady };
            let settings = Settings { qos, bytes: 200, period_us: 50_000, publisher };
            let habit = match n % 3 {
                0 => Habit::Leaves(4_000_000),
                _ => Habit::Lost(3_000_000),
            };
            let receivers = vec![(self.plan("comer", id, 1).lasting(EXPIRY_S), habit)];
            let publisher = self.plan("comer", id, 0);
            let publisher = if lost { publisher.lasting(EXPIRY_S) } else { publisher };
            let stream = Stream::new(engine, id, "comer", settings, publisher, receivers);
            self.roles.push(Box::new(stream));
        }
    }

    /// Visitors (45), duels (30, of which 20 at once), wills (11), groups (15), HTTP (1).
    fn rest(&mut self, engine: &mut Engine, https: Https) {
        for _ in 0..self.count(45) {
            let id = self.number();
            self.roles.push(Box::new(Visitor::new(engine, id, self.plan("visitor", id, 0))));
        }
        for _ in 0..self.count(10) {
            let id = self.number();
            let mut duelist = self.plan("duel", id, 1).lasting(EXPIRY_S);
            duelist.credential = Credential::Token;
            let publisher = self.plan("duel", id, 0);
            self.roles.push(Box::new(Duel::new(engine, id, publisher, duelist)));
        }
        let mortals = (1..=self.count(10) as u32).map(|p| self.plan("will", p, p)).collect();
        let (first, watcher) = (self.next + 1, self.plan("will", 0, 0));
        self.next += self.count(10) as u32;
        self.roles.push(Box::new(Mourners::new(engine, first, watcher, mortals)));
        for _ in 0..self.count(GROUPS) {
            let id = self.number();
            let members = (1..=4).map(|p| self.plan("group", id, p)).collect();
            let publisher = self.plan("group", id, 0);
            self.roles.push(Box::new(Group::new(engine, id, publisher, members)));
        }
        let id = self.number();
        self.roles.push(Box::new(Postman::new(engine, id, self.plan("post", id, 0), https)));
    }
}

const LEVELS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
const GROUPS: usize = 3;
const SMOKE_PART: usize = 10;
const EXPIRY_S: u32 = 3_600;
/// Pings come every 20 seconds.
const KEEP_ALIVE_S: u16 = 60;
