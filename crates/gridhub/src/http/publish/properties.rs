//! Builds the MQTT 5 property bytes of one publish from checked values (event-grid 2.2). Refuses to
//! know whether a value came from a header or from a batch item.

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use broker::limits::Limits;
use mqtt::topic::TopicName;
use mqtt::wire::property::Property;

use super::user_properties::UserProperties;
use crate::http::error::HttpError;

/// Property bytes without their length, in the order they were added.
#[derive(Debug)]
pub struct PropertyBlock<'a> {
    bytes: Vec<u8>,
    limits: &'a Limits,
}

/// What the caller calls a value, for messages: `header mqtt-qos`, `member qos`.
pub type Place<'a> = &'a str;

impl<'a> PropertyBlock<'a> {
    /// No properties yet. Sizes are held against `limits` (event-grid 2.7).
    pub fn new(limits: &'a Limits) -> Self {
        PropertyBlock { bytes: Vec::new(), limits }
    }

    /// The finished bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Payload Format Indicator, 0 or 1.
    pub fn payload_format(&mut self, utf8: u8) -> Result<(), HttpError> {
        self.add("payload format indicator", Property::PayloadFormat(utf8))
    }

    /// Message Expiry Interval in seconds.
    pub fn message_expiry(&mut self, seconds: u32) -> Result<(), HttpError> {
        self.add("message expiry", Property::MessageExpiry(seconds))
    }

    /// Content Type, any text without U+0000.
    pub fn content_type(&mut self, place: Place<'_>, text: &str) -> Result<(), HttpError> {
        self.text(place, text)?;
        self.size(place, text.len())?;
        self.add(place, Property::ContentType(text))
    }

    /// Response Topic: a topic name (MQTT 5, 3.3.2.3.5). Nobody's permission is asked.
    pub fn response_topic(&mut self, place: Place<'_>, topic: &str) -> Result<(), HttpError> {
        self.size(place, topic.len())?;
        TopicName::parse(topic)
            .map_err(|e| bad_value(place, format!("{}; send a topic name", e.what())))?;
        self.add(place, Property::ResponseTopic(topic))
    }

    /// Correlation Data, any bytes.
    pub fn correlation_data(&mut self, place: Place<'_>, data: &[u8]) -> Result<(), HttpError> {
        self.size(place, data.len())?;
        self.add(place, Property::CorrelationData(data))
    }

    /// User properties in their order.
    pub fn user(&mut self, place: Place<'_>, pairs: &UserProperties) -> Result<(), HttpError> {
        let bytes: usize = pairs.0.iter().map(|(key, value)| key.len() + value.len()).sum();
        if bytes > self.limits.user_properties_bytes_max {
            return Err(bad_value(
                place,
                format!(
                    "all keys and values together have {bytes} bytes; at most {} are allowed",
                    self.limits.user_properties_bytes_max
                ),
            ));
        }
        for (key, value) in &pairs.0 {
            self.text(place, key)?;
            self.text(place, value)?;
            self.add(place, Property::User(key, value))?;
        }
        Ok(())
    }

    fn add(&mut self, place: Place<'_>, property: Property<'_>) -> Result<(), HttpError> {
        property
            .encode(&mut self.bytes)
            .map_err(|_| bad_value(place, "MQTT carries at most 65535 bytes here"))
    }

    fn size(&self, place: Place<'_>, bytes: usize) -> Result<(), HttpError> {
        let bytes_max = self.limits.publish_property_bytes_max;
        if bytes > bytes_max {
            return Err(bad_value(
                place,
                format!("{bytes} bytes; at most {bytes_max} are allowed"),
            ));
        }
        Ok(())
    }

    /// MQTT 5, 1.5.4-2.
    fn text(&self, place: Place<'_>, text: &str) -> Result<(), HttpError> {
        if text.contains('\0') {
            return Err(bad_value(place, "the character U+0000 is not allowed"));
        }
        Ok(())
    }
}

/// Base64 with or without padding, standard or URL-safe alphabet (event-grid 2.3, E4).
///
/// # Errors
/// 400 for anything else.
pub fn base64_decode(place: Place<'_>, text: &str) -> Result<Vec<u8>, HttpError> {
    let engine = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    engine
        .decode(text)
        .map_err(|e| bad_value(place, format!("not base64 ({e}); send the bytes in base64")))
}

/// 400: the value at `place` cannot be taken, and why.
pub fn bad_value(place: Place<'_>, why: impl AsRef<str>) -> HttpError {
    HttpError::bad_request("InvalidValue", format!("{place}: {}", why.as_ref()))
}

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_forms() {
        let rows: &[(&str, Option<&[u8]>)] = &[
            ("PlXCscK2wrbCuy8=", Some(b"\x3e\x55\xc2\xb1\xc2\xb6\xc2\xb6\xc2\xbb\x2f")),
            ("PlXCscK2wrbCuy8", Some(b"\x3e\x55\xc2\xb1\xc2\xb6\xc2\xb6\xc2\xbb\x2f")),
            ("AAEC", Some(&[0, 1, 2])),
            ("", Some(&[])),
            ("+/+/", Some(&[0xfb, 0xff, 0xbf])),
            ("-_-_", Some(&[0xfb, 0xff, 0xbf])),
            ("-/-/", None),
            ("AAE", Some(&[0, 1])),
            ("A", None),
            ("AA EC", None),
            ("A===", None),
            ("[]", None),
        ];
        for (text, expected) in rows {
            let got = base64_decode("header x", text).ok();
            assert_eq!(got.as_deref(), *expected, "{text}");
        }
    }

    #[test]
    fn event_grid_bounds_are_held() {
        let limits = Limits::event_grid();
        let long = "x".repeat(257);
        let block = || PropertyBlock::new(&limits);
        assert!(block().content_type("h", &long).is_err());
        assert!(block().content_type("h", &long[1..]).is_ok());
        assert!(block().response_topic("h", &long).is_err());
        assert!(block().correlation_data("h", long.as_bytes()).is_err());
        let pairs = UserProperties(vec![("k".to_owned(), "v".repeat(32 * 1024))]);
        assert!(block().user("h", &pairs).is_err());
    }

    #[test]
    fn nothing_mqtt_cannot_carry() {
        let limits = Limits::open();
        let block = || PropertyBlock::new(&limits);
        for topic in ["", "a/+", "#", "a\0b"] {
            assert!(block().response_topic("h", topic).is_err(), "{topic}");
        }
        assert!(block().content_type("h", "a\0").is_err());
        let long = UserProperties(vec![("k".to_owned(), "v".repeat(65_536))]);
        assert!(block().user("h", &long).is_err());
        let nul = UserProperties(vec![("k\0".to_owned(), String::new())]);
        assert!(block().user("h", &nul).is_err());
    }
}
