//! What a successful CONNECT is answered in profile `iot-hub` (iot-hub A6, A7). Refuses to know
//! whether it was successful.

use mqtt::qos::QoS;
use mqtt::wire::Connect;

use super::connect::AbsentExpiry;
use super::limits::{KEEP_ALIVE_S_MAX, PACKET_BYTES_MAX, RECEIVE_MAX, TOPIC_ALIAS_MAX};

/// The properties of CONNACK that are always there. Response Information, Assigned Client
/// Identifier, Wildcard Subscription Available and Reason String never are; Authentication Method
/// is that of CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// Receive Maximum.
    pub receive_max: u16,
    /// Maximum QoS.
    pub qos_max: QoS,
    /// Retain Available.
    pub retain: bool,
    /// Maximum Packet Size, bytes.
    pub packet_bytes_max: u32,
    /// Topic Alias Maximum.
    pub topic_alias_max: u16,
    /// Subscription Identifier Available.
    pub subscription_ids: bool,
    /// Shared Subscription Available.
    pub shared_subscriptions: bool,
}

impl Announced {
    /// The values of A6.
    pub const IOT_HUB: Self = Self {
        receive_max: RECEIVE_MAX,
        qos_max: QoS::AtLeastOnce,
        retain: false,
        packet_bytes_max: PACKET_BYTES_MAX,
        topic_alias_max: TOPIC_ALIAS_MAX,
        subscription_ids: false,
        shared_subscriptions: false,
    };
}

/// The Keep Alive that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepAlive {
    /// Seconds, never 0.
    pub seconds: u16,
    /// Server Keep Alive, where it is not what the client asked for.
    pub announced: Option<u16>,
}

impl KeepAlive {
    /// After how much silence the connection ends with DISCONNECT 141: one and a half times,
    /// milliseconds.
    pub const fn silence_ms_max(self) -> u64 {
        self.seconds as u64 * 1500
    }
}

/// At most 19 minutes, which also hold where the client asks for no limit.
pub const fn keep_alive(requested_s: u16) -> KeepAlive {
    match requested_s {
        1..=KEEP_ALIVE_S_MAX => KeepAlive { seconds: requested_s, announced: None },
        _ => KeepAlive { seconds: KEEP_ALIVE_S_MAX, announced: Some(KEEP_ALIVE_S_MAX) },
    }
}

/// The Session Expiry Interval that holds: at once, or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionExpiry {
    /// 0 or `u32::MAX`.
    pub seconds: u32,
    /// Session Expiry Interval of CONNACK, where it is not what the client asked for.
    pub announced: Option<u32>,
}

/// Any value but 0 is never (A7).
pub fn session_expiry(connect: &Connect<'_>, absent: AbsentExpiry) -> SessionExpiry {
    let never = u32::MAX;
    match (connect.session_expiry, absent) {
        (None, AbsentExpiry::NeverEnds) if !connect.clean_start => {
            SessionExpiry { seconds: never, announced: Some(never) }
        }
        (None | Some(0), _) => SessionExpiry { seconds: 0, announced: None },
        (Some(u32::MAX), _) => SessionExpiry { seconds: never, announced: None },
        (Some(_), _) => SessionExpiry { seconds: never, announced: Some(never) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt::wire::Version;

    #[test]
    fn keep_alives() {
        for (requested, seconds, announced) in [
            (0, 1140, Some(1140)),
            (1, 1, None),
            (300, 300, None),
            (1140, 1140, None),
            (1141, 1140, Some(1140)),
            (u16::MAX, 1140, Some(1140)),
        ] {
            assert_eq!(keep_alive(requested), KeepAlive { seconds, announced }, "{requested}");
        }
        assert_eq!(keep_alive(0).silence_ms_max(), 1_710_000);
        assert_eq!(keep_alive(1).silence_ms_max(), 1_500);
    }

    #[test]
    fn session_expiries() {
        use AbsentExpiry::{Ends, NeverEnds};
        let never = u32::MAX;
        for (requested, clean_start, absent, seconds, announced) in [
            (None, false, Ends, 0, None),
            (None, true, NeverEnds, 0, None),
            (None, false, NeverEnds, never, Some(never)),
            (Some(0), false, NeverEnds, 0, None),
            (Some(1), true, Ends, never, Some(never)),
            (Some(never - 1), false, Ends, never, Some(never)),
            (Some(never), false, Ends, never, None),
        ] {
            let connect = Connect {
                session_expiry: requested,
                clean_start,
                ..Connect::new(Version::V5, "D1")
            };
            let expected = SessionExpiry { seconds, announced };
            assert_eq!(session_expiry(&connect, absent), expected, "{requested:?}");
        }
    }

    #[test]
    fn limits_are_those_of_the_specification() {
        let all = Announced::IOT_HUB;
        assert_eq!((all.receive_max, all.qos_max.bits(), all.retain), (16, 1, false));
        assert_eq!((all.packet_bytes_max, all.topic_alias_max), (262_144, 10));
        assert!(!all.subscription_ids && !all.shared_subscriptions);
    }
}
