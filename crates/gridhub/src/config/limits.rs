//! The bounds of `broker::limits::Limits` as config keys, each optional over the profile's.
//! Knows spelling only; what a bound means stands in `broker::limits`.

use broker::limits::{
    DollarTopics, Limits, Mqtt31, QueueFull, RefusedDelivery, SharedSubscriptions,
    SubscriptionIdentifiers, ZeroExpiry,
};
use mqtt::qos::QoS;
use serde::{Deserialize, Serialize};

use super::Profile;
use super::mistake::Mistake;

/// How a bound is spelled in the configuration.
trait Setting<T> {
    fn value(self) -> T;
    fn spelled(value: T) -> Self;
}

/// Declares the keys once. A field that `Limits` gains or loses does not compile here.
macro_rules! limits_config {
    ($($field:ident: $spelling:ty,)*) => {
        /// Bounds that differ from the profile's; field for field those of
        /// `broker::limits::Limits`.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        #[allow(missing_docs)] // Documented in `broker::limits::Limits` and docs/config.md.
        pub struct LimitsConfig {
            $(pub $field: Option<$spelling>,)*
        }

        impl LimitsConfig {
            /// The bounds in force.
            pub fn limits(&self, profile: Profile) -> Limits {
                let Limits { $($field,)* } = of_profile(profile);
                Limits { $($field: self.$field.map_or($field, Setting::value),)* }
            }

            /// As written, with the profile's bounds filled in.
            pub fn effective(&self, profile: Profile) -> Self {
                let Limits { $($field,)* } = self.limits(profile);
                Self { $($field: Some(Setting::spelled($field)),)* }
            }
        }
    };
}

limits_config! {
    packet_bytes_max: usize,
    output_bytes_max: usize,
    inflight_out_max: u16,
    inflight_out_v311_max: u16,
    receive_max: u16,
    session_queue_messages_max: usize,
    session_queue_bytes_max: usize,
    queued_total_bytes_max: usize,
    queue_full: QueueFullSpelling,
    topic_alias_max: u16,
    topic_alias_out_max: u16,
    topic_alias_bytes_max: usize,
    session_publishes_per_second_max: u32,
    session_publish_bytes_per_second_max: u32,
    keep_alive_max_s: u16,
    session_expiry_max_s: u32,
    will_delay_max_s: u32,
    maximum_qos: u8,
    subscription_identifiers: SubscriptionIdentifiersSpelling,
    shared_subscriptions: SharedSubscriptionsSpelling,
    mqtt_31: Mqtt31Spelling,
    zero_expiry: ZeroExpirySpelling,
    refused_delivery: RefusedDeliverySpelling,
    dollar_topics: DollarTopicsSpelling,
    filters_per_subscribe_max: usize,
    subscriptions_per_session_max: usize,
    topic_bytes_max: usize,
    topic_levels_max: usize,
    client_id_chars_max: usize,
    retained_bytes_max: usize,
    retained_messages_max: usize,
    retained_total_bytes_max: usize,
    http_body_bytes_max: usize,
    http_retained_body_bytes_max: usize,
    http_header_bytes_max: usize,
    user_properties_bytes_max: usize,
    publish_property_bytes_max: usize,
    authentication_data_bytes_max: usize,
    sessions_per_name_max: usize,
    authentications_pending_max: usize,
    connections_max: usize,
    opening_connections_max: usize,
    connects_per_second_max: u32,
    connects_burst_max: u32,
    connect_deadline_s: u32,
    first_read_bytes_max: usize,
    fanout_per_turn_max: usize,
    publisher_pending_max: usize,
    log_queue_bytes_max: usize,
    carried_behind_records_max: usize,
    carried_after_s: u32,
    dropped_held_messages_max: usize,
    post_bytes_max: usize,
    idempotency_keys_max: usize,
}

/// `limits.queue_full`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueFullSpelling {
    /// The oldest waiting message goes.
    DropOldest,
    /// The new message is not queued.
    DropNewest,
    /// The publish is refused for everybody.
    Refuse,
    /// The session that does not keep up ends.
    EndSession,
}

