//! Every bound of the broker, with its unit, its reason and what happens at it.
//!
//! Owns the numbers of `core.md` 5 and the differences between the profiles `open`,
//! `event-grid` and `iot-hub`. Refuses to know who enforces them.

use mqtt::qos::QoS;

/// The bounds of one namespace. A field that ends in `_max` may be reached, not passed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Largest packet in either direction, in bytes with its header. A larger one: 0x95.
    pub packet_bytes_max: usize,
    /// Output waiting for one connection. At it QoS 0 is dropped and counted, QoS > 0 stays in
    /// its queue: a slow reader must not cost more.
    pub output_bytes_max: usize,
    /// QoS > 0 messages under way to one MQTT 5 client; the client's Receive Maximum may lower
    /// it. At it the next waits in the queue.
    pub inflight_out_max: u16,
    /// As `inflight_out_max` for 3.1.1, which has no Receive Maximum. At it the next waits.
    pub inflight_out_v311_max: u16,
    /// Receive Maximum that we announce: unfinished QoS > 0 publishes of one client. Above: 0x93.
    pub receive_max: u16,
    /// Messages waiting for one session, or for one shared group. At it: `queue_full`.
    pub session_queue_messages_max: usize,
    /// Bytes waiting for one session, or for one shared group. At it: `queue_full`.
    pub session_queue_bytes_max: usize,
    /// Bytes waiting in all session queues of the namespace, a message counted in each; `None` =
    /// nine tenths of the process's memory for data. At it: `queue_full`, as at the session's own.
    pub queued_total_bytes_max: Option<usize>,
    /// What happens when a session's queue is full.
    pub queue_full: QueueFull,
    /// Topic aliases a client may set on one connection. Above: 0x94.
    pub topic_alias_max: u16,
    /// Topic aliases that we set on one connection whose client takes some; its Topic Alias
    /// Maximum may lower it, 0 = none. At it a topic has to come twice to take another's place.
    pub topic_alias_out_max: u16,
    /// Bytes of the topics behind one connection's aliases. More: 0x97.
    pub topic_alias_bytes_max: usize,
    /// Publishes a second of one connection, and as many at once; 0 = any number. Above: 0x97, QoS
    /// 0 dropped and counted; who goes on so for a second's worth: 0x96.
    pub session_publishes_per_second_max: u32,
    /// As `session_publishes_per_second_max`, in bytes of packets; 0 = any number.
    pub session_publish_bytes_per_second_max: u32,
    /// Longest keep-alive in seconds; longer, or none at all, is lowered to it and announced
    /// (MQTT 5, 3.2.2.3.14). `None` = the client's own.
    pub keep_alive_max_s: Option<u16>,
    /// Longest session expiry in seconds, `u32::MAX` = sessions may live for ever. A longer wish
    /// is lowered to it and announced (MQTT 5, 3.2.2.3.2).
    pub session_expiry_max_s: u32,
    /// Longest will delay in seconds. A longer one is lowered to it.
    pub will_delay_max_s: u32,
    /// Highest QoS of publishes and grants. A higher publish: 0x9B; a higher subscription is
    /// granted this.
    pub maximum_qos: QoS,
    /// Whether a SUBSCRIBE may carry a Subscription Identifier. If not: 0xA1.
    pub subscription_identifiers: SubscriptionIdentifiers,
    /// Which clients may use shared subscriptions.
    pub shared_subscriptions: SharedSubscriptions,
    /// What a Message Expiry Interval of zero means.
    pub zero_expiry: ZeroExpiry,
    /// Whether clients of MQTT 3.1 are taken. If not: CONNACK 1.
    pub mqtt_31: Mqtt31,
    /// What follows when a client answers a delivery with an error.
    pub refused_delivery: RefusedDelivery,
    /// Which topics that start with `$` clients may use.
    pub dollar_topics: DollarTopics,
    /// Filters of one SUBSCRIBE. Those above it: 0x97 each.
    pub filters_per_subscribe_max: usize,
    /// Subscriptions of one session. Above: 0x97 for each further filter.
    pub subscriptions_per_session_max: usize,
    /// Bytes of a topic name or filter. A longer topic: 0x90, a longer filter: 0x8F.
    pub topic_bytes_max: usize,
    /// Levels of a topic name or filter. A deeper topic: 0x90, a deeper filter: 0x8F.
    pub topic_levels_max: usize,
    /// Unicode characters of a client identifier. A longer one: 0x85.
    pub client_id_chars_max: usize,
    /// Payload bytes of one retained message. A larger one: 0x97.
    pub retained_bytes_max: usize,
    /// Retained messages. At it a publish that would add one: 0x97; replacing goes on.
    pub retained_messages_max: usize,
    /// Bytes of all retained messages. At it what would grow them: 0x97.
    pub retained_total_bytes_max: usize,
    /// Body of HTTP Publish in bytes. A larger one: 413.
    pub http_body_bytes_max: usize,
    /// Body of HTTP Publish with `retain=1` in bytes. A larger one: 413.
    pub http_retained_body_bytes_max: usize,
    /// Request headers of HTTP Publish in bytes (32 KiB of user properties are 43 KiB in
    /// base64). More: 431.
    pub http_header_bytes_max: usize,
    /// Keys and values of all user properties of one publish, in bytes. More: 0x97.
    pub user_properties_bytes_max: usize,
    /// Content Type, Response Topic and Correlation Data of a publish, in bytes each. More: 0x97.
    pub publish_property_bytes_max: usize,
    /// Authentication Data of CONNECT and AUTH in bytes. More: 0x97.
    pub authentication_data_bytes_max: usize,
    /// Sessions of one authentication name, absent ones included. Above: CONNACK 0x97.
    pub sessions_per_name_max: usize,
    /// Connections waiting for an authentication that needs IO. At it: CONNACK 0x97.
    pub authentications_pending_max: usize,
    /// Connections of the process, refused ones not counted; `None` = as many as there are
    /// descriptors. Above: CONNACK 0x97.
    pub connections_max: Option<usize>,
    /// Connections of the process whose CONNECT has not come yet (TLS handshakes among them). At
    /// it newcomers wait to be accepted.
    pub opening_connections_max: usize,
    /// CONNECT packets a second; 0 = any number. Above: CONNACK 0x9F, before any authentication.
    pub connects_per_second_max: u32,
    /// CONNECT packets at once after a silence, where their rate is bounded.
    pub connects_burst_max: u32,
    /// TLS, WebSocket, CONNECT and authentication together, in seconds. Later: closed.
    pub connect_deadline_s: u32,
    /// Bytes buffered before the CONNECT is decided. At it reading stops.
    pub first_read_bytes_max: usize,
    /// Receivers of fan-out jobs a turn, each with up to four messages (more count as one more),
    /// so that one publish to a hundred thousand does not delay others; an eighth of it while
    /// others publish. At it the job goes on in the next turn.
    pub fanout_per_turn_max: usize,
    /// Unacknowledged publishes of one publisher in the log's queue. At it: its socket is not
    /// read until half of them are done.
    pub publisher_pending_max: usize,
    /// Bytes waiting in the log's queue. At it: publishers' sockets are not read.
    pub log_queue_bytes_max: usize,
    /// Records of the log between a message under way to a client and where its session or shared
    /// group otherwise is. Above, and later than `carried_after_s`: the message is written to the
    /// log again, which need not keep them all for its sake.
    pub carried_behind_records_max: usize,
    /// Seconds that a message is under way before it is written again, at least, and about twice
    /// as many at most: what clients answer in time is written once.
    pub carried_after_s: u32,
    /// Messages that `queue_full` has dropped in the log as the oldest, for a session that is away;
    /// at least a quarter of `session_queue_messages_max`. At it: the log lets go of them.
    pub dropped_held_messages_max: usize,
    /// Bytes of one post between reactors. At it QoS 0 is dropped and counted, QoS > 0 pauses
    /// its publisher.
    pub post_bytes_max: usize,
    /// Remembered keys of the `Idempotency-Key` header. At it: 429.
    pub idempotency_keys_max: usize,
}

