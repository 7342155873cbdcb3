//! Where other codecs judge bytes in another way than ours, and why ours is right. Every row names
//! the clause; what is in no row fails the test.

/// One class of disagreement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Disagreement<'a> {
    /// The other codec.
    pub codec: &'a str,
    /// 4 for MQTT 3.1.1, else 5.
    pub level: u8,
    /// What it is about.
    pub kind: Kind<'a>,
}

/// What a disagreement is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind<'a> {
    /// They read a packet that we refuse by this clause.
    WeRefuse { clause: &'a str },
    /// We read a packet that they refuse.
    TheyRefuse { packet: &'a str, error: &'a str },
    /// They refuse a packet that is incomplete to us.
    TheyRefuseEarly,
    /// They read a packet that is incomplete to us.
    TheyReadAPiece,
    /// Both read it, and this field differs.
    Read { packet: &'a str, field: &'a str },
    /// Both read the same; what they write is something else to us in this field.
    Written { packet: &'a str, field: &'a str },
}

impl Disagreement<'_> {
    /// The row that explains it: its place in `REFUSALS`, or behind them in `READINGS`.
    pub fn row(&self) -> Option<usize> {
        let name = format!("{} {}", self.codec, self.level);
        match &self.kind {
            Kind::WeRefuse { clause } => REFUSALS
                .iter()
                .position(|(row, codecs, _)| row == clause && codecs.contains(&name.as_str())),
            kind => READINGS
                .iter()
                .position(|(codec, row, _)| row == kind && *codec == name)
                .map(|at| REFUSALS.len() + at),
        }
    }
}

/// How many rows there are.
pub const ROWS: usize = REFUSALS.len() + READINGS.len();

/// What we refuse and others let pass: the clause that we refuse by, codec and level of those who
/// do not, and what they take.
#[rustfmt::skip]
const REFUSALS: &[(&str, &[&str], &str)] = &[
    ("MQTT 3.1.1, 3.1.2-22", &["rumqttc 4"], "a password without a user name"),
    ("MQTT 3.1.1, 3.2.2.3", &["rmqtt-codec 4"], "return code 6 of CONNACK, which is reserved"),
    ("MQTT 3.1.1, 3.8.3-4", LEVEL_4, "reserved bits beside the QoS of SUBSCRIBE"),
    ("MQTT 3.1.1, 4.7.3-1", &["rumqttc 4"], "an empty topic, a topic filter without a character"),
    ("MQTT 5, 1.5.4-1", &["rumqttc 5"], "a topic that is not UTF-8"),
    ("MQTT 5, 1.5.4-2", EVERYBODY, "U+0000 in a string"),
    ("MQTT 5, 1.5.5-1", LEVEL_5, "a property length that is padded"),
    ("MQTT 5, 2.1.3-1", RUMQTTC, "any flags in the fixed header"),
    ("MQTT 5, 2.1.4", EVERYBODY, "bytes behind the packet's content"),
    ("MQTT 5, 2.2.1-3", &["rumqttc 4"], "packet identifier 0"),
    ("MQTT 5, 2.2.2.2", &["rumqttc 5"], "a property twice, and flags other than 0 and 1"),
    ("MQTT 5, 3.1.2-11", &["rmqtt-codec 5"], "a will QoS without a will"),
    ("MQTT 5, 3.1.2-3", RUMQTTC, "the reserved flag of CONNECT"),
    ("MQTT 5, 3.1.2.11.10", &["rumqttc 5"], "authentication data without a method"),
    ("MQTT 5, 3.10.1-1", RUMQTTC, "any flags of UNSUBSCRIBE"),
    ("MQTT 5, 3.10.3-2", RUMQTTC, "UNSUBSCRIBE without a filter"),
    ("MQTT 5, 3.11.3-1", &["rmqtt-codec 5"], "UNSUBACK without a reason code"),
    ("MQTT 5, 3.14.1-1", &["rumqttc 4"], "any flags of DISCONNECT"),
    ("MQTT 5, 3.15.2.2.2", &["rmqtt-codec 5"], "AUTH without a method"),
    ("MQTT 5, 3.2.2-1", RUMQTTC, "reserved flags of CONNACK"),
    ("MQTT 5, 3.2.2-6", EVERYBODY, "a session present although refused"),
    ("MQTT 5, 3.3.1-2", LEVEL_4, "DUP with QoS 0"),
    ("MQTT 5, 3.3.2-2", EVERYBODY, "a wildcard in a topic name"),
    ("MQTT 5, 3.3.2.1", LEVEL_5, "no topic and no alias"),
    ("MQTT 5, 3.3.2.3.2", &["rumqttc 5"], "a payload format other than 0 and 1"),
    ("MQTT 5, 3.6.1-1", RUMQTTC, "any flags of PUBREL"),
    ("MQTT 5, 3.8.1-1", RUMQTTC, "any flags of SUBSCRIBE"),
    ("MQTT 5, 3.8.3-4", LEVEL_5, "No Local on a shared subscription"),
    ("MQTT 5, 3.8.3-5", &["rumqttc 5"], "reserved bits of the subscription options"),
    ("MQTT 5, 3.8.4-6", RMQTT, "SUBACK without a reason code"),
    ("MQTT 5, 4.7.3-1", LEVEL_5, "an empty response topic or will topic"),
];

