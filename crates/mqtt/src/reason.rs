//! Reason codes of MQTT 5 and their names. It refuses to know which packet may carry which: that
//! table belongs to the wire.

use std::fmt;

/// A reason code (MQTT 5, 2.4). Below 0x80 it reports success, from 0x80 on failure.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reason(pub(crate) u8);

impl Reason {
    /// 0x00: Success.
    pub const SUCCESS: Self = Self(0x00);
    /// 0x00: Normal disconnection.
    pub const NORMAL_DISCONNECTION: Self = Self(0x00);
    /// 0x00: Granted QoS 0.
    pub const GRANTED_QOS_0: Self = Self(0x00);
    /// 0x01: Granted QoS 1.
    pub const GRANTED_QOS_1: Self = Self(0x01);
    /// 0x02: Granted QoS 2.
    pub const GRANTED_QOS_2: Self = Self(0x02);
    /// 0x04: Disconnect with Will Message.
    pub const DISCONNECT_WITH_WILL: Self = Self(0x04);
    /// 0x10: No matching subscribers.
    pub const NO_MATCHING_SUBSCRIBERS: Self = Self(0x10);
    /// 0x11: No subscription existed.
    pub const NO_SUBSCRIPTION_EXISTED: Self = Self(0x11);
    /// 0x18: Continue authentication.
    pub const CONTINUE_AUTHENTICATION: Self = Self(0x18);
    /// 0x19: Re-authenticate.
    pub const RE_AUTHENTICATE: Self = Self(0x19);
    /// 0x80: Unspecified error.
    pub const UNSPECIFIED_ERROR: Self = Self(0x80);
    /// 0x81: Malformed Packet.
    pub const MALFORMED_PACKET: Self = Self(0x81);
    /// 0x82: Protocol Error.
    pub const PROTOCOL_ERROR: Self = Self(0x82);
    /// 0x83: Implementation specific error.
    pub const IMPLEMENTATION_SPECIFIC_ERROR: Self = Self(0x83);
    /// 0x84: Unsupported Protocol Version.
    pub const UNSUPPORTED_PROTOCOL_VERSION: Self = Self(0x84);
    /// 0x85: Client Identifier not valid.
    pub const CLIENT_IDENTIFIER_NOT_VALID: Self = Self(0x85);
    /// 0x86: Bad User Name or Password.
    pub const BAD_USER_NAME_OR_PASSWORD: Self = Self(0x86);
    /// 0x87: Not authorized.
    pub const NOT_AUTHORIZED: Self = Self(0x87);
    /// 0x88: Server unavailable.
    pub const SERVER_UNAVAILABLE: Self = Self(0x88);
    /// 0x89: Server busy.
    pub const SERVER_BUSY: Self = Self(0x89);
    /// 0x8A: Banned.
    pub const BANNED: Self = Self(0x8A);
    /// 0x8B: Server shutting down.
    pub const SERVER_SHUTTING_DOWN: Self = Self(0x8B);
    /// 0x8C: Bad authentication method.
    pub const BAD_AUTHENTICATION_METHOD: Self = Self(0x8C);
    /// 0x8D: Keep Alive timeout.
    pub const KEEP_ALIVE_TIMEOUT: Self = Self(0x8D);
    /// 0x8E: Session taken over.
    pub const SESSION_TAKEN_OVER: Self = Self(0x8E);
    /// 0x8F: Topic Filter invalid.
    pub const TOPIC_FILTER_INVALID: Self = Self(0x8F);
    /// 0x90: Topic Name invalid.
    pub const TOPIC_NAME_INVALID: Self = Self(0x90);
    /// 0x91: Packet Identifier in use.
    pub const PACKET_IDENTIFIER_IN_USE: Self = Self(0x91);
    /// 0x92: Packet Identifier not found.
    pub const PACKET_IDENTIFIER_NOT_FOUND: Self = Self(0x92);
    /// 0x93: Receive Maximum exceeded.
    pub const RECEIVE_MAXIMUM_EXCEEDED: Self = Self(0x93);
    /// 0x94: Topic Alias invalid.
    pub const TOPIC_ALIAS_INVALID: Self = Self(0x94);
    /// 0x95: Packet too large.
    pub const PACKET_TOO_LARGE: Self = Self(0x95);
    /// 0x96: Message rate too high.
    pub const MESSAGE_RATE_TOO_HIGH: Self = Self(0x96);
    /// 0x97: Quota exceeded.
    pub const QUOTA_EXCEEDED: Self = Self(0x97);
    /// 0x98: Administrative action.
    pub const ADMINISTRATIVE_ACTION: Self = Self(0x98);
    /// 0x99: Payload format invalid.
    pub const PAYLOAD_FORMAT_INVALID: Self = Self(0x99);
    /// 0x9A: Retain not supported.
    pub const RETAIN_NOT_SUPPORTED: Self = Self(0x9A);
    /// 0x9B: QoS not supported.
    pub const QOS_NOT_SUPPORTED: Self = Self(0x9B);
    /// 0x9C: Use another server.
    pub const USE_ANOTHER_SERVER: Self = Self(0x9C);
    /// 0x9D: Server moved.
    pub const SERVER_MOVED: Self = Self(0x9D);
    /// 0x9E: Shared Subscriptions not supported.
    pub const SHARED_SUBSCRIPTIONS_NOT_SUPPORTED: Self = Self(0x9E);
    /// 0x9F: Connection rate exceeded.
    pub const CONNECTION_RATE_EXCEEDED: Self = Self(0x9F);
    /// 0xA0: Maximum connect time.
    pub const MAXIMUM_CONNECT_TIME: Self = Self(0xA0);
    /// 0xA1: Subscription Identifiers not supported.
    pub const SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED: Self = Self(0xA1);
    /// 0xA2: Wildcard Subscriptions not supported.
    pub const WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED: Self = Self(0xA2);