/// What happens when a session's queue is full. Every case is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QueueFull {
    /// The oldest waiting message goes.
    DropOldest,
    /// The new message is not queued.
    DropNewest,
    /// The publish is refused for everybody: 0x97 or 429; 3.1.1: closed without PUBACK.
    Refuse,
    /// The session that does not keep up ends. Of a shared group, which has no session, the
    /// oldest waiting message goes.
    EndSession,
}

/// Whether Subscription Identifiers are available (MQTT 5, 3.2.2.3.12).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SubscriptionIdentifiers {
    /// They are.
    Available,
    /// SUBSCRIBE with one is refused with 0xA1.
    Refused,
}

/// Which clients may use shared subscriptions (MQTT 5, 4.8.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SharedSubscriptions {
    /// All; 3.1.1 does not know them, but `$share/` filters work there too.
    AllVersions,
    /// Clients of MQTT 5; one of 3.1.1 that tries is disconnected (event-grid 3.6).
    Version5,
}

/// Whether clients that name the protocol "MQIsdp" (MQTT 3.1) may connect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mqtt31 {
    /// As clients of 3.1.1.
    Accepted,
    /// CONNACK 1: unacceptable protocol version.
    Refused,
}

/// What a Message Expiry Interval of zero means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ZeroExpiry {
    /// Delivered at once or not at all (MQTT 5, 3.3.2.3.3).
    AtOnce,
    /// The message never expires (event-grid 3.3).
    Never,
}

