//! Which property may stand where, how often, and in which range (MQTT 5, table 2-4). It refuses
//! to know how a property is encoded.

use crate::error::Wrong;
use crate::topic::find_special;
use crate::wire::property::Property;

/// The places that hold a property block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Place {
    /// Variable header of CONNECT.
    Connect = 1,
    /// Will properties in the payload of CONNECT.
    Will = 1 << 1,
    /// CONNACK.
    ConnAck = 1 << 2,
    /// PUBLISH, either direction.
    Publish = 1 << 3,
    /// PUBACK, PUBREC, PUBREL and PUBCOMP, which share one row.
    Ack = 1 << 4,
    /// SUBSCRIBE.
    Subscribe = 1 << 5,
    /// SUBACK.
    SubAck = 1 << 6,
    /// UNSUBSCRIBE.
    Unsubscribe = 1 << 7,
    /// UNSUBACK.
    UnsubAck = 1 << 8,
    /// DISCONNECT, either direction.
    Disconnect = 1 << 9,
    /// AUTH.
    Auth = 1 << 10,
}

/// The identifiers met so far in one block, as a bit set.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen(u64);

impl Seen {
    pub(crate) fn has(self, id: u8) -> bool {
        self.0 & (1 << id) != 0
    }
}

/// Lets a property into a block or says why not.
#[inline]
pub(crate) fn admit(property: &Property<'_>, place: Place, seen: &mut Seen) -> Result<(), Wrong> {
    let id = property.id();
    if PLACES[usize::from(id)] & place as u16 == 0 {
        return Err(MISPLACED);
    }
    if seen.has(id) && !repeats(id, place) {
        return Err(REPEATED);
    }
    seen.0 |= 1 << id;
    in_range(property)
}

/// User properties always; subscription identifiers in a PUBLISH to a client (3.3.2.3.8).
fn repeats(id: u8, place: Place) -> bool {
    id == 0x26 || (id == 0x0B && place == Place::Publish)
}

fn in_range(property: &Property<'_>) -> Result<(), Wrong> {
    match *property {
        Property::PayloadFormat(2..) => Err(PAYLOAD_FORMAT),
        Property::SubscriptionId(0) => Err(SUBSCRIPTION_ID_ZERO),
        Property::ReceiveMax(0) => Err(RECEIVE_MAX_ZERO),
        Property::TopicAlias(0) => Err(ALIAS_ZERO),
        Property::MaximumQoS(2..) => Err(MAXIMUM_QOS),
        Property::PacketMax(0) => Err(PACKET_MAX_ZERO),
        Property::ResponseTopic("") => Err(RESPONSE_TOPIC_EMPTY),
        Property::ResponseTopic(topic) if find_special(topic.as_bytes()).is_some() => {
            Err(RESPONSE_TOPIC)
        }
        _ => Ok(()),
    }
}

const CONNECT: u16 = Place::Connect as u16;
const WILL: u16 = Place::Will as u16;
const CONNACK: u16 = Place::ConnAck as u16;
const PUBLISH: u16 = Place::Publish as u16;
const ACK: u16 = Place::Ack as u16;
const SUBSCRIBE: u16 = Place::Subscribe as u16;
const SUBACK: u16 = Place::SubAck as u16;
const UNSUBACK: u16 = Place::UnsubAck as u16;
const DISCONNECT: u16 = Place::Disconnect as u16;
const AUTH: u16 = Place::Auth as u16;
const EVERYWHERE: u16 = u16::MAX;

/// Table 2-4: identifier to the places that may hold it.
const PLACES: [u16; 64] = {
    let mut table = [0; 64];
    table[0x01] = PUBLISH | WILL;
    table[0x02] = PUBLISH | WILL;
    table[0x03] = PUBLISH | WILL;
    table[0x08] = PUBLISH | WILL;
    table[0x09] = PUBLISH | WILL;
    table[0x0B] = PUBLISH | SUBSCRIBE;
    table[0x11] = CONNECT | CONNACK | DISCONNECT;
    table[0x12] = CONNACK;
    table[0x13] = CONNACK;
    table[0x15] = CONNECT | CONNACK | AUTH;
    table[0x16] = CONNECT | CONNACK | AUTH;
    table[0x17] = CONNECT;
    table[0x18] = WILL;
    table[0x19] = CONNECT;
    table[0x1A] = CONNACK;
    table[0x1C] = CONNACK | DISCONNECT;
    table[0x1F] = CONNACK | ACK | SUBACK | UNSUBACK | DISCONNECT | AUTH;
    table[0x21] = CONNECT | CONNACK;
    table[0x22] = CONNECT | CONNACK;
    table[0x23] = PUBLISH;
    table[0x24] = CONNACK;
    table[0x25] = CONNACK;
    table[0x26] = EVERYWHERE;
    table[0x27] = CONNECT | CONNACK;
    table[0x28] = CONNACK;
    table[0x29] = CONNACK;
    table[0x2A] = CONNACK;
    table
};

/// 2.2.2.2 calls an identifier that is not valid for its packet type a Malformed Packet.
const MISPLACED: Wrong =
    Wrong::malformed("MQTT 5, 2.2.2.2", "property is not allowed in this packet");
const REPEATED: Wrong = Wrong::protocol("MQTT 5, 2.2.2.2", "property occurs more than once");
const PAYLOAD_FORMAT: Wrong =
    Wrong::protocol("MQTT 5, 3.3.2.3.2", "payload format indicator is neither 0 nor 1");
const SUBSCRIPTION_ID_ZERO: Wrong =
    Wrong::protocol("MQTT 5, 3.8.2.1.2", "subscription identifier is zero");
const RECEIVE_MAX_ZERO: Wrong = Wrong::protocol("MQTT 5, 3.1.2.11.3", "receive maximum is zero");
const ALIAS_ZERO: Wrong = Wrong::alias("MQTT 5, 3.3.2-8", "topic alias is zero");
const MAXIMUM_QOS: Wrong = Wrong::protocol("MQTT 5, 3.2.2.3.4", "maximum QoS is neither 0 nor 1");
const PACKET_MAX_ZERO: Wrong = Wrong::protocol("MQTT 5, 3.1.2.11.4", "maximum packet size is zero");
const RESPONSE_TOPIC_EMPTY: Wrong = Wrong::protocol("MQTT 5, 4.7.3-1", "response topic is empty");
const RESPONSE_TOPIC: Wrong =
    Wrong::protocol("MQTT 5, 3.3.2-14", "response topic contains a wildcard");
