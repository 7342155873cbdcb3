//! A client of the MQTT 5 plane, packet by packet.

use crate::world::{NOW_MS, World};
use hub::plane::Correlation;
use hub::sas::{Key, SignedConnect, Token};
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::subscribe::Filters;
use mqtt::wire::unsubscribe::FilterList;
use mqtt::wire::{
    Ack, AckKind, Auth, Connect, Packet, Place, Properties, Property, PublishOut, Subscribe,
    SubscribeOptions, Unsubscribe, Version, Will, decode, frame,
};
use node::auth::{Certificate, Listener};
use node::effect::Effect;
use node::{LinkId, Shard};

/// A connection.
pub struct Device {
    pub link: LinkId,
    version: Version,
    /// The properties of CONNACK but those of the user.
    pub announced: Vec<String>,
}

/// What came back, in words that a row of a table can hold.
pub type Heard = Vec<String>;

/// A CONNECT to be.
pub struct Hello<'h> {
    pub id: &'h str,
    pub key: u8,
    pub method: Option<&'h str>,
    pub properties: Vec<(&'h str, String)>,
    pub clean_start: bool,
    pub session_expiry: Option<u32>,
    pub packet_max: Option<u32>,
    pub policy: Option<&'h str>,
    pub expiry_ms: u64,
    pub certificate: Option<Certificate>,
    /// What TLS has called the server.
    pub server_name: Option<&'h str>,
    /// The host that it has signed.
    pub signed: &'h str,
}

impl<'h> Hello<'h> {
    /// As A2 wants it, with the primary key of `World::put`.
    pub fn new(id: &'h str) -> Self {
        Self {
            id,
            key: 1,
            method: Some("SAS"),
            properties: vec![("api-version", "2020-10-01-preview".to_owned())],
            clean_start: true,
            session_expiry: None,
            packet_max: None,
            policy: None,
            expiry_ms: NOW_MS + 3_600_000,
            certificate: None,
            server_name: None,
            signed: "hub",
        }
    }

    fn encode(&self) -> Vec<u8> {
        let expiry = self.expiry_ms.to_string();
        let signed =
            SignedConnect { client_id: self.id, policy: self.policy, at: None, expiry: &expiry };
        let mac = signed.sign(&Key::generated(&[self.key; 32]), self.signed);
        let mut user: Vec<(&str, &str)> =
            self.properties.iter().map(|(name, value)| (*name, value.as_str())).collect();
        user.push(("sas-expiry", &expiry));
        user.extend(self.policy.map(|policy| ("sas-policy", policy)));
        let raw = user_properties(&user);
        let mut c = Connect::new(Version::V5, self.id);
        c.clean_start = self.clean_start;
        c.session_expiry = self.session_expiry;
        c.packet_max = self.packet_max;
        c.authentication_method = self.method;
        c.authentication_data = self.method.map(|_| &mac[..]);
        c.properties = Properties::parse(&raw, Place::Connect).unwrap();
        let mut bytes = Vec::new();
        c.encode(&mut bytes).unwrap();
        bytes
    }

    /// Connects; the device, and what it heard.
    pub fn connect(&self, world: &mut World) -> (Device, Heard) {
        let link = world.turn(|shard| {
            let link = shard.accept(Listener::Tls, self.certificate.clone());
            self.server_name.iter().for_each(|name| shard.called(link, name));
            shard.input(link, &self.encode());
            link
        });
        let mut device = Device { link, version: Version::V5, announced: Vec::new() };
        let heard = device.hear(world);
        (device, heard)
    }
}

/// A CONNECT of MQTT 3.1.1 (iot-hub D1).
pub struct ClassicHello<'h> {
    pub id: &'h str,
    pub user_name: String,
    pub resource: String,
    pub key: u8,
    pub clean_session: bool,
    pub will: Option<(&'h str, &'h str)>,
    pub certificate: Option<Certificate>,
}

impl<'h> ClassicHello<'h> {
    /// As SDKs send it, with the primary key of `World::put`.
    pub fn new(id: &'h str) -> Self {
        let user_name = format!("hub/{id}/?api-version=2021-04-12&model-id=dtmi%3Aa%3B1");
        let resource = format!("hub/devices/{}", id.replace('/', "/modules/"));
        Self { id, user_name, resource, key: 1, clean_session: true, will: None, certificate: None }
    }

