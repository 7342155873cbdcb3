//! A CONNECT that was understood and waits for the answer about its credentials.

use crate::devices::Claimed;
use crate::session::Will;
use broker::limits::{Limits, Mqtt31};
use mqtt::client_id::ClientId;
use mqtt::error::Wrong;
use mqtt::message::Message;
use mqtt::reason::Reason;
use mqtt::wire::{Connect, ProtocolName, Version};

/// What a CONNECT asked for, owned, with our limits applied.
#[derive(Clone)]
pub(crate) struct Opening {
    pub version: Version,
    pub name: ProtocolName,
    pub clean_start: bool,
    pub client: ClientId,
    /// The identifier is ours: CONNACK must tell it.
    pub assigned: bool,
    /// Seconds; 3.1.1 with clean session 0: the most we keep.
    pub expiry_s: u32,
    /// Expiry as asked for, to see whether CONNACK must tell a different one.
    pub expiry_asked_s: u32,
    pub keep_alive_s: u16,
    /// Keep alive is ours: CONNACK must tell it.
    pub keep_alive_changed: bool,
    pub receive_max: u16,
    pub packet_max: u32,
    /// Aliases that we may set; 0 = none.
    pub sent_alias_max: u16,
    pub terse: bool,
    pub method: Option<Box<str>>,
    pub will: Option<Box<Will>>,
    /// Which device it says to be, where it is for the hub.
    pub device: Option<Box<Claimed>>,
}

impl Opening {
    /// Applies limits and the profile's refusals (event-grid 3.2, 3.3 and 3.5). `id` is used when
    /// the client brought none.
    pub fn read(c: &Connect<'_>, limits: &Limits, id: &str) -> Result<Box<Self>, Wrong> {
        let assigned = c.client_id.is_empty();
        let v5 = c.version == Version::V5;
        if c.name == ProtocolName::MqIsdp {
            if limits.mqtt_31 == Mqtt31::Refused {
                return Err(OLD_PROTOCOL);
            }
            if assigned {
                return Err(NO_IDENTIFIER_V31);
            }
        }
        if assigned && !v5 && !c.clean_start {
            return Err(NO_IDENTIFIER);
        }
        let client = if assigned { id } else { c.client_id };
        if client.chars().count() > limits.client_id_chars_max {
            return Err(LONG_IDENTIFIER);
        }
        let client = ClientId::parse(client).map_err(|_| LONG_IDENTIFIER)?;
        let expiry_asked_s = match (v5, c.clean_start) {
            (true, _) => c.session_expiry.unwrap_or(0),
            (false, true) => 0,
            (false, false) => u32::MAX,
        };
        let keep_alive_s = match limits.keep_alive_max_s {
            Some(max) if c.keep_alive == 0 || c.keep_alive > max => max,
            _ => c.keep_alive,
        };
        Ok(Box::new(Self {
            version: c.version,
            name: c.name,
            clean_start: c.clean_start,
            client,
            assigned,
            expiry_s: expiry_asked_s.min(limits.session_expiry_max_s),
            expiry_asked_s,
            keep_alive_s,
            // 3.1.1 has no way to be told: it keeps its own interval.
            keep_alive_changed: v5 && keep_alive_s != c.keep_alive,
            receive_max: c.receive_max.unwrap_or(u16::MAX),
            packet_max: c.packet_max.unwrap_or(u32::MAX),
            sent_alias_max: c.topic_alias_max.unwrap_or(0).min(limits.topic_alias_out_max),
            terse: v5 && !c.request_problem_information,
            method: c.authentication_method.map(Into::into),
            will: will(c, limits)?,
            device: None,
        }))
    }

    /// How many messages may be under way to this client at once.
    pub fn window(&self, limits: &Limits) -> u16 {
        match self.version {
            Version::V5 => self.receive_max.min(limits.inflight_out_max),
            Version::V311 => limits.inflight_out_v311_max,
        }
    }
}

fn will(c: &Connect<'_>, limits: &Limits) -> Result<Option<Box<Will>>, Wrong> {
    let Some(w) = &c.will else { return Ok(None) };
    if w.qos > limits.maximum_qos {
        return Err(WILL_QOS);
    }
    if w.retain && w.payload.len() > limits.retained_bytes_max {
        return Err(WILL_SIZE);
    }
    let mut scratch = Vec::new();
    let forward = w.forward(&mut scratch);
    Ok(Some(Box::new(Will {
        message: Message::new(w.topic, forward.raw, w.payload, w.qos, w.retain),
        delay_s: w.delay_s.min(limits.will_delay_max_s),
        charge: None,
    })))
}

const NO_IDENTIFIER: Wrong = Wrong::new(
    Reason::CLIENT_IDENTIFIER_NOT_VALID,
    "MQTT 3.1.1, 3.1.3-8",
    "an empty client identifier needs clean session 1",
);
const NO_IDENTIFIER_V31: Wrong = Wrong::new(
    Reason::CLIENT_IDENTIFIER_NOT_VALID,
    "MQTT 3.1, 3.1",
    "MQTT 3.1 needs a client identifier; give one, or speak 3.1.1",
);
const OLD_PROTOCOL: Wrong = Wrong::version(
    "limits.mqtt_31",
    "MQTT 3.1 is not accepted in this namespace; speak 3.1.1 or 5",
);
const LONG_IDENTIFIER: Wrong = Wrong::new(
    Reason::CLIENT_IDENTIFIER_NOT_VALID,
    "MQTT 5, 3.1.3-8",
    "the client identifier is too long or holds U+0000",
);
const WILL_QOS: Wrong = Wrong::new(
    Reason::QOS_NOT_SUPPORTED,
    "MQTT 5, 3.2.2-12",
    "the will's QoS is above the maximum of this namespace",
);
const WILL_SIZE: Wrong = Wrong::new(
    Reason::QUOTA_EXCEEDED,
    "event-grid 8.3",
    "the retained will is larger than a retained message may be",
);
