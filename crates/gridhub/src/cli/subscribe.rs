//! `gridhub subscribe`, and how a message is printed.

use std::io::Write;

use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use mqtt::qos::QoS;
use mqtt::wire::property::{Properties, Property};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::connection::ConnectionFlags;
use super::incoming::Received;
use super::mqtt_client::MqttClient;

/// Subscribe and print what arrives.
#[derive(Args)]
pub struct Subscribe {
    /// Topic filters
    #[arg(required = true)]
    filter: Vec<String>,
    /// Highest quality of service
    #[arg(long, value_name = "N", default_value = "1")]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=2))]
    qos: u8,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// End after so many messages
    #[arg(short = 'n', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[command(flatten)]
    connection: ConnectionFlags,
}

/// A message on one line of JSON.
#[derive(Serialize)]
struct Line {
    topic: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    #[serde(rename = "payloadBase64", skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    qos: u8,
    retain: bool,
    properties: Map<String, Value>,
}

impl Subscribe {
    /// Prints messages until COUNT is reached or the connection ends.
    pub fn run(self) -> anyhow::Result<()> {
        let qos = QoS::from_bits(self.qos).unwrap_or(QoS::AtLeastOnce);
        let mut client = MqttClient::connect(&self.connection.resolve()?)?;
        if let Err(refused) = client.subscribe(&self.filter, qos) {
            client.disconnect();
            return Err(refused);
        }
        // For people and for scripts that must not publish before the subscription holds.
        eprintln!("subscribed to {}", self.filter.join(" "));
        let mut out = std::io::stdout().lock();
        let mut left = self.count;
        while left != Some(0) {
            let message = client.next_message()?;
            let written = if self.json {
                let line = serde_json::to_string(&line(message)).context("JSON")?;
                writeln!(out, "{line}")
            } else {
                plain(&mut out, &message)
            };
            match written.and_then(|()| out.flush()) {
                // `gridhub subscribe | head -1` is a fine way to end.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => break,
                other => other.context("cannot write to stdout")?,
            }
            left = left.map(|left| left - 1);
        }
        client.disconnect();
        Ok(())
    }
}

fn plain(out: &mut impl Write, message: &Received) -> std::io::Result<()> {
    write!(out, "{} ", message.topic)?;
    out.write_all(&message.payload)?;
    writeln!(out)
}

fn line(message: Received) -> Line {
    let properties = properties(&message.properties);
    let (payload, payload_base64) = match String::from_utf8(message.payload) {
        Ok(text) => (Some(text), None),
        Err(bytes) => (None, Some(BASE64_STANDARD.encode(bytes.as_bytes()))),
    };
    Line {
        topic: message.topic,
        payload,
        payload_base64,
        qos: message.qos as u8,
        retain: message.retain,
        properties,
    }
}

/// Names as in `POST /mqtt/messages:batch` (product.md 4).
fn properties(raw: &[u8]) -> Map<String, Value> {
    let mut map = Map::new();
    let mut user = Vec::new();
    for property in Properties::trusted(raw).iter() {
        let (name, value) = match property {
            Property::PayloadFormat(format) => ("payloadFormatIndicator", json!(format)),
            Property::MessageExpiry(seconds) => ("messageExpiry", json!(seconds)),
            Property::ContentType(text) => ("contentType", json!(text)),
            Property::ResponseTopic(text) => ("responseTopic", json!(text)),
            Property::CorrelationData(bytes) => {
                ("correlationData", json!(BASE64_STANDARD.encode(bytes)))
            }
            Property::User(key, value) => {
                user.push(json!({ key: value }));
                continue;
            }
            _ => continue,
        };
        map.insert(name.to_owned(), value);
    }
    if !user.is_empty() {
        map.insert("userProperties".to_owned(), Value::Array(user));
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_of_json() {
        let text = |payload: &[u8], properties: Vec<u8>| {
            let message = Received {
                topic: "t/1".into(),
                qos: QoS::AtLeastOnce,
                retain: true,
                properties,
                payload: payload.to_vec(),
            };
            serde_json::to_string(&line(message)).expect("json")
        };
        assert_eq!(
            text(&[0xFF], Vec::new()),
            r#"{"topic":"t/1","payloadBase64":"/w==","qos":1,"retain":true,"properties":{}}"#
        );
        let mut raw = Vec::new();
        for property in [
            Property::ContentType("text/plain"),
            Property::User("a", "1"),
            Property::User("a", "2"),
        ] {
            property.encode(&mut raw).expect("short");
        }
        let want = concat!(
            r#"{"topic":"t/1","payload":"hi\n","qos":1,"retain":true,"properties":"#,
            r#"{"contentType":"text/plain","userProperties":[{"a":"1"},{"a":"2"}]}}"#,
        );
        assert_eq!(text(b"hi\n", raw), want);
    }
}
