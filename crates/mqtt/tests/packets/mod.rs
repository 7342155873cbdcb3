//! Pseudo-random packets of both versions, valid ones and spoilt ones, each from a seed. Shared
//! with the differential test of crate `fuzz`; refuses to know what is done with them.

use mqtt::limits::PACKET_BYTES_MAX;
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::subscribe::Filters;
use mqtt::wire::unsubscribe::FilterList;
use mqtt::wire::{
    Ack, Auth, ConnAck, Connect, Disconnect, Packet, Place, Properties, Property, Publish,
    RetainHandling, SubAck, Subscribe, SubscribeOptions, UnsubAck, Unsubscribe, Version, Will,
};

/// Decisions of one seed: xorshift64*.
pub struct Dice(u64);

impl Dice {
    /// All decisions of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Any number.
    pub fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.roll() >> 33) as usize % bound
    }

    /// One or the other.
    pub fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    fn maybe<T>(&mut self, value: T) -> Option<T> {
        self.coin().then_some(value)
    }

    fn id(&mut self) -> PacketId {
        PacketId::new(self.below(65_535) as u16 + 1).unwrap()
    }

    fn u32(&mut self) -> u32 {
        self.roll() as u32 >> self.below(32)
    }

    fn qos(&mut self) -> QoS {
        QoS::from_bits(self.below(3) as u8).unwrap()
    }
}

/// Appends one valid packet, written as our encoders write it.
pub fn random_packet(dice: &mut Dice, version: Version, out: &mut Vec<u8>) {
    let (mut raw, mut payload) = (Vec::new(), Vec::new());
    let kinds = if version == Version::V5 { 15 } else { 14 };
    let kind = dice.below(kinds);
    let place = PLACES[kind];
    if version == Version::V5 {
        random_properties(dice, place, &mut raw);
    }
    let properties = Properties::parse(&raw, place).expect("made to be valid");
    let packet = match kind {
        0 => return random_connect(dice, version, properties, out),
        1 => Packet::ConnAck(random_connack(dice, properties)),
        2 => Packet::Publish(random_publish(dice, version, properties)),
        3 => Packet::PubAck(random_ack(dice, version, properties, &[0, 0x10, 0x87, 0x97])),
        4 => Packet::PubRec(random_ack(dice, version, properties, &[0, 0x10, 0x83, 0x99])),
        5 => Packet::PubRel(random_ack(dice, version, properties, &[0, 0x92])),
        6 => Packet::PubComp(random_ack(dice, version, properties, &[0, 0x92])),
        7 => {
            let subscription_id = properties.subscription_ids().next();
            let filters = random_filters(dice, version, &mut payload);
            let packet_id = dice.id();
            Packet::Subscribe(Subscribe { packet_id, subscription_id, properties, filters })
        }
        8 => {
            let reasons = dice.pick::<[u8]>(&[&[0], &[0x80, 0, 1, 2], &[2, 2]]);
            Packet::SubAck(SubAck { packet_id: dice.id(), reasons, properties })
        }
        9 => {
            for _ in 0..=dice.below(3) {
                FilterList::push(&mut payload, dice.pick(FILTERS)).unwrap();
            }
            let filters = FilterList::parse(&payload, version).unwrap();
            Packet::Unsubscribe(Unsubscribe { packet_id: dice.id(), properties, filters })
        }
        10 => {
            let given = dice.pick::<[u8]>(&[&[0], &[0x11, 0x80], &[0x8F]]);
            let reasons = if version == Version::V5 { given } else { &[] };
            Packet::UnsubAck(UnsubAck { packet_id: dice.id(), reasons, properties })
        }
        11 => Packet::PingReq,
        12 => Packet::PingResp,
        13 => random_disconnect(dice, version, properties),
        _ => random_auth(dice, properties),
    };
    packet.encode(version, PACKET_BYTES_MAX, out).unwrap();
}

fn random_auth<'a>(dice: &mut Dice, properties: Properties<'a>) -> Packet<'a> {
    let (mut method, mut data) = (None, None);
    for property in properties.iter() {
        match property {
            Property::AuthenticationMethod(text) => method = Some(text),
            Property::AuthenticationData(bytes) => data = Some(bytes),
            _ => {}
        }
    }
    let reason = Reason::from_code(*dice.pick(&[&0x18, &0x19, &0])).unwrap();
    Packet::Auth(Auth { reason, method, data, properties })
}

