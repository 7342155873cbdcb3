//! Which characters may stand where in a message (iot-hub B4). Refuses to know messages.

/// Whether a character may stand in `message-id`, `correlation-id` and `user-id`: ASCII letters,
/// digits and ``-:.+%_#*?!(),=@;$'``.
pub fn is_id_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || ID_MARKS.contains(c)
}

/// Whether a character may stand in the name or value of an application property that comes by
/// HTTP or goes in a command: ASCII letters, digits and ``!#$%&'*+-.^_`|~``. MQTT has no such rule
/// (A12).
pub fn is_property_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || PROPERTY_MARKS.contains(c)
}

const ID_MARKS: &str = "-:.+%_#*?!(),=@;$'";
const PROPERTY_MARKS: &str = "!#$%&'*+-.^_`|~";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_of_both_kinds() {
        let id = |text: &str| text.chars().all(is_id_character);
        let property = |text: &str| text.chars().all(is_property_character);
        assert!(id("azAZ09-:.+%_#*?!(),=@;$'"));
        assert!(property("azAZ09!#$%&'*+-.^_`|~"));
        for c in " \"&/<>[\\]^`{|}~\u{7f}\0é".chars() {
            assert!(!is_id_character(c), "{c:?}");
        }
        for c in " \"(),/:;<=>?@[\\]{}\u{7f}\0é".chars() {
            assert!(!is_property_character(c), "{c:?}");
        }
    }
}