/// What follows when a client answers a delivery with a reason of 0x80 or more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefusedDelivery {
    /// The delivery is over, nothing else (MQTT 5, 4.4.0-2).
    Discard,
    /// The connection ends too (event-grid 3.3): 0x83.
    Disconnect,
}

/// Which topics that start with `$` clients may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DollarTopics {
    /// `$SYS/`, `$gridhub/`, `$iothub/`, `$share/` and `$queue/` are reserved; others follow the
    /// templates.
    SystemReserved,
    /// All are reserved (event-grid 5.3).
    AllReserved,
}

impl Limits {
    /// Profile `open`: every feature, bounds that protect the process only.
    pub fn open() -> Self {
        Self {
            packet_bytes_max: MIB,
            output_bytes_max: MIB,
            inflight_out_max: 1000,
            inflight_out_v311_max: 200,
            receive_max: 1000,
            session_queue_messages_max: 100_000,
            session_queue_bytes_max: 256 * MIB,
            queued_total_bytes_max: None,
            queue_full: QueueFull::DropOldest,
            // Devices publish to few topics. An alias saves its topic on every packet and costs
            // us the topic's bytes while connected: 64 of them are about 4 KiB.
            topic_alias_max: 64,
            // A topic is at most 512 bytes here: 8 KiB, and only where a client takes aliases.
            topic_alias_out_max: 16,
            // The longest topic; sixty-four of a thousand bytes.
            topic_alias_bytes_max: 64 * KIB,
            session_publishes_per_second_max: 0,
            session_publish_bytes_per_second_max: 0,
            keep_alive_max_s: None,
            session_expiry_max_s: u32::MAX,
            will_delay_max_s: u32::MAX,
            maximum_qos: QoS::ExactlyOnce,
            subscription_identifiers: SubscriptionIdentifiers::Available,
            shared_subscriptions: SharedSubscriptions::AllVersions,
            mqtt_31: Mqtt31::Accepted,
            zero_expiry: ZeroExpiry::AtOnce,
            refused_delivery: RefusedDelivery::Discard,
            dollar_topics: DollarTopics::SystemReserved,
            // As many as a packet of 1 MiB can hold; the next bound is the one that counts.
            filters_per_subscribe_max: MIB / 4,
            // A bridge subscribes to thousands; ten million would be an attack.
            subscriptions_per_session_max: 200_000,
            topic_bytes_max: 65_535,
            topic_levels_max: 65_536,
            client_id_chars_max: 65_535,
            retained_bytes_max: MIB,
            retained_messages_max: 10_000_000,
            retained_total_bytes_max: 4 * 1024 * MIB,
            http_body_bytes_max: 512 * KIB,
            http_retained_body_bytes_max: 64 * KIB,
            http_header_bytes_max: 48 * KIB,
            user_properties_bytes_max: MIB,
            publish_property_bytes_max: 65_535,
            authentication_data_bytes_max: 65_535,
            sessions_per_name_max: 1_000_000,
            authentications_pending_max: 1024,
            connections_max: None,
            // A TLS handshake holds some 30 KiB: 120 MiB in all, for at most the deadline.
            opening_connections_max: 4096,
            connects_per_second_max: 0,
            connects_burst_max: 200,
            connect_deadline_s: 30,
            first_read_bytes_max: 16 * KIB,
            fanout_per_turn_max: 64,
            publisher_pending_max: 1000,
            log_queue_bytes_max: 64 * MIB,
            carried_behind_records_max: 1_000,
            dropped_held_messages_max: 1_024,
            carried_after_s: 15,
            post_bytes_max: 8 * MIB,
            idempotency_keys_max: 100_000,
        }
    }

