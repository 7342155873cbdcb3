//! What may be sent (iot-hub B2, B4).

use super::super::examples::{message, properties};
use super::*;
use crate::telemetry::SystemProperties;

const NOW: u64 = 1_600_000_000_000;

fn sent(message: &Message<'_>) -> Result<Content, Refusal> {
    content(message, 7, 3_600_000, NOW)
}

#[test]
fn a_command_reads_as_it_was_sent() {
    let system = SystemProperties {
        message_id: Some("m-1".into()),
        correlation_id: Some("c".into()),
        user_id: Some("".into()),
        ack: Some("full".into()),
        expiry_time: Some(Moment::at(NOW + 1)),
        content_type: Some("text/plain".into()),
        content_encoding: Some("utf-8".into()),
        creation_time: Some(Moment::at(5)),
        ..SystemProperties::default()
    };
    let application = properties(&[("b", "1"), ("a", "é ="), ("b", "2")]);
    let whole = Message { body: b"\0body", system, application };
    let content = sent(&whole).unwrap();
    let command = content.read();
    assert_eq!((command.sequence, command.enqueued_ms, command.expires_ms), (7, NOW, NOW + 1));
    assert_eq!((command.message_id, command.correlation_id), (Some("m-1"), Some("c")));
    assert_eq!((command.user_id, command.ack, command.creation_ms), (Some(""), Ack::Full, Some(5)));
    let names = (command.content_type, command.content_encoding);
    assert_eq!(names, (Some("text/plain"), Some("utf-8")));
    assert_eq!(command.properties.collect::<Vec<_>>(), [("b", "2"), ("a", "é =")]);
    assert_eq!(command.body, b"\0body");
    assert_eq!(command.message(), whole);

    let content = sent(&Message::default()).unwrap();
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
    let plain = Message::default();
    let id = |id| message(Some(id), Ack::None, None);
    let expiry = |ms| Message { ..message(None, Ack::None, Some(ms)) };
    let of = |all: &[(&'static str, &'static str)]| Message {
        application: properties(all),
        ..Message::default()
    };
    let body = Message { body: &full, ..Message::default() };
    let with = |change: fn(&mut SystemProperties<'_>)| {
        let mut message = Message::default();
        change(&mut message.system);
        message
    };
    for (n, (wanted, code)) in [
        (plain, None),
        (body.clone(), None),
        (Message { body: &full, ..of(&[("a", "")]) }, Some(MessageTooLarge)),
        (Message { body: &full[1..], ..id("12") }, Some(MessageTooLarge)),
        (expiry(NOW + 1), None),
        (expiry(NOW), Some(InvalidMessageExpiryTime)),
        (expiry(0), Some(InvalidMessageExpiryTime)),
        (with(|system| system.expiry_time = Some(Moment::NEVER)), None),
        (id("aZ9-:.+%_#*?!(),=@;$'"), None),
        (id(&long[1..]), None),
        (id(&long), Some(ArgumentInvalid)),
        (with(|system| system.correlation_id = Some("a b".into())), Some(ArgumentInvalid)),
        (with(|system| system.user_id = Some("é".into())), Some(ArgumentInvalid)),
        (with(|system| system.content_type = Some("a\r\nb".into())), Some(ArgumentInvalid)),
        (with(|system| system.ack = Some("yes".into())), Some(ArgumentInvalid)),
        (of(&[("aZ9!#$%&'*+-.^_`~|", "any é")]), None),
        (of(&[("", "x")]), Some(ArgumentInvalid)),
        (of(&[("a b", "x")]), Some(ArgumentInvalid)),
        (of(&[("a", "\n")]), Some(ArgumentInvalid)),
        (Message { application: properties(&many[1..]), ..Message::default() }, None),
        (Message { application: properties(&many), ..Message::default() }, Some(ArgumentInvalid)),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(sent(&wanted).err().map(|e| e.code), code, "row {n}");
    }
}