fn random_filters<'a>(dice: &mut Dice, version: Version, raw: &'a mut Vec<u8>) -> Filters<'a> {
    for _ in 0..=dice.below(3) {
        let handling = [RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::Never];
        let options = SubscribeOptions {
            qos: dice.qos(),
            no_local: false,
            retain_as_published: dice.coin(),
            retain_handling: handling[dice.below(3)],
        };
        Filters::push(raw, dice.pick(FILTERS), options, version).unwrap();
    }
    Filters::parse(raw, version).unwrap()
}

fn random_connect(dice: &mut Dice, version: Version, p: Properties<'_>, out: &mut Vec<u8>) {
    let mut will_raw = Vec::new();
    if version == Version::V5 {
        random_properties(dice, Place::Will, &mut will_raw);
    }
    let properties = Properties::parse(&will_raw, Place::Will).unwrap();
    let delay = properties.iter().find_map(|property| match property {
        Property::WillDelay(seconds) => Some(seconds),
        _ => None,
    });
    let will = Will {
        qos: dice.qos(),
        retain: dice.coin(),
        topic: dice.pick(&["a", "a/b", "é"]),
        payload: b"gone",
        delay_s: delay.unwrap_or(0),
        expiry: properties.expiry(),
        properties,
    };
    let mut connect = Connect::new(version, dice.pick(&["", "d", "device/1"]));
    connect.clean_start = dice.coin();
    connect.keep_alive = dice.roll() as u16;
    connect.will = dice.maybe(will);
    connect.user_name = dice.maybe("user");
    if connect.user_name.is_some() || version == Version::V5 {
        connect.password = dice.maybe(&[0xFF, 0, 1]);
    }
    for property in p.iter() {
        match property {
            Property::SessionExpiry(v) => connect.session_expiry = Some(v),
            Property::ReceiveMax(v) => connect.receive_max = Some(v),
            Property::PacketMax(v) => connect.packet_max = Some(v),
            Property::TopicAliasMax(v) => connect.topic_alias_max = Some(v),
            Property::RequestResponseInformation(v) => connect.request_response_information = v,
            Property::RequestProblemInformation(v) => connect.request_problem_information = v,
            Property::AuthenticationMethod(v) => connect.authentication_method = Some(v),
            Property::AuthenticationData(v) => connect.authentication_data = Some(v),
            _ => {}
        }
    }
    connect.properties = p;
    connect.encode(out).unwrap();
}

fn random_connack<'a>(dice: &mut Dice, properties: Properties<'a>) -> ConnAck<'a> {
    let code = *dice.pick(&[&0, &0x87, &0x88]);
    let reason = Reason::from_code(code).unwrap();
    ConnAck { session_present: code == 0 && dice.coin(), reason, properties }
}

fn random_publish<'a>(dice: &mut Dice, v: Version, properties: Properties<'a>) -> Publish<'a> {
    let (qos, id) = (dice.qos(), dice.id());
    let acknowledged = qos != QoS::AtMostOnce;
    let alias = properties.iter().find_map(|property| match property {
        Property::TopicAlias(alias) => Some(alias),
        _ => None,
    });
    let known = v == Version::V5 && alias.is_some() && dice.coin();
    let topic = if known { "" } else { dice.pick(&["a", "a/b/c", "devices/device1/x", "é/€"]) };
    Publish {
        dup: acknowledged && dice.coin(),
        qos,
        retain: dice.coin(),
        topic,
        packet_id: acknowledged.then_some(id),
        alias: alias.unwrap_or(0),
        expiry: properties.expiry(),
        has_subscription_id: properties.subscription_ids().next().is_some(),
        properties,
        payload: dice.pick::<[u8]>(&[b"", b"x", b"hello world", &[0; 200]]),
        packet_id_at: 0,
    }
}

fn random_ack<'a>(dice: &mut Dice, v: Version, p: Properties<'a>, codes: &[u8]) -> Ack<'a> {
    let code = if v == Version::V5 { codes[dice.below(codes.len())] } else { 0 };
    let reason = Reason::from_code(code).unwrap();
    Ack { packet_id: dice.id(), reason, properties: p }
}

fn random_disconnect<'a>(dice: &mut Dice, v: Version, properties: Properties<'a>) -> Packet<'a> {
    let code = if v == Version::V5 { *dice.pick(&[&0, &4, &0x8E]) } else { 0 };
    let session_expiry = properties.iter().find_map(|property| match property {
        Property::SessionExpiry(seconds) => Some(seconds),
        _ => None,
    });
    let reason = Reason::from_code(code).unwrap();
    Packet::Disconnect(Disconnect { reason, session_expiry, properties })
}