    /// Profile `event-grid`: refuses what Event Grid refuses (event-grid 3.3 and 10).
    pub fn event_grid() -> Self {
        Self {
            packet_bytes_max: 512 * KIB,
            inflight_out_max: 16,
            inflight_out_v311_max: 16,
            session_queue_messages_max: 100,
            session_queue_bytes_max: MIB,
            queue_full: QueueFull::EndSession,
            topic_alias_max: 10,
            topic_alias_out_max: 0,
            // One throughput unit.
            session_publishes_per_second_max: 1000,
            session_publish_bytes_per_second_max: 1024 * 1024,
            connects_per_second_max: 200,
            keep_alive_max_s: Some(1160),
            session_expiry_max_s: 3600,
            will_delay_max_s: 300,
            maximum_qos: QoS::AtLeastOnce,
            subscription_identifiers: SubscriptionIdentifiers::Refused,
            shared_subscriptions: SharedSubscriptions::Version5,
            mqtt_31: Mqtt31::Refused,
            zero_expiry: ZeroExpiry::Never,
            refused_delivery: RefusedDelivery::Disconnect,
            dollar_topics: DollarTopics::AllReserved,
            filters_per_subscribe_max: 10,
            subscriptions_per_session_max: 50,
            topic_bytes_max: 256,
            topic_levels_max: 8,
            client_id_chars_max: 128,
            retained_bytes_max: 64 * KIB,
            retained_messages_max: 10_000,
            retained_total_bytes_max: 640 * MIB,
            user_properties_bytes_max: 32 * KIB,
            publish_property_bytes_max: 256,
            authentication_data_bytes_max: 8 * KIB,
            sessions_per_name_max: 1,
            ..Self::open()
        }
    }

    /// Profile `iot-hub`: what the MQTT 5 plane announces and applies (iot-hub A6, A7, A15).
    pub fn iot_hub() -> Self {
        Self {
            packet_bytes_max: 256 * KIB,
            http_body_bytes_max: 256 * KIB,
            inflight_out_v311_max: 16,
            receive_max: 16,
            topic_alias_max: 10,
            keep_alive_max_s: Some(1140),
            maximum_qos: QoS::AtLeastOnce,
            subscription_identifiers: SubscriptionIdentifiers::Refused,
            shared_subscriptions: SharedSubscriptions::Version5,
            mqtt_31: Mqtt31::Refused,
            dollar_topics: DollarTopics::AllReserved,
            subscriptions_per_session_max: 50,
            // A device and a module, with the slash between.
            client_id_chars_max: 257,
            ..Self::open()
        }
    }
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bound_lets_a_peer_pass_a_larger_one() {
        for limits in [Limits::open(), Limits::event_grid(), Limits::iot_hub()] {
            assert!(limits.packet_bytes_max <= limits.output_bytes_max);
            assert!(limits.packet_bytes_max <= limits.post_bytes_max);
            assert!(limits.http_body_bytes_max <= limits.packet_bytes_max);
            assert!(limits.http_retained_body_bytes_max <= limits.retained_bytes_max);
            assert!(limits.retained_bytes_max <= limits.retained_total_bytes_max);
            assert!(limits.inflight_out_max > 0 && limits.receive_max > 0);
        }
    }
}
