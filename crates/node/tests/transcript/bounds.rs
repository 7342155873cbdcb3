//! `limits open receive_max=2 ...`: a profile's bounds with some of them changed. Owns the names
//! that scripts may use and refuses any other.

use super::fields::Fields;
use broker::limits::{Limits, QueueFull};

/// The bounds that a line asks for.
pub fn limits(text: &str) -> Limits {
    let mut f = Fields::of(text);
    let mut l = match f.bare().as_deref() {
        Some("open") => Limits::open(),
        Some("event-grid") => Limits::event_grid(),
        other => panic!("limits open or event-grid, not {other:?}"),
    };
    for (key, value) in f.pairs() {
        let text = String::from_utf8(value).expect("a bound is text");
        set(&mut l, &key, &text);
    }
    f.end();
    l
}

fn set(l: &mut Limits, key: &str, text: &str) {
    let n = || text.parse::<usize>().unwrap_or_else(|_| panic!("{key}={text}"));
    let long = || u32::try_from(n()).expect("32 bits");
    let short = || u16::try_from(n()).expect("16 bits");
    match key {
        "packet_bytes_max" => l.packet_bytes_max = n(),
        "output_bytes_max" => l.output_bytes_max = n(),
        "inflight_out_max" => l.inflight_out_max = short(),
        "inflight_out_v311_max" => l.inflight_out_v311_max = short(),
        "receive_max" => l.receive_max = short(),
        "session_queue_messages_max" => l.session_queue_messages_max = n(),
        "session_queue_bytes_max" => l.session_queue_bytes_max = n(),
        "queued_total_bytes_max" => l.queued_total_bytes_max = Some(n()),
        "topic_alias_bytes_max" => l.topic_alias_bytes_max = n(),
        "session_publishes_per_second_max" => l.session_publishes_per_second_max = long(),
        "connections_max" => l.connections_max = Some(n()),
        "connects_per_second_max" => l.connects_per_second_max = long(),
        "connects_burst_max" => l.connects_burst_max = long(),
        "topic_alias_max" => l.topic_alias_max = short(),
        "topic_alias_out_max" => l.topic_alias_out_max = short(),
        "session_expiry_max_s" => l.session_expiry_max_s = long(),
        "subscriptions_per_session_max" => l.subscriptions_per_session_max = n(),
        "retained_bytes_max" => l.retained_bytes_max = n(),
        "retained_messages_max" => l.retained_messages_max = n(),
        "fanout_per_turn_max" => l.fanout_per_turn_max = n(),
        "log_queue_bytes_max" => l.log_queue_bytes_max = n(),
        "carried_behind_records_max" => l.carried_behind_records_max = n(),
        "carried_after_s" => l.carried_after_s = n() as u32,
        "publisher_pending_max" => l.publisher_pending_max = n(),
        "queue_full" => {
            l.queue_full = match text {
                "drop-oldest" => QueueFull::DropOldest,
                "drop-newest" => QueueFull::DropNewest,
                "refuse" => QueueFull::Refuse,
                "end-session" => QueueFull::EndSession,
                _ => panic!("{key}={text}"),
            }
        }
        _ => panic!("no such bound: {key}"),
    }
}
