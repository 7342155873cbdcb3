//! Why something was refused.
//!
//! Owns the reasons, their MQTT codes and the two texts: one for the caller, one for logs and
//! counters. Refuses to decide.

use mqtt::reason::Reason;

/// What was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// Publishing to a topic name.
    Publish,
    /// Subscribing to a topic filter.
    Subscribe,
}

/// Why it was refused. Small, so that a router can cache it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Denied {
    /// No template of the principal allows it.
    NoTemplate(Action),
    /// The topic begins with `$` and is not for clients.
    Reserved(Action),
    /// More bytes than the profile allows.
    TooLong {
        /// What was asked for.
        action: Action,
        /// [`crate::limits::Limits::topic_bytes_max`].
        bytes_max: u32,
    },
    /// More levels than the profile allows.
    TooDeep {
        /// What was asked for.
        action: Action,
        /// [`crate::limits::Limits::topic_levels_max`].
        levels_max: u32,
    },
}

impl Denied {
    /// What was asked for.
    pub fn action(self) -> Action {
        match self {
            Self::NoTemplate(action)
            | Self::Reserved(action)
            | Self::TooLong { action, .. }
            | Self::TooDeep { action, .. } => action,
        }
    }

    /// The code for PUBACK, SUBACK or DISCONNECT (event-grid 3.5).
    pub fn reason(self) -> Reason {
        match (self, self.action()) {
            (Self::NoTemplate(_) | Self::Reserved(_), _) => Reason::NOT_AUTHORIZED,
            (_, Action::Publish) => Reason::TOPIC_NAME_INVALID,
            (_, Action::Subscribe) => Reason::TOPIC_FILTER_INVALID,
        }
    }

    /// The rule that refused, for logs and counters.
    pub fn rule(self) -> &'static str {
        match self {
            Self::NoTemplate(Action::Publish) => "no_template_publish",
            Self::NoTemplate(Action::Subscribe) => "no_template_subscribe",
            Self::Reserved(_) => "reserved_topic",
            Self::TooLong { .. } => "topic_too_long",
            Self::TooDeep { .. } => "topic_too_deep",
        }
    }

    /// The refusal in words for the caller `name`, who asked for `topic` (or filter), with what
    /// would change it.
    pub fn why(self, name: &str, topic: &str) -> String {
        let topic = shortened(topic);
        let noun = match self.action() {
            Action::Publish => "topic name",
            Action::Subscribe => "topic filter",
        };
        match self {
            Self::NoTemplate(action) => {
                let (verb, role) = match action {
                    Action::Publish => ("match", "Publisher"),
                    Action::Subscribe => ("lie within", "Subscriber"),
                };
                format!(
                    "{noun} '{topic}' does not {verb} any topic space of '{name}' as {role}; add a \
                     template or a binding"
                )
            }
            Self::Reserved(_) => {
                format!("{noun} '{topic}' is reserved; use one that does not start with '$'")
            }
            Self::TooLong { bytes_max, .. } => format!(
                "{noun} '{topic}' is longer than {bytes_max} bytes; shorten it or raise \
                 topic_bytes_max"
            ),
            Self::TooDeep { levels_max, .. } => format!(
                "{noun} '{topic}' has more than {levels_max} levels; flatten it or raise \
                 topic_levels_max"
            ),
        }
    }
}

/// The beginning of a long topic: a reason string must fit a packet.
fn shortened(topic: &str) -> &str {
    &topic[..topic.floor_char_boundary(SHOWN_BYTES_MAX)]
}

const SHOWN_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_code_rule_and_advice() {
        use Action::{Publish, Subscribe};
        let rows = [
            (Denied::NoTemplate(Publish), 0x87, "no_template_publish", "add a template"),
            (Denied::NoTemplate(Subscribe), 0x87, "no_template_subscribe", "as Subscriber"),
            (Denied::Reserved(Publish), 0x87, "reserved_topic", "does not start with '$'"),
            (Denied::Reserved(Subscribe), 0x87, "reserved_topic", "topic filter 'x/y'"),
            (
                Denied::TooLong { action: Publish, bytes_max: 256 },
                0x90,
                "topic_too_long",
                "256 bytes",
            ),
            (
                Denied::TooDeep { action: Subscribe, levels_max: 8 },
                0x8F,
                "topic_too_deep",
                "8 levels",
            ),
        ];
        for (denied, code, rule, words) in rows {
            assert_eq!(denied.reason().code(), code);
            assert_eq!(denied.rule(), rule);
            let why = denied.why("device1", "x/y");
            assert!(why.contains(words) && why.contains("x/y"), "{why}");
        }
    }

    #[test]
    fn a_long_topic_is_cut_at_a_character() {
        let topic = "é".repeat(4000);
        let why = Denied::Reserved(Action::Publish).why("device1", &topic);
        assert!(why.len() < 400);
    }
}
