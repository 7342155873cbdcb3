//! CONNECT (MQTT 5, 3.1; MQTT 3.1.1, 3.1). It refuses to know who may connect.

use crate::error::{TooLarge, Wrong};
use crate::qos::QoS;
use crate::wire::property::{Properties, Property};
use crate::wire::property_table::Place;
use crate::wire::reader::Reader;
use crate::wire::will::Will;
use crate::wire::writer::Writer;
use crate::wire::{self, Version};

/// The first packet of a client. Optional properties are `None` when absent, and always in 3.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect<'a> {
    /// Protocol version of the whole connection.
    pub version: Version,
    /// What the client calls the protocol; only a 3.1.1 connection can have the old name.
    pub name: ProtocolName,
    /// Clean Start; Clean Session in 3.1.1.
    pub clean_start: bool,
    /// Seconds, 0 for none.
    pub keep_alive: u16,
    /// May be empty: the server assigns one or refuses.
    pub client_id: &'a str,
    /// The will.
    pub will: Option<Will<'a>>,
    /// User name.
    pub user_name: Option<&'a str>,
    /// Password: any bytes.
    pub password: Option<&'a [u8]>,
    /// Session Expiry Interval in seconds; `u32::MAX` means never.
    pub session_expiry: Option<u32>,
    /// Receive Maximum, never zero.
    pub receive_max: Option<u16>,
    /// Maximum Packet Size in bytes, never zero.
    pub packet_max: Option<u32>,
    /// Topic Alias Maximum.
    pub topic_alias_max: Option<u16>,
    /// Request Response Information; false when absent.
    pub request_response_information: bool,
    /// Request Problem Information; true when absent.
    pub request_problem_information: bool,
    /// Authentication Method.
    pub authentication_method: Option<&'a str>,
    /// Authentication Data; only with a method.
    pub authentication_data: Option<&'a [u8]>,
    /// All properties. When encoding, the fields above hold and their like in here is passed
    /// over, so that only user properties matter.
    pub properties: Properties<'a>,
}

/// What a client calls the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolName {
    /// MQTT 3.1.1 and 5.
    Mqtt,
    /// MQTT 3.1, level 3: packets as in 3.1.1, with what `decode` and `wire::frame_v31` overlook.
    MqIsdp,
}

impl<'a> Connect<'a> {
    /// A CONNECT with nothing but a client identifier.
    pub const fn new(version: Version, client_id: &'a str) -> Self {
        Self {
            version,
            name: ProtocolName::Mqtt,
            clean_start: true,
            keep_alive: 0,
            client_id,
            will: None,
            user_name: None,
            password: None,
            session_expiry: None,
            receive_max: None,
            packet_max: None,
            topic_alias_max: None,
            request_response_information: false,
            request_problem_information: true,
            authentication_method: None,
            authentication_data: None,
            properties: Properties::EMPTY,
        }
    }

    /// The protocol level in a CONNECT's body, whatever the protocol name says, so that a server
    /// can choose the form of its CONNACK. `None` if the body ends before it.
    pub fn peek_version(body: &[u8]) -> Option<u8> {
        let mut r = Reader::new(body);
        r.binary().ok()?;
        r.u8().ok()
    }

    /// Decodes a body. 0x84 for a protocol that we do not speak, 0x81 or 0x82 for the rest.
    pub fn decode(body: &'a [u8]) -> Result<Self, Wrong> {
        let mut r = Reader::new(body);
        let (name, version) = decode_version(&mut r)?;
        let flags = ConnectFlags::parse(r.u8()?, name, version)?;
        let keep_alive = r.u16()?;
        let mut connect =
            Self { name, clean_start: flags.clean_start, keep_alive, ..Self::new(version, "") };
        if version == Version::V5 {
            connect.take_properties(r.block()?)?;
        }
        connect.client_id = r.string()?;
        if let Some((qos, retain)) = flags.will {
            connect.will = Some(Will::decode(&mut r, qos, retain, version)?);
        }
        // MQTT 3.1, 3.1: where the packet has ended, the flag is not believed.
        let missing = |r: &Reader<'_>| name == ProtocolName::MqIsdp && r.rest.is_empty();
        if flags.user_name && !missing(&r) {
            connect.user_name = Some(r.string()?);
        }
        if flags.password && !missing(&r) {
            connect.password = Some(r.binary()?);
        }
        r.end()?;
        Ok(connect)
    }

    fn take_properties(&mut self, raw: &'a [u8]) -> Result<(), Wrong> {
        let (properties, _) =
            Properties::parse_with(raw, Place::Connect, |_, property| match property {
                Property::SessionExpiry(v) => self.session_expiry = Some(v),
                Property::ReceiveMax(v) => self.receive_max = Some(v),
                Property::PacketMax(v) => self.packet_max = Some(v),
                Property::TopicAliasMax(v) => self.topic_alias_max = Some(v),
                Property::RequestResponseInformation(v) => self.request_response_information = v,
                Property::RequestProblemInformation(v) => self.request_problem_information = v,
                Property::AuthenticationMethod(v) => self.authentication_method = Some(v),
                Property::AuthenticationData(v) => self.authentication_data = Some(v),
                _ => {}
            })?;
        if self.authentication_data.is_some() && self.authentication_method.is_none() {
            return Err(DATA_WITHOUT_METHOD);
        }
        self.properties = properties;
        Ok(())
    }