    /// Connects; the device, and what it heard.
    pub fn connect(&self, world: &mut World) -> (Device, Heard) {
        let expiry_s = NOW_MS / 1_000 + 3_600;
        let key = Key::generated(&[self.key; 32]);
        let token = Token::make(&self.resource, expiry_s, None, &key);
        let mut c = Connect::new(Version::V311, self.id);
        c.clean_start = self.clean_session;
        c.user_name = Some(&self.user_name);
        c.will = self.will.map(|(topic, payload)| Will {
            qos: QoS::AtLeastOnce,
            retain: false,
            topic,
            payload: payload.as_bytes(),
            delay_s: 0,
            expiry: None,
            properties: Properties::EMPTY,
        });
        c.password = self.certificate.is_none().then_some(token.as_bytes());
        let mut bytes = Vec::new();
        c.encode(&mut bytes).unwrap();
        let link = world.turn(|shard| {
            let link = shard.accept(Listener::Tls, self.certificate.clone());
            shard.input(link, &bytes);
            link
        });
        let mut device = Device { link, version: Version::V311, announced: Vec::new() };
        let heard = device.hear(world);
        (device, heard)
    }
}

impl Device {
    fn say(&mut self, world: &mut World, bytes: &[u8]) -> Heard {
        let link = self.link;
        world.turn(|shard: &mut Shard| shard.input(link, bytes));
        self.hear(world)
    }

    /// What has come since.
    pub fn hear(&mut self, world: &mut World) -> Heard {
        let output = world.shard.output(self.link.slot).to_vec();
        world.shard.taken(self.link.slot, output.len());
        let (mut heard, mut rest) = (Vec::new(), &output[..]);
        while let Some(f) = frame(rest, usize::MAX).unwrap() {
            let packet = decode(f, self.version).unwrap();
            if let Packet::ConnAck(a) = &packet {
                let all = a.properties.iter().map(|p| format!("{p:?}"));
                self.announced = all.filter(|p| !p.starts_with("User")).collect();
            }
            heard.push(words(&packet));
            rest = &rest[f.len..];
        }
        let mut effects = Vec::new();
        world.shard.take_effects(&mut effects);
        for effect in effects {
            if let Effect::Close(id, _) = effect {
                world.closed.push(id);
            }
        }
        if let Some(at) = world.closed.iter().position(|id| *id == self.link) {
            heard.push("closed".to_owned());
            let id = world.closed.remove(at);
            world.shard.forget(id);
        }
        heard
    }

    pub fn publish(
        &mut self,
        world: &mut World,
        (topic, qos): (&str, QoS),
        (correlation, user): (Option<&[u8]>, &[(&str, &str)]),
        payload: &[u8],
    ) -> Heard {
        let mut properties = Vec::new();
        if let Some(data) = correlation {
            Property::CorrelationData(data).encode(&mut properties).unwrap();
        }
        properties.extend(user_properties(user));
        let mut bytes = Vec::new();
        PublishOut {
            version: self.version,
            dup: false,
            qos,
            retain: false,
            topic,
            packet_id: u16::from(qos > QoS::AtMostOnce) * 9,
            alias: 0,
            send_topic: true,
            subscription_ids: &[],
            properties: &properties,
            expiry: None,
            payload,
        }
        .encode(&mut bytes);
        self.say(world, &bytes)
    }

    /// Under a topic alias; without a topic the alias stands for it.
    pub fn publish_as(
        &mut self,
        world: &mut World,
        (topic, qos): (&str, QoS),
        alias: u16,
        payload: &[u8],
    ) -> Heard {
        let mut bytes = Vec::new();
        PublishOut {
            version: self.version,
            dup: false,
            qos,
            retain: false,
            topic,
            packet_id: u16::from(qos > QoS::AtMostOnce) * 9,
            alias,
            send_topic: !topic.is_empty(),
            subscription_ids: &[],
            properties: &[],
            expiry: None,
            payload,
        }
        .encode(&mut bytes);
        self.say(world, &bytes)
    }

    /// A request at QoS 0 with correlation `c`.
    pub fn request(&mut self, world: &mut World, topic: &str, payload: &str) -> Heard {
        self.publish(world, (topic, QoS::AtMostOnce), (Some(b"c"), &[]), payload.as_bytes())
    }

    pub fn subscribe(&mut self, world: &mut World, filters: &[(&str, QoS)]) -> Heard {
        self.subscribe_saying(world, filters, &[])
    }

    /// SUBSCRIBE with user properties.
    pub fn subscribe_saying(
        &mut self,
        world: &mut World,
        filters: &[(&str, QoS)],
        user: &[(&str, &str)],
    ) -> Heard {
        let said = user_properties(user);
        let (mut raw, mut bytes) = (Vec::new(), Vec::new());
        for (filter, qos) in filters {
            let options = SubscribeOptions { qos: *qos, ..SubscribeOptions::default() };
            Filters::push(&mut raw, filter, options, self.version).unwrap();
        }
        let filters = Filters::parse(&raw, self.version).unwrap();
        let properties = Properties::parse(&said, Place::Subscribe).unwrap();
        let packet_id = PacketId::FIRST;
        let s = Subscribe { packet_id, subscription_id: None, properties, filters };
        s.encode(self.version, &mut bytes).unwrap();
        self.say(world, &bytes)
    }