/// `limits.subscription_identifiers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubscriptionIdentifiersSpelling {
    /// They may be used.
    Available,
    /// 0xA1.
    Refused,
}

/// `limits.shared_subscriptions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SharedSubscriptionsSpelling {
    /// For every client.
    AllVersions,
    /// For clients of MQTT 5; one of 3.1.1 is disconnected.
    Version5,
}

/// `limits.mqtt_31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mqtt31Spelling {
    /// As clients of 3.1.1.
    Accepted,
    /// CONNACK 1.
    Refused,
}

/// `limits.zero_expiry`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ZeroExpirySpelling {
    /// Delivered at once or not at all.
    AtOnce,
    /// The message never expires.
    Never,
}

/// `limits.refused_delivery`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusedDeliverySpelling {
    /// The delivery is over.
    Discard,
    /// The connection ends too.
    Disconnect,
}

/// `limits.dollar_topics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DollarTopicsSpelling {
    /// The broker's own are reserved.
    SystemReserved,
    /// All are reserved.
    AllReserved,
}

/// Bounds that no peer could live with, or that the protocol has no room for.
pub fn check(config: &LimitsConfig, profile: Profile, mistakes: &mut Vec<Mistake>) {
    let limits = config.limits(profile);
    let mut refuse = |key: &str, message: &str| {
        mistakes.push(Mistake::new(format!("limits.{key}"), message));
    };
    for (key, value) in [
        ("receive_max", usize::from(limits.receive_max)),
        ("inflight_out_max", usize::from(limits.inflight_out_max)),
        ("inflight_out_v311_max", usize::from(limits.inflight_out_v311_max)),
        ("connect_deadline_s", limits.connect_deadline_s as usize),
        ("fanout_per_turn_max", limits.fanout_per_turn_max),
        ("authentications_pending_max", limits.authentications_pending_max),
        ("publisher_pending_max", limits.publisher_pending_max),
        ("filters_per_subscribe_max", limits.filters_per_subscribe_max),
        ("topic_levels_max", limits.topic_levels_max),
        ("client_id_chars_max", limits.client_id_chars_max),
        ("sessions_per_name_max", limits.sessions_per_name_max),
        ("opening_connections_max", limits.opening_connections_max),
        ("connects_burst_max", limits.connects_burst_max as usize),
    ] {
        if value == 0 {
            refuse(key, "must be at least 1");
        }
    }
    for (key, value) in [
        ("packet_bytes_max", limits.packet_bytes_max),
        ("first_read_bytes_max", limits.first_read_bytes_max),
        ("http_header_bytes_max", limits.http_header_bytes_max),
    ] {
        if value < SMALLEST_BUFFER {
            refuse(key, "must be at least 1024 bytes, or no CONNECT with a token fits");
        }
    }
    for (key, value) in
        [("output_bytes_max", limits.output_bytes_max), ("post_bytes_max", limits.post_bytes_max)]
    {
        if value < limits.packet_bytes_max {
            refuse(key, "must be at least packet_bytes_max, or one packet could fill it");
        }
    }
    if limits.topic_alias_out_max > mqtt::session::ALIASES_MAX {
        refuse("topic_alias_out_max", "must be at most 64: each is looked for in all of them");
    }
    let topic_bytes_max = limits.topic_bytes_max.min(usize::from(u16::MAX));
    if limits.topic_alias_max > 0 && limits.topic_alias_bytes_max < topic_bytes_max {
        refuse(
            "topic_alias_bytes_max",
            "must be at least topic_bytes_max, or a topic has no alias",
        );
    }
    if limits.packet_bytes_max > PROTOCOL_PACKET_MAX {
        refuse("packet_bytes_max", "must be at most 268435460, the protocol's own bound");
    }
    if limits.topic_bytes_max == 0 || limits.topic_bytes_max > usize::from(u16::MAX) {
        refuse("topic_bytes_max", "must be 1 to 65535");
    }
    if config.maximum_qos.is_some_and(|qos| QoS::from_bits(qos).is_none()) {
        refuse("maximum_qos", "must be 0, 1 or 2");
    }
}

