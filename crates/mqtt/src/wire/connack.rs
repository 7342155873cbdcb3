//! CONNACK (MQTT 5, 3.2; MQTT 3.1.1, 3.2). It refuses to know why a connection is refused.

use crate::error::{TooLarge, Wrong};
use crate::qos::QoS;
use crate::reason::Reason;
use crate::wire::property::{Keep, Properties, Property};
use crate::wire::property_table::Place;
use crate::wire::reader::Reader;
use crate::wire::reason_table::{Bearer, assert_listed, listed};
use crate::wire::writer::{Diagnostics, Writer, fit};
use crate::wire::{self, Version};

/// A received CONNACK. The reason is that of MQTT 5; the return codes of 3.1.1 are mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnAck<'a> {
    /// The server still had the session.
    pub session_present: bool,
    /// Success or why not.
    pub reason: Reason,
    /// All properties.
    pub properties: Properties<'a>,
}

impl<'a> ConnAck<'a> {
    /// Decodes a body.
    pub fn decode(body: &'a [u8], version: Version) -> Result<Self, Wrong> {
        let mut r = Reader::new(body);
        let session_present = match r.u8()? {
            0 => false,
            1 => true,
            _ => return Err(RESERVED_FLAGS),
        };
        let code = r.u8()?;
        let (reason, properties) = match version {
            Version::V311 => {
                (Reason::from_connack_v311(code).ok_or(RETURN_CODE)?, Properties::EMPTY)
            }
            Version::V5 => {
                let reason = listed(Bearer::ConnAck, code)?;
                (reason, Properties::parse(r.block()?, Place::ConnAck)?)
            }
        };
        r.end()?;
        if session_present && reason != Reason::SUCCESS {
            return Err(SESSION_OF_REFUSED);
        }
        Ok(Self { session_present, reason, properties })
    }

    /// Appends the packet within `packet_max` bytes, shedding diagnostics if it must.
    pub fn encode(
        &self,
        version: Version,
        packet_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), TooLarge> {
        fit(out, packet_max, |out, keep| {
            let mut w = head(out, self.session_present, self.reason, version);
            if version == Version::V5 {
                w.properties(self.properties, keep);
            }
            w.finish()
        })
    }
}

/// A CONNACK to send. `None` leaves a property out. In 3.1.1 only the first two fields count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnAckOut<'a> {
    /// The session existed and was resumed.
    pub session_present: bool,
    /// Success or why not; 3.1.1 gets the return code of `Reason::connack_v311`.
    pub reason: Reason,
    /// Seconds, if not what the client asked for.
    pub session_expiry: Option<u32>,
    /// Unacknowledged QoS > 0 publishes that the server takes at once, never zero.
    pub receive_max: Option<u16>,
    /// Highest level that the server takes; level 2 is said by leaving the property out.
    pub maximum_qos: Option<QoS>,
    /// Retained messages.
    pub retain_available: Option<bool>,
    /// Bytes, never zero.
    pub packet_max: Option<u32>,
    /// The identifier given to a client that brought none.
    pub assigned_client_id: Option<&'a str>,
    /// Aliases that the server takes.
    pub topic_alias_max: Option<u16>,
    /// Reason string and user properties.
    pub diagnostics: Diagnostics<'a>,
    /// Filters with wildcards.
    pub wildcard_subscription_available: Option<bool>,
    /// Subscription identifiers.
    pub subscription_id_available: Option<bool>,
    /// Shared subscriptions.
    pub shared_subscription_available: Option<bool>,
    /// Seconds, in place of the client's own keep alive.
    pub server_keep_alive: Option<u16>,
    /// Basis for response topics.
    pub response_information: Option<&'a str>,
    /// Another server to use.
    pub server_reference: Option<&'a str>,
    /// The method of CONNECT.
    pub authentication_method: Option<&'a str>,
    /// Data of that method.
    pub authentication_data: Option<&'a [u8]>,
}

impl ConnAckOut<'_> {
    /// A CONNACK without properties.
    pub const fn new(reason: Reason) -> Self {
        Self {
            session_present: false,
            reason,
            session_expiry: None,
            receive_max: None,
            maximum_qos: None,
            retain_available: None,
            packet_max: None,
            assigned_client_id: None,
            topic_alias_max: None,
            diagnostics: Diagnostics::NONE,
            wildcard_subscription_available: None,
            subscription_id_available: None,
            shared_subscription_available: None,
            server_keep_alive: None,
            response_information: None,
            server_reference: None,
            authentication_method: None,
            authentication_data: None,
        }
    }

    /// Appends the packet within `packet_max` bytes: without user properties, then without reason
    /// string if it must (3.2.2-19, 3.2.2-20).
    pub fn encode(
        &self,
        version: Version,
        packet_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), TooLarge> {
        fit(out, packet_max, |out, keep| {
            // 3.2.2-6: a refusal has no session.
            let session_present = self.session_present && !self.reason.is_error();
            let mut w = head(out, session_present, self.reason, version);
            if version == Version::V5 {
                self.encode_properties(&mut w, keep);
            }
            w.finish()
        })
    }

    fn encode_properties(&self, w: &mut Writer<'_>, keep: Keep) {
        let open = w.open();
        w.property_opt(self.session_expiry.map(Property::SessionExpiry));
        w.property_opt(self.receive_max.map(Property::ReceiveMax));
        let limited = self.maximum_qos.filter(|qos| *qos != QoS::ExactlyOnce);
        w.property_opt(limited.map(|qos| Property::MaximumQoS(qos.bits())));
        w.property_opt(self.retain_available.map(Property::RetainAvailable));
        w.property_opt(self.packet_max.map(Property::PacketMax));
        w.property_opt(self.assigned_client_id.map(Property::AssignedClientId));
        w.property_opt(self.topic_alias_max.map(Property::TopicAliasMax));
        w.property_opt(
            self.wildcard_subscription_available.map(Property::WildcardSubscriptionAvailable),
        );
        w.property_opt(self.subscription_id_available.map(Property::SubscriptionIdAvailable));
        w.property_opt(
            self.shared_subscription_available.map(Property::SharedSubscriptionAvailable),
        );
        w.property_opt(self.server_keep_alive.map(Property::ServerKeepAlive));
        w.property_opt(self.response_information.map(Property::ResponseInformation));
        w.property_opt(self.server_reference.map(Property::ServerReference));
        w.property_opt(self.authentication_method.map(Property::AuthenticationMethod));
        w.property_opt(self.authentication_data.map(Property::AuthenticationData));
        w.diagnostics(self.diagnostics, keep);
        w.close(open);
    }
}

fn head(out: &mut Vec<u8>, session_present: bool, reason: Reason, version: Version) -> Writer<'_> {
    let mut w = Writer::begin(out, wire::CONNACK << 4);
    w.u8(u8::from(session_present));
    w.u8(match version {
        Version::V311 => reason.connack_v311(),
        Version::V5 => {
            assert_listed(Bearer::ConnAck, reason.code());
            reason.code()
        }
    });
    w
}

const RESERVED_FLAGS: Wrong =
    Wrong::malformed("MQTT 5, 3.2.2-1", "reserved acknowledge flags are not 0");
const RETURN_CODE: Wrong = Wrong::protocol("MQTT 3.1.1, 3.2.2.3", "return code is reserved");
const SESSION_OF_REFUSED: Wrong =
    Wrong::protocol("MQTT 5, 3.2.2-6", "session present in a refusal");