/// What we read and others do not, or not so: codec and level, the difference, and why we are
/// right.
#[rustfmt::skip]
const READINGS: &[(&str, Kind<'static>, &str)] = &[
    ("rmqtt-codec 4", refuses("CONNECT", "InvalidClientId"),
        "an empty identifier with Clean Session 0 is to be answered with return code 2, not cut \
         off: MQTT 3.1.1, 3.1.3-8"),
    ("rmqtt-codec 5", refuses("CONNECT", "InvalidClientId"),
        "an empty identifier is assigned, with Clean Start 0 too: MQTT 5, 3.1.3-6"),
    ("rmqtt-codec 5", refuses("CONNECT", "MalformedPacket"),
        "a will's Message Expiry Interval may be 0: MQTT 5, 3.1.3.2.4"),
    ("rmqtt-codec 5", refuses("PUBLISH", "MalformedPacket"),
        "Message Expiry Interval may be 0: MQTT 5, 3.3.2.3.3"),
    ("rmqtt-codec 5", Kind::Written { packet: "AUTH", field: "everything" },
        "AUTH without properties is written without a reason code only if that is success, and \
         with properties it has a method: MQTT 5, 3.15.2.1, 3.15.2.2.2"),
    ("rumqttc 4", refuses("CONNECT", "TopicNotUtf8"), "a password is binary: MQTT 3.1.1, 3.1.3.5"),
    ("rumqttc 5", refuses("CONNECT", "TopicNotUtf8"), "a password is binary: MQTT 5, 3.1.3.6"),
    ("rumqttc 4", Kind::Read { packet: "CONNECT", field: "password" },
        "no password is not an empty one: MQTT 3.1.1, 3.1.2.9"),
    ("rumqttc 5", Kind::Read { packet: "CONNECT", field: "password" },
        "no password is not an empty one: MQTT 5, 3.1.2.9"),
    ("rumqttc 5", refuses("AUTH", "InvalidPacketType"), "there is AUTH: MQTT 5, 3.15"),
    ("rumqttc 5", refuses("DISCONNECT", "InvalidConnectReturnCode"),
        "Bad authentication method stands in table 2-6 for DISCONNECT: MQTT 5, 2.4"),
    ("rumqttc 5", refuses("DISCONNECT", "PayloadRequired"),
        "an empty DISCONNECT is a normal one: MQTT 5, 3.14.2.1"),
    ("rumqttc 5", refuses("DISCONNECT", "waits for more"),
        "a reason code may stand without a property length: MQTT 5, 3.14.2.2.1"),
];

const fn refuses(packet: &'static str, error: &'static str) -> Kind<'static> {
    Kind::TheyRefuse { packet, error }
}

const EVERYBODY: &[&str] = &["rmqtt-codec 4", "rmqtt-codec 5", "rumqttc 4", "rumqttc 5"];
const RMQTT: &[&str] = &["rmqtt-codec 4", "rmqtt-codec 5"];
const RUMQTTC: &[&str] = &["rumqttc 4", "rumqttc 5"];
const LEVEL_4: &[&str] = &["rmqtt-codec 4", "rumqttc 4"];
const LEVEL_5: &[&str] = &["rmqtt-codec 5", "rumqttc 5"];
