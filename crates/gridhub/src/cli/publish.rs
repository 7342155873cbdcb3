//! `gridhub publish`.

use std::io::Read;
use std::path::PathBuf;

use anyhow::Context;
use clap::{ArgGroup, Args};
use mqtt::qos::QoS;
use mqtt::topic::TopicName;
use mqtt::wire::property::Property;

use super::connection::ConnectionFlags;
use super::mqtt_client::{MqttClient, Outgoing};

/// Publish one message.
#[derive(Args)]
#[command(group = ArgGroup::new("payload").required(true))]
pub struct Publish {
    /// Topic name
    topic: String,
    /// Payload as text
    #[arg(short, long, value_name = "TEXT", group = "payload")]
    message: Option<String>,
    /// Payload from a file
    #[arg(short, long, value_name = "FILE", group = "payload")]
    file: Option<PathBuf>,
    /// Payload from stdin
    #[arg(value_name = "-", value_parser = ["-"], group = "payload")]
    stdin: Option<String>,
    /// Quality of service
    #[arg(long, value_name = "N", default_value = "1")]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=2))]
    qos: u8,
    /// Keep it as the topic's retained message; an empty payload removes that
    #[arg(long)]
    retain: bool,
    /// User property; may be repeated
    #[arg(long, value_name = "K=V", value_parser = property)]
    property: Vec<(String, String)>,
    #[command(flatten)]
    connection: ConnectionFlags,
}

impl Publish {
    /// Publishes and waits for the acknowledgement.
    pub fn run(self) -> anyhow::Result<()> {
        TopicName::parse(&self.topic)
            .map_err(|error| anyhow::anyhow!("topic '{}': {}", self.topic, error.what()))?;
        let payload = self.payload()?;
        let mut properties = Vec::new();
        for (key, value) in &self.property {
            Property::User(key, value)
                .encode(&mut properties)
                .map_err(|_| anyhow::anyhow!("property '{key}' is longer than 65,535 bytes"))?;
        }
        let mut client = MqttClient::connect(&self.connection.resolve()?)?;
        let outcome = client.publish(&Outgoing {
            topic: &self.topic,
            qos: QoS::from_bits(self.qos).unwrap_or(QoS::AtLeastOnce),
            retain: self.retain,
            properties: &properties,
            payload: &payload,
        });
        client.disconnect();
        outcome
    }

    fn payload(&self) -> anyhow::Result<Vec<u8>> {
        if let Some(text) = &self.message {
            return Ok(text.clone().into_bytes());
        }
        if let Some(file) = &self.file {
            return std::fs::read(file).with_context(|| format!("cannot read {}", file.display()));
        }
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).context("cannot read stdin")?;
        Ok(bytes)
    }
}

fn property(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