    /// The reason with this code; `None` where MQTT 5 lists none.
    pub fn from_code(code: u8) -> Option<Self> {
        NAMES.iter().any(|(listed, _)| *listed == code).then_some(Self(code))
    }

    /// The code as it goes on the wire.
    #[inline]
    pub const fn code(self) -> u8 {
        self.0
    }

    /// True from 0x80 on.
    #[inline]
    pub const fn is_error(self) -> bool {
        self.0 >= 0x80
    }

    /// The name in the specification's own words; `Unlisted reason` for a code it does not list.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(code, _)| *code == self.0).map_or("Unlisted reason", |(_, name)| name)
    }

    /// The CONNACK return code 0 to 5 of MQTT 3.1.1 (table 3.1) that says the same. What 3.1.1
    /// cannot say becomes 3, server unavailable.
    pub const fn connack_v311(self) -> u8 {
        match self {
            Self(0..=0x7F) => 0,
            Self::UNSUPPORTED_PROTOCOL_VERSION => 1,
            Self::CLIENT_IDENTIFIER_NOT_VALID => 2,
            Self::BAD_USER_NAME_OR_PASSWORD => 4,
            Self::NOT_AUTHORIZED | Self::BANNED | Self::BAD_AUTHENTICATION_METHOD => 5,
            _ => 3,
        }
    }

    /// The reason for a CONNACK return code of MQTT 3.1.1; `None` above 5.
    pub const fn from_connack_v311(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::SUCCESS),
            1 => Some(Self::UNSUPPORTED_PROTOCOL_VERSION),
            2 => Some(Self::CLIENT_IDENTIFIER_NOT_VALID),
            3 => Some(Self::SERVER_UNAVAILABLE),
            4 => Some(Self::BAD_USER_NAME_OR_PASSWORD),
            5 => Some(Self::NOT_AUTHORIZED),
            _ => None,
        }
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:02X} {}", self.0, self.name())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:02X} {}", self.0, self.name())
    }
}

const NAMES: [(u8, &str); 43] = [
    (0x00, "Success"),
    (0x01, "Granted QoS 1"),
    (0x02, "Granted QoS 2"),
    (0x04, "Disconnect with Will Message"),
    (0x10, "No matching subscribers"),
    (0x11, "No subscription existed"),
    (0x18, "Continue authentication"),
    (0x19, "Re-authenticate"),
    (0x80, "Unspecified error"),
    (0x81, "Malformed Packet"),
    (0x82, "Protocol Error"),
    (0x83, "Implementation specific error"),
    (0x84, "Unsupported Protocol Version"),
    (0x85, "Client Identifier not valid"),
    (0x86, "Bad User Name or Password"),
    (0x87, "Not authorized"),
    (0x88, "Server unavailable"),
    (0x89, "Server busy"),
    (0x8A, "Banned"),
    (0x8B, "Server shutting down"),
    (0x8C, "Bad authentication method"),
    (0x8D, "Keep Alive timeout"),
    (0x8E, "Session taken over"),
    (0x8F, "Topic Filter invalid"),
    (0x90, "Topic Name invalid"),
    (0x91, "Packet Identifier in use"),
    (0x92, "Packet Identifier not found"),
    (0x93, "Receive Maximum exceeded"),
    (0x94, "Topic Alias invalid"),
    (0x95, "Packet too large"),
    (0x96, "Message rate too high"),
    (0x97, "Quota exceeded"),
    (0x98, "Administrative action"),
    (0x99, "Payload format invalid"),
    (0x9A, "Retain not supported"),
    (0x9B, "QoS not supported"),
    (0x9C, "Use another server"),
    (0x9D, "Server moved"),
    (0x9E, "Shared Subscriptions not supported"),
    (0x9F, "Connection rate exceeded"),
    (0xA0, "Maximum connect time"),
    (0xA1, "Subscription Identifiers not supported"),
    (0xA2, "Wildcard Subscriptions not supported"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_code_has_a_name_and_round_trips() {
        for (code, name) in NAMES {
            let reason = Reason::from_code(code).unwrap();
            assert_eq!((reason.code(), reason.name()), (code, name));
        }
        assert_eq!(NAMES.len(), 43);
        assert_eq!(Reason::from_code(0x7F), None);
        assert_eq!(Reason(0x7F).name(), "Unlisted reason");
    }

    #[test]
    fn connack_codes_of_the_old_version() {
        for code in 0..=5 {
            assert_eq!(Reason::from_connack_v311(code).unwrap().connack_v311(), code);
        }
        assert_eq!(Reason::from_connack_v311(6), None);
        assert_eq!(Reason::CONNECTION_RATE_EXCEEDED.connack_v311(), 3);
        assert_eq!(Reason::BANNED.connack_v311(), 5);
    }
}