fn of_profile(profile: Profile) -> Limits {
    match profile {
        Profile::Open => Limits::open(),
        Profile::IotHub => Limits::iot_hub(),
        Profile::EventGrid => Limits::event_grid(),
    }
}

macro_rules! spelled_as_is {
    ($($number:ty),*) => {$(
        impl Setting<$number> for $number {
            fn value(self) -> $number {
                self
            }

            fn spelled(value: $number) -> Self {
                value
            }
        }
    )*};
}

spelled_as_is!(usize, u32, u16);

/// Keep-alive: 0 stands for the client's own.
impl Setting<Option<u16>> for u16 {
    fn value(self) -> Option<u16> {
        (self > 0).then_some(self)
    }

    fn spelled(value: Option<u16>) -> Self {
        value.unwrap_or(0)
    }
}

/// 0 stands for the bound that follows from the machine.
impl Setting<Option<usize>> for usize {
    fn value(self) -> Option<usize> {
        (self > 0).then_some(self)
    }

    fn spelled(value: Option<usize>) -> Self {
        value.unwrap_or(0)
    }
}

impl Setting<QoS> for u8 {
    // A number that is no QoS is refused by `check` before anybody uses the bounds.
    fn value(self) -> QoS {
        QoS::from_bits(self).unwrap_or(QoS::ExactlyOnce)
    }

    fn spelled(value: QoS) -> Self {
        value as u8
    }
}

/// An enum spelled by another one, variant for variant.
macro_rules! spelled_by {
    ($spelling:ident for $limit:ident: $($variant:ident),*) => {
        impl Setting<$limit> for $spelling {
            fn value(self) -> $limit {
                match self {
                    $(Self::$variant => $limit::$variant,)*
                }
            }

            fn spelled(value: $limit) -> Self {
                match value {
                    $($limit::$variant => Self::$variant,)*
                }
            }
        }
    };
}

spelled_by!(QueueFullSpelling for QueueFull: DropOldest, DropNewest, Refuse, EndSession);
spelled_by!(SubscriptionIdentifiersSpelling for SubscriptionIdentifiers: Available, Refused);
spelled_by!(RefusedDeliverySpelling for RefusedDelivery: Discard, Disconnect);
spelled_by!(SharedSubscriptionsSpelling for SharedSubscriptions: AllVersions, Version5);
spelled_by!(Mqtt31Spelling for Mqtt31: Accepted, Refused);
spelled_by!(ZeroExpirySpelling for ZeroExpiry: AtOnce, Never);
spelled_by!(DollarTopicsSpelling for DollarTopics: SystemReserved, AllReserved);

const SMALLEST_BUFFER: usize = 1024;
/// Largest Remaining Length with its fixed header (MQTT 5, 2.1.4).
const PROTOCOL_PACKET_MAX: usize = 268_435_460;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_rules_where_nothing_is_written() {
        let none = LimitsConfig::default();
        assert_eq!(none.limits(Profile::Open), Limits::open());
        assert_eq!(none.limits(Profile::EventGrid), Limits::event_grid());
        let shown = none.effective(Profile::EventGrid);
        assert_eq!(shown.limits(Profile::Open), Limits::event_grid());
    }

    #[test]
    fn written_bounds_win_and_silly_ones_are_refused() {
        let written: LimitsConfig = toml::from_str(
            "receive_max = 0\ntopic_alias_out_max = 65\nqueue_full = \"refuse\"\nmaximum_qos = 3\n",
        )
        .expect("toml");
        assert_eq!(written.limits(Profile::Open).queue_full, QueueFull::Refuse);
        let mut mistakes = Vec::new();
        check(&written, Profile::Open, &mut mistakes);
        let paths: Vec<&str> = mistakes.iter().map(|mistake| mistake.path.as_str()).collect();
        assert_eq!(
            paths,
            ["limits.receive_max", "limits.topic_alias_out_max", "limits.maximum_qos"]
        );
    }
}
