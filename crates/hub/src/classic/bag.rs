//! The property bag in a topic (iot-hub D3): `k=v&k=v`, percent-encoded. Refuses to know the topic
//! around it.

use crate::Moment;
use crate::percent;
use crate::telemetry::{ApplicationProperties, Property, SystemProperties};

/// Why a bag cannot be read. The connection is closed, as for a topic that is none (D4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBag {
    /// A `%` without two hex digits behind it, or bytes that are no UTF-8.
    #[error("the property bag is not percent-encoded UTF-8")]
    Encoding,
    /// U+0000, which no text of MQTT has: whoever was sent it would have to disconnect.
    #[error("the property bag has the character U+0000")]
    Nul,
    /// `$.exp` or `$.ctime` is no time.
    #[error("property '{0}' has to be a time in ISO 8601")]
    Time(&'static str),
}

/// Reads the bag of a message to the hub. A `?` may lead it; a key without value has an empty one;
/// of a key that stands there twice the last value counts.
///
/// # Errors
/// The first rule that it breaks.
pub(super) fn decode(
    bag: &str,
) -> Result<(SystemProperties<'_>, ApplicationProperties<'_>), BadBag> {
    let bag = bag.strip_prefix('?').unwrap_or(bag);
    let mut system = SystemProperties::default();
    let mut application = Vec::new();
    for pair in bag.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = percent::decode_borrowed(key).ok_or(BadBag::Encoding)?;
        let value = percent::decode_borrowed(value).ok_or(BadBag::Encoding)?;
        if key.contains('\0') || value.contains('\0') {
            return Err(BadBag::Nul);
        }
        take((key, value), &mut system, &mut application)?;
    }
    Ok((system, ApplicationProperties::of(application)))
}

fn take<'m>(
    (key, value): Property<'m>,
    system: &mut SystemProperties<'m>,
    application: &mut Vec<Property<'m>>,
) -> Result<(), BadBag> {
    let time = |key| Moment::parse(&value).map(Some).ok_or(BadBag::Time(key));
    let place = match &*key {
        "$.mid" => &mut system.message_id,
        "$.cid" => &mut system.correlation_id,
        "$.uid" => &mut system.user_id,
        "$.to" => &mut system.to,
        "$.ct" => &mut system.content_type,
        "$.ce" => &mut system.content_encoding,
        "$.on" => &mut system.output,
        "$.schema" => &mut system.schema,
        "$.ifid" => &mut system.interface_id,
        "$.sub" => &mut system.subject,
        "$.diagid" => &mut system.diagnostic_id,
        "$.diagctx" => &mut system.diagnostic_context,
        "$.exp" => {
            system.expiry_time = time("$.exp")?;
            return Ok(());
        }
        "$.ctime" => {
            system.creation_time = time("$.ctime")?;
            return Ok(());
        }
        _ => {
            application.push((key, value));
            return Ok(());
        }
    };
    *place = Some(value);
    Ok(())
}