/// A valid block in the order that our encoders write; absent values are never the defaults that
/// they leave out.
fn random_properties(dice: &mut Dice, place: Place, raw: &mut Vec<u8>) {
    let user = [Property::User("k", "v"), Property::User("", "é"), Property::User("k", "w")];
    let fixed: Vec<Property<'_>> = match place {
        Place::Connect => vec![
            Property::SessionExpiry(dice.u32()),
            Property::ReceiveMax(dice.id().get()),
            Property::PacketMax(dice.u32().max(1)),
            Property::TopicAliasMax(dice.roll() as u16),
            Property::RequestResponseInformation(true),
            Property::RequestProblemInformation(false),
        ],
        Place::Will => vec![
            Property::WillDelay(dice.u32().max(1)),
            Property::MessageExpiry(dice.u32()),
            Property::PayloadFormat(dice.below(2) as u8),
            Property::ContentType("text/plain"),
            Property::ResponseTopic("re/ply"),
            Property::CorrelationData(&[0, 0xFF]),
        ],
        Place::Publish => vec![
            Property::TopicAlias(dice.id().get()),
            Property::MessageExpiry(dice.u32()),
            Property::PayloadFormat(dice.below(2) as u8),
            Property::SubscriptionId(dice.u32().clamp(1, 268_435_455)),
            Property::ContentType(""),
            Property::SubscriptionId(1),
            Property::ResponseTopic("é"),
            Property::CorrelationData(&[]),
        ],
        Place::ConnAck => vec![
            Property::SessionExpiry(dice.u32()),
            Property::AssignedClientId("auto"),
            Property::ServerKeepAlive(dice.roll() as u16),
            Property::ReasonString("no"),
        ],
        Place::Subscribe => vec![Property::SubscriptionId(dice.u32().clamp(1, 268_435_455))],
        Place::Unsubscribe => vec![],
        Place::Disconnect => vec![
            Property::SessionExpiry(dice.u32()),
            Property::ServerReference("other"),
            Property::ReasonString("no"),
        ],
        Place::Auth => vec![],
        Place::Ack | Place::SubAck | Place::UnsubAck => vec![Property::ReasonString("no")],
    };
    if place == Place::Auth || (place == Place::Connect && dice.coin()) {
        let data = dice.maybe(Property::AuthenticationData(&[1, 2, 3]));
        let method = [Some(Property::AuthenticationMethod("SAS")), data];
        let before = fixed.iter().chain(method.iter().flatten());
        before.for_each(|property| property.encode(raw).unwrap());
    } else {
        for property in fixed {
            if let Some(property) = dice.maybe(property) {
                property.encode(raw).unwrap();
            }
        }
    }
    for property in user {
        if let Some(property) = dice.maybe(property) {
            property.encode(raw).unwrap();
        }
    }
}

/// Changes, cuts, doubles or removes a byte.
pub fn mutate(dice: &mut Dice, bytes: &mut Vec<u8>) {
    let at = dice.below(bytes.len().max(1));
    match (dice.below(6), bytes.get(at).copied()) {
        (_, None) => bytes.push(dice.roll() as u8),
        (0, Some(byte)) => bytes[at] = byte ^ 1 << dice.below(8),
        (1, Some(_)) => bytes[at] = dice.roll() as u8,
        (2, Some(_)) => bytes.truncate(at),
        (3, Some(_)) => drop(bytes.remove(at)),
        (4, Some(byte)) => bytes.insert(at, byte),
        (_, Some(byte)) => bytes[at] = byte.wrapping_add(1),
    }
    // Half of the time the length fits again, so that the body is looked at.
    if bytes.len() >= 2 && bytes.len() < 130 && dice.coin() {
        bytes[1] = (bytes.len() - 2) as u8;
    }
}

/// Filters of SUBSCRIBE and UNSUBSCRIBE, improper ones among them.
pub const FILTERS: &[&str] = &["a", "#", "+/b", "$share/g/a/#", "é/+", "a/#/b", "$SYS/#", "a+"];

/// Where the properties of each kind of `random_packet` stand.
const PLACES: [Place; 15] = [
    Place::Connect,
    Place::ConnAck,
    Place::Publish,
    Place::Ack,
    Place::Ack,
    Place::Ack,
    Place::Ack,
    Place::Subscribe,
    Place::SubAck,
    Place::Unsubscribe,
    Place::UnsubAck,
    Place::Auth,
    Place::Auth,
    Place::Disconnect,
    Place::Auth,
];
