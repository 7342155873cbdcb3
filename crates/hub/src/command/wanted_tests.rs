//! What may be sent (iot-hub B2, B4).

use super::*;

const NOW: u64 = 1_600_000_000_000;

fn sent(wanted: &Wanted<'_>) -> Result<Content, Refusal> {
    wanted.content(7, 3_600_000, NOW)
}

#[test]
fn a_command_reads_as_it_was_sent() {
    let properties = [("b", "1"), ("a", "é ="), ("b", "2")];
    let wanted = Wanted {
        message_id: Some("m-1"),
        correlation_id: Some("c"),
        user_id: Some(""),
        ack: Ack::Full,
        expires_ms: Some(NOW + 1),
        content_type: Some("text/plain"),
        content_encoding: Some("utf-8"),
        creation_ms: Some(5),
        properties: &properties,
        body: b"\0body",
    };
    let content = sent(&wanted).unwrap();
    let command = content.read();
    assert_eq!((command.sequence, command.enqueued_ms, command.expires_ms), (7, NOW, NOW + 1));
    assert_eq!((command.message_id, command.correlation_id), (Some("m-1"), Some("c")));
    assert_eq!((command.user_id, command.ack, command.creation_ms), (Some(""), Ack::Full, Some(5)));
    let names = (command.content_type, command.content_encoding);
    assert_eq!(names, (Some("text/plain"), Some("utf-8")));
    assert_eq!(command.properties.collect::<Vec<_>>(), [("b", "2"), ("a", "é =")]);
    assert_eq!(command.body, b"\0body");

    let content = sent(&Wanted::default()).unwrap();
    let command = content.read();
    assert_eq!((command.expires_ms, command.ack), (NOW + 3_600_000, Ack::None));
    assert_eq!((command.message_id, command.creation_ms), (None, None));
    assert_eq!((command.properties.count(), command.body.len()), (0, 0));
}

#[test]
fn what_breaks_a_rule_is_refused_by_its_code() {
    use ErrorCode::{ArgumentInvalid, InvalidMessageExpiryTime, MessageTooLarge};
    let full = vec![0; COMMAND_BYTES_MAX];
    let long = "x".repeat(129);
    let many: Vec<String> = (0..257).map(|n| format!("p{n}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (&**name, "")).collect();
    let plain = Wanted::default();
    let properties = |properties| Wanted { properties, ..plain };
    for (n, (wanted, code)) in [
        (Wanted { body: &full, ..plain }, None),
        (Wanted { body: &full, message_id: Some("1"), ..plain }, Some(MessageTooLarge)),
        (Wanted { body: &full, properties: &[("a", "")], ..plain }, Some(MessageTooLarge)),
        (Wanted { expires_ms: Some(NOW), ..plain }, Some(InvalidMessageExpiryTime)),
        (Wanted { expires_ms: Some(0), ..plain }, Some(InvalidMessageExpiryTime)),
        (Wanted { expires_ms: Some(u64::MAX), ..plain }, None),
        (Wanted { message_id: Some("aZ9-:.+%_#*?!(),=@;$'"), ..plain }, None),
        (Wanted { message_id: Some(&long[1..]), ..plain }, None),
        (Wanted { message_id: Some(&long), ..plain }, Some(ArgumentInvalid)),
        (Wanted { correlation_id: Some("a b"), ..plain }, Some(ArgumentInvalid)),
        (Wanted { user_id: Some("é"), ..plain }, Some(ArgumentInvalid)),
        (Wanted { content_type: Some("a\r\nb"), ..plain }, Some(ArgumentInvalid)),
        (properties(&[("aZ9!#$%&'*+-.^_`~|", "any é")]), None),
        (properties(&[("", "x")]), Some(ArgumentInvalid)),
        (properties(&[("a b", "x")]), Some(ArgumentInvalid)),
        (properties(&[("a", "\n")]), Some(ArgumentInvalid)),
        (properties(&many[1..]), None),
        (properties(&many), Some(ArgumentInvalid)),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(sent(&wanted).err().map(|e| e.code), code, "row {n}");
    }
}

#[test]
fn times_are_read_as_headers_have_them() {
    for (text, expected) in [
        ("2020-09-13T12:26:40Z", Some(1_600_000_000_000)),
        ("2020-09-13T12:26:40.0019999Z", Some(1_600_000_000_001)),
        ("2020-09-13T14:26:40+02:00", Some(1_600_000_000_000)),
        (" 2020-09-13 ", Some(1_599_955_200_000)),
        ("1970-01-01T00:00:00Z", Some(0)),
        ("1969-12-31T23:59:59Z", None),
        ("soon", None),
        ("", None),
    ] {
        assert_eq!(parse_time("iothub-expiry", text).ok(), expected, "{text}");
    }
}