/// Writes the bag of a command. Never a key without `=`, which some SDKs do not understand; no
/// creation time, output, schema, interface, component and trace, which devices are not sent.
pub fn encode_bag(
    system: &SystemProperties<'_>,
    application: &ApplicationProperties<'_>,
) -> String {
    let expiry = system.expiry_time.map(Moment::text);
    let texts = [
        ("$.mid", system.message_id.as_deref()),
        ("$.cid", system.correlation_id.as_deref()),
        ("$.uid", system.user_id.as_deref()),
        ("$.to", system.to.as_deref()),
        ("$.ct", system.content_type.as_deref()),
        ("$.ce", system.content_encoding.as_deref()),
        ("$.exp", expiry.as_ref().map(crate::ShortText::as_str)),
        ("iothub-ack", system.ack.as_deref()),
    ];
    let system = texts.into_iter().filter_map(|(key, value)| Some((key, value?)));
    let mut bag = String::new();
    for (key, value) in system.chain(application.iter()) {
        if !bag.is_empty() {
            bag.push('&');
        }
        percent::encode_into(key, &mut bag);
        bag.push('=');
        percent::encode_into(value, &mut bag);
    }
    bag
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    use crate::chance::Chance;

    fn application(bag: &str) -> Vec<(String, String)> {
        let (system, application) = decode(bag).unwrap();
        assert_eq!(system, SystemProperties::default(), "{bag}");
        application.iter().map(|(k, v)| (k.into(), v.into())).collect()
    }

    #[test]
    fn every_form_of_a_property() {
        for (bag, expected) in [
            ("", &[][..]),
            ("?", &[]),
            ("&", &[]),
            ("k", &[("k", "")]),
            ("k=", &[("k", "")]),
            ("k=v", &[("k", "v")]),
            ("?prop1&prop2=", &[("prop1", ""), ("prop2", "")]),
            ("a=1&b=2&a=3", &[("a", "3"), ("b", "2")]),
            ("a=b=c", &[("a", "b=c")]),
            ("=v", &[("", "v")]),
            ("a%20b=c+d", &[("a b", "c+d")]),
            ("%C3%A9=%26%3D%3F%2F", &[("é", "&=?/")]),
            ("é=1", &[("é", "1")]),
            ("a?=1", &[("a?", "1")]),
            ("$.cdid=x&$.other=y", &[("$.cdid", "x"), ("$.other", "y")]),
            ("$.MID=x", &[("$.MID", "x")]),
            ("iothub-ack=full", &[("iothub-ack", "full")]),
        ] {
            let expected: Vec<_> =
                expected.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            assert_eq!(application(bag), expected, "{bag}");
        }
        for bag in ["%", "a=%", "%2=1", "a=%zz", "a=%FF", "%C3=1", "a=1&b=%"] {
            assert_eq!(decode(bag).unwrap_err(), BadBag::Encoding, "{bag}");
        }
        for bag in ["%00=1", "a=b%00"] {
            assert_eq!(decode(bag).unwrap_err(), BadBag::Nul, "{bag}");
        }
    }

    #[test]
    fn system_keys_in_both_spellings() {
        let keys = "$.mid=1&$.cid=2&$.uid=3&$.to=4&$.ct=5&$.ce=6&$.on=7&$.schema=8&$.ifid=9\
                    &$.sub=10&$.diagid=11&$.diagctx=12&$.exp=2020-09-24T22:39:55.32Z\
                    &$.ctime=2020-09-24%2022%3A39%3A55.320000";
        let text = |text: &'static str| Some(Cow::Borrowed(text));
        let moment = Some(Moment::at(1_600_987_195_320));
        let all = SystemProperties {
            message_id: text("1"),
            correlation_id: text("2"),
            user_id: text("3"),
            to: text("4"),
            content_type: text("5"),
            content_encoding: text("6"),
            output: text("7"),
            schema: text("8"),
            interface_id: text("9"),
            subject: text("10"),
            diagnostic_id: text("11"),
            diagnostic_context: text("12"),
            expiry_time: moment,
            creation_time: moment,
            ack: None,
        };
        for bag in [keys.to_string(), keys.replace('$', "%24")] {
            let (system, application) = decode(&bag).unwrap();
            assert_eq!((&system, application.iter().len()), (&all, 0), "{bag}");
        }
        let (system, _) = decode("$.mid=1&$.mid=2").unwrap();
        assert_eq!(system.message_id.as_deref(), Some("2"));
        assert_eq!(decode("$.exp=soon").unwrap_err(), BadBag::Time("$.exp"));
        assert_eq!(decode("$.ctime").unwrap_err(), BadBag::Time("$.ctime"));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut chance = Chance::new(3);
        let pieces = ["a", "k=", "&", "%", "+", " ", "$.", "?", "/", "é", "#", "\u{10ffff}"];
        for _ in 0..500 {
            let mut text =
                || -> String { (0..chance.below(5)).map(|_| chance.one_of(&pieces)).collect() };
            let all = (0..4).map(|n| (format!("{n}{}", text()).into(), text().into())).collect();
            let sent = ApplicationProperties::of(all);
            let system = SystemProperties {
                message_id: Some(text().into()),
                content_type: Some(text().into()),
                to: Some(text().into()),
                expiry_time: Some(Moment::at(1_600_987_195_320)),
                ..SystemProperties::default()
            };
            let bag = encode_bag(&system, &sent);
            assert!(bag.bytes().all(|byte| byte.is_ascii_graphic() && !b"+#/".contains(&byte)));
            let (system_read, read) = decode(&bag).unwrap();
            assert_eq!((system_read, read), (system, sent), "{bag}");
        }
        let empty = SystemProperties::default();
        assert_eq!(encode_bag(&empty, &ApplicationProperties::default()), "");
    }

    #[test]
    fn commands_are_written_as_sdks_read_them() {
        let system = SystemProperties {
            message_id: Some("m 1".into()),
            to: Some("/devices/D1/messages/deviceBound".into()),
            expiry_time: Some(Moment::at(0)),
            creation_time: Some(Moment::at(0)),
            ack: Some("full".into()),
            ..SystemProperties::default()
        };
        let application =
            ApplicationProperties::of(vec![("p1".into(), "".into()), ("p 2".into(), "a+b".into())]);
        let bag = "%24.mid=m%201&%24.to=%2Fdevices%2FD1%2Fmessages%2FdeviceBound\
                   &%24.exp=1970-01-01T00%3A00%3A00.0000000Z&iothub-ack=full&p1=&p%202=a%2Bb";
        assert_eq!(encode_bag(&system, &application), bag);
    }

    #[test]
    fn any_bag_is_read_or_refused() {
        let mut chance = Chance::new(4);
        let pieces = ["%", "24", ".mid", "$", "=", "&", "?", "é", "%C3", "%A9", "\0", "$.exp"];
        let mut read = 0;
        for _ in 0..3_000 {
            let bag: String = (0..chance.below(8)).map(|_| chance.one_of(&pieces)).collect();
            read += usize::from(decode(&bag).is_ok());
        }
        assert!(read > 300);
    }
}