    /// Appends the packet. `Err`, and nothing written, if a string is over 65,535 bytes.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        let mut w = Writer::begin(out, wire::CONNECT << 4);
        let (name, level) = match (self.version, self.name) {
            (Version::V5, _) => ("MQTT", 5),
            (Version::V311, ProtocolName::Mqtt) => ("MQTT", 4),
            (Version::V311, ProtocolName::MqIsdp) => ("MQIsdp", 3),
        };
        w.string(name);
        w.u8(level);
        w.u8(self.flags());
        w.u16(self.keep_alive);
        if self.version == Version::V5 {
            self.encode_properties(&mut w);
        }
        w.string(self.client_id);
        if let Some(will) = &self.will {
            will.encode(self.version, &mut w);
        }
        if let Some(user_name) = self.user_name {
            w.string(user_name);
        }
        if let Some(password) = self.password {
            w.binary(password);
        }
        w.finish()
    }

    fn flags(&self) -> u8 {
        let will = self
            .will
            .as_ref()
            .map_or(0, |will| 0x04 | will.qos.bits() << 3 | u8::from(will.retain) << 5);
        u8::from(self.user_name.is_some()) << 7
            | u8::from(self.password.is_some()) << 6
            | will
            | u8::from(self.clean_start) << 1
    }

    fn encode_properties(&self, w: &mut Writer<'_>) {
        let open = w.open();
        w.property_opt(self.session_expiry.map(Property::SessionExpiry));
        w.property_opt(self.receive_max.map(Property::ReceiveMax));
        w.property_opt(self.packet_max.map(Property::PacketMax));
        w.property_opt(self.topic_alias_max.map(Property::TopicAliasMax));
        if self.request_response_information {
            w.property(Property::RequestResponseInformation(true));
        }
        if !self.request_problem_information {
            w.property(Property::RequestProblemInformation(false));
        }
        w.property_opt(self.authentication_method.map(Property::AuthenticationMethod));
        w.property_opt(self.authentication_data.map(Property::AuthenticationData));
        self.properties.write_if(w.out, |property| matches!(property, Property::User(..)));
        w.close(open);
    }
}

struct ConnectFlags {
    clean_start: bool,
    will: Option<(QoS, bool)>,
    user_name: bool,
    password: bool,
}

impl ConnectFlags {
    /// The flag byte (MQTT 5, 3.1.2.3 to 3.1.2.9).
    fn parse(byte: u8, name: ProtocolName, version: Version) -> Result<Self, Wrong> {
        // 3.1 says of several combinations that they are ignored, where 3.1.1 forbids them.
        let strict = name == ProtocolName::Mqtt;
        if strict && byte & 0x01 != 0 {
            return Err(RESERVED_FLAG);
        }
        let has_will = byte & 0x04 != 0;
        let bits = if strict || has_will { byte >> 3 & 3 } else { 0 };
        let qos = QoS::from_bits(bits).ok_or(WILL_QOS)?;
        let retain = byte & 0x20 != 0;
        let will = if has_will {
            Some((qos, retain))
        } else if qos != QoS::AtMostOnce {
            return Err(WILL_QOS_ALONE);
        } else if strict && retain {
            return Err(WILL_RETAIN_ALONE);
        } else {
            None
        };
        let (user_name, password) = (byte & 0x80 != 0, byte & 0x40 != 0);
        if strict && version == Version::V311 && password && !user_name {
            return Err(PASSWORD_ALONE);
        }
        Ok(Self { clean_start: byte & 0x02 != 0, will, user_name, password })
    }
}

fn decode_version(r: &mut Reader<'_>) -> Result<(ProtocolName, Version), Wrong> {
    let name = match r.binary()? {
        b"MQTT" => ProtocolName::Mqtt,
        b"MQIsdp" => ProtocolName::MqIsdp,
        _ => return Err(PROTOCOL_NAME),
    };
    let version = match (name, r.u8()?) {
        (ProtocolName::Mqtt, 4) | (ProtocolName::MqIsdp, 3) => Version::V311,
        (ProtocolName::Mqtt, 5) => Version::V5,
        _ => return Err(PROTOCOL_LEVEL),
    };
    Ok((name, version))
}

const PROTOCOL_NAME: Wrong =
    Wrong::version("MQTT 5, 3.1.2-1", "protocol name is neither MQTT nor MQIsdp");
const PROTOCOL_LEVEL: Wrong =
    Wrong::version("MQTT 5, 3.1.2-2", "protocol level is not 4 or 5, or 3 of MQIsdp");
const RESERVED_FLAG: Wrong = Wrong::malformed("MQTT 5, 3.1.2-3", "reserved connect flag is not 0");
const WILL_QOS: Wrong = Wrong::malformed("MQTT 5, 3.1.2-12", "will QoS is 3");
const WILL_QOS_ALONE: Wrong = Wrong::malformed("MQTT 5, 3.1.2-11", "will QoS without a will");
const WILL_RETAIN_ALONE: Wrong = Wrong::malformed("MQTT 5, 3.1.2-13", "will retain without a will");
const PASSWORD_ALONE: Wrong =
    Wrong::malformed("MQTT 3.1.1, 3.1.2-22", "password without a user name");
const DATA_WITHOUT_METHOD: Wrong =
    Wrong::protocol("MQTT 5, 3.1.2.11.10", "authentication data without a method");