    pub fn unsubscribe(&mut self, world: &mut World, filters: &[&str]) -> Heard {
        let (mut raw, mut bytes) = (Vec::new(), Vec::new());
        filters.iter().for_each(|filter| FilterList::push(&mut raw, filter).unwrap());
        let filters = FilterList::parse(&raw, self.version).unwrap();
        let (packet_id, properties) = (PacketId::FIRST, Properties::EMPTY);
        Unsubscribe { packet_id, properties, filters }.encode(self.version, &mut bytes).unwrap();
        self.say(world, &bytes)
    }

    /// PUBACK to a command, with a status where it is given.
    pub fn puback(&mut self, world: &mut World, id: u16, status: Option<&str>) -> Heard {
        self.settle(world, id, if status.is_none() { 0 } else { 131 }, status)
    }

    /// PUBACK with this reason.
    pub fn settle(
        &mut self,
        world: &mut World,
        id: u16,
        reason: u8,
        status: Option<&str>,
    ) -> Heard {
        let user: Vec<(&str, &str)> = status.iter().map(|status| ("status", *status)).collect();
        let raw = user_properties(&user);
        let all = [
            Reason::SUCCESS,
            Reason::NO_MATCHING_SUBSCRIBERS,
            Reason::IMPLEMENTATION_SPECIFIC_ERROR,
            Reason::NOT_AUTHORIZED,
            Reason::QUOTA_EXCEEDED,
        ];
        let reason = all.into_iter().find(|known| known.code() == reason).unwrap();
        let packet_id = PacketId::new(id).unwrap();
        let properties = Properties::parse(&raw, Place::Ack).unwrap();
        let mut bytes = Vec::new();
        Ack { packet_id, reason, properties }
            .encode(AckKind::PubAck, self.version, usize::MAX, &mut bytes)
            .unwrap();
        self.say(world, &bytes)
    }

    /// AUTH with a signature until `expiry_ms` by the key of that byte.
    pub fn renew(&mut self, world: &mut World, id: &str, key: u8, expiry_ms: u64) -> Heard {
        let expiry = expiry_ms.to_string();
        let signed = SignedConnect { client_id: id, policy: None, at: None, expiry: &expiry };
        let mac = signed.sign(&Key::generated(&[key; 32]), "hub");
        let raw = user_properties(&[("sas-expiry", &expiry)]);
        let auth = Auth {
            reason: Reason::RE_AUTHENTICATE,
            method: Some("SAS"),
            data: Some(&mac),
            properties: Properties::parse(&raw, Place::Auth).unwrap(),
        };
        let mut bytes = Vec::new();
        auth.encode(usize::MAX, &mut bytes).unwrap();
        self.say(world, &bytes)
    }
}

fn user_properties(user: &[(&str, &str)]) -> Vec<u8> {
    let mut raw = Vec::new();
    user.iter().for_each(|(name, value)| Property::User(name, value).encode(&mut raw).unwrap());
    raw
}

/// Reason, user properties (a trace-id only as being there), and what else matters.
fn words(packet: &Packet<'_>) -> String {
    let user = |properties: Properties<'_>| {
        let each = properties.user().map(|(name, value)| match name {
            "trace-id" => " trace-id".to_owned(),
            "reason" => " reason".to_owned(),
            _ => format!(" {name}={value}"),
        });
        each.collect::<String>()
    };
    match packet {
        Packet::ConnAck(a) => format!("CONNACK {}{}", a.reason.code(), user(a.properties)),
        Packet::PubAck(a) => format!("PUBACK {}{}", a.reason.code(), user(a.properties)),
        Packet::Disconnect(d) => format!("DISCONNECT {}{}", d.reason.code(), user(d.properties)),
        Packet::SubAck(a) => format!("SUBACK {:?}", a.reasons),
        Packet::UnsubAck(a) => format!("UNSUBACK {:?}", a.reasons),
        Packet::Auth(a) => format!("AUTH {} {}", a.reason.code(), a.method.unwrap_or_default()),
        Packet::Publish(p) => {
            let correlation = Correlation::of(p.properties.correlation_data());
            let correlation = correlation.map_or(String::new(), |c| format!(" {c:?}"));
            let payload = String::from_utf8_lossy(p.payload);
            let id = p.packet_id.map_or(String::new(), |id| format!("#{} ", id.get()));
            format!("{id}{}{correlation}{} {payload}", p.topic, user(p.properties))
        }
        other => format!("{other:?}"),
    }
}
