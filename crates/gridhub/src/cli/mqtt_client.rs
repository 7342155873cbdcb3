//! A small blocking MQTT 5 client over TLS for the verbs `publish` and `subscribe`. Owns the
//! exchange of packets on one connection; knows nothing of flags and output.

use std::collections::{HashSet, VecDeque};
use std::io::{ErrorKind, Read, Write};

use anyhow::{Context, bail};
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::ack::AckKind;
use mqtt::wire::connect::Connect;
use mqtt::wire::disconnect::DisconnectOut;
use mqtt::wire::encoder::{self, PublishOut};
use mqtt::wire::property::Properties;
use mqtt::wire::subscribe::{Filters, RetainHandling, Subscribe, SubscribeOptions};
use mqtt::wire::{PINGREQ, Version};

use super::connection::{Connection, TlsStream};
use super::incoming::{Incoming, PACKET_MAX, Received, refused, take, unexpected};

/// One connection, connected.
pub struct MqttClient {
    stream: TlsStream,
    input: Vec<u8>,
    last_id: u16,
    /// QoS 2 messages delivered and not yet released.
    unreleased: HashSet<u16>,
    /// Messages that came before their SUBACK, which the server may do (MQTT 5, 3.8.4).
    early: VecDeque<Incoming>,
}

/// A message to publish.
pub struct Outgoing<'a> {
    /// Topic name.
    pub topic: &'a str,
    /// The level.
    pub qos: QoS,
    /// Whether it replaces the topic's retained message.
    pub retain: bool,
    /// MQTT 5 property bytes without their length.
    pub properties: &'a [u8],
    /// The payload.
    pub payload: &'a [u8],
}

impl MqttClient {
    /// Connects and authenticates with the token (method OAUTH2-JWT); the server chooses the
    /// client identifier.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses; then with its reason.
    pub fn connect(connection: &Connection) -> anyhow::Result<Self> {
        let (host, port) = (connection.endpoint.host.as_str(), connection.endpoint.port);
        let mut client = Self {
            stream: connection.open()?,
            input: Vec::new(),
            last_id: 0,
            unreleased: HashSet::new(),
            early: VecDeque::new(),
        };
        let mut connect = Connect::new(Version::V5, "");
        connect.keep_alive = KEEP_ALIVE_S;
        connect.authentication_method = Some("OAUTH2-JWT");
        connect.authentication_data = Some(connection.token.as_bytes());
        let mut out = Vec::new();
        connect.encode(&mut out).map_err(|_| anyhow::anyhow!("the token is too long"))?;
        client.send(&out).with_context(|| format!("cannot connect to {host}:{port}"))?;
        match client.next().with_context(|| format!("cannot connect to {host}:{port}"))? {
            Incoming::ConnAck { reason, .. } if !reason.is_error() => Ok(client),
            Incoming::ConnAck { reason, why } | Incoming::End { reason, why } => {
                Err(refused("the connection", reason, &why))
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Publishes and waits until the message is acknowledged at its level; at QoS 0 until the
    /// server has read it.
    ///
    /// # Errors
    /// When the server refuses, with its reason, or the connection ends.
    pub fn publish(&mut self, message: &Outgoing<'_>) -> anyhow::Result<()> {
        let id = self.next_id();
        let packet = PublishOut {
            version: Version::V5,
            dup: false,
            qos: message.qos,
            retain: message.retain,
            topic: message.topic,
            packet_id: if message.qos == QoS::AtMostOnce { 0 } else { id.get() },
            alias: 0,
            send_topic: true,
            subscription_ids: &[],
            properties: message.properties,
            expiry: None,
            payload: message.payload,
        };
        let mut out = Vec::with_capacity(packet.len());
        packet.encode(&mut out);
        match message.qos {
            QoS::AtMostOnce => {
                // The answer to a ping says that what came before it was read and not refused.
                out.extend_from_slice(&PINGREQ);
                self.send(&out)?;
                self.wait_pong()
            }
            QoS::AtLeastOnce => {
                self.send(&out)?;
                self.wait_ack(AckKind::PubAck, id)
            }
            QoS::ExactlyOnce => {
                self.send(&out)?;
                self.wait_ack(AckKind::PubRec, id)?;
                self.acknowledge(AckKind::PubRel, id)?;
                self.wait_ack(AckKind::PubComp, id)
            }
        }
    }

    /// Subscribes to all filters in one packet.
    ///
    /// # Errors
    /// When any filter is refused, with the reason.
    pub fn subscribe(&mut self, filters: &[String], qos: QoS) -> anyhow::Result<()> {
        let options = SubscribeOptions {
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        };
        let mut raw = Vec::new();
        for filter in filters {
            Filters::push(&mut raw, filter, options, Version::V5)
                .map_err(|_| anyhow::anyhow!("a filter is longer than 65,535 bytes"))?;
        }
        let id = self.next_id();
        let packet = Subscribe {
            packet_id: id,
            subscription_id: None,
            properties: Properties::EMPTY,
            filters: Filters::parse(&raw, Version::V5)
                .map_err(|wrong| anyhow::anyhow!("{wrong}"))?,
        };
        let mut out = Vec::new();
        packet
            .encode(Version::V5, &mut out)
            .map_err(|_| anyhow::anyhow!("too many filters for one packet"))?;
        self.send(&out)?;
        let (reasons, why) = loop {
            match self.next()? {
                Incoming::SubAck { id: acknowledged, reasons, why } if acknowledged == id => {
                    break (reasons, why);
                }
                message @ Incoming::Message { .. } => self.early.push_back(message),
                Incoming::End { reason, why } => {
                    return Err(refused("the subscription", reason, &why));
                }
                other => return Err(unexpected(&other)),
            }
        };
        for (filter, reason) in filters.iter().zip(reasons) {
            if reason.is_error() {
                return Err(refused(&format!("filter '{filter}'"), reason, &why));
            }
        }
        Ok(())
    }

    /// The next message, acknowledged as its level asks; waits as long as it takes.
    ///
    /// # Errors
    /// When the connection ends.
    pub fn next_message(&mut self) -> anyhow::Result<Received> {
        loop {
            let incoming = match self.early.pop_front() {
                Some(early) => early,
                None => self.next()?,
            };
            match incoming {
                Incoming::Message { id: None, message } => return Ok(message),
                Incoming::Message { id: Some(id), message } => match message.qos {
                    QoS::ExactlyOnce => {
                        let first = self.unreleased.insert(id.get());
                        self.acknowledge(AckKind::PubRec, id)?;
                        if first {
                            return Ok(message);
                        }
                    }
                    _ => {
                        self.acknowledge(AckKind::PubAck, id)?;
                        return Ok(message);
                    }
                },
                Incoming::Ack { kind: AckKind::PubRel, id, .. } => {
                    self.unreleased.remove(&id.get());
                    self.acknowledge(AckKind::PubComp, id)?;
                }
                Incoming::End { reason, why } => return Err(refused("the session", reason, &why)),
                _ => {}
            }
        }
    }

    /// Says goodbye. What fails now has no consequence: everything was acknowledged.
    pub fn disconnect(mut self) {
        let mut out = Vec::new();
        let goodbye = DisconnectOut::new(Reason::NORMAL_DISCONNECTION);
        if goodbye.encode(Version::V5, PACKET_MAX, &mut out).is_ok() {
            let _ = self.send(&out);
        }
        self.stream.conn.send_close_notify();
        let _ = self.stream.flush();
    }

    fn wait_ack(&mut self, wanted: AckKind, wanted_id: PacketId) -> anyhow::Result<()> {
        loop {
            match self.next()? {
                Incoming::Ack { kind, id, reason, why } if kind == wanted && id == wanted_id => {
                    if reason.is_error() {
                        return Err(refused("the message", reason, &why));
                    }
                    return Ok(());
                }
                Incoming::End { reason, why } => return Err(refused("the message", reason, &why)),
                Incoming::Pong => {}
                other => return Err(unexpected(&other)),
            }
        }
    }

    fn wait_pong(&mut self) -> anyhow::Result<()> {
        match self.next()? {
            Incoming::Pong => Ok(()),
            Incoming::End { reason, why } => Err(refused("the message", reason, &why)),
            other => Err(unexpected(&other)),
        }
    }

    fn acknowledge(&mut self, kind: AckKind, id: PacketId) -> anyhow::Result<()> {
        let mut out = Vec::new();
        encoder::ack(&mut out, Version::V5, kind, id, Reason::SUCCESS);
        self.send(&out)
    }

    fn next_id(&mut self) -> PacketId {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        PacketId::new(self.last_id).expect("counted from 1 and wrapped to 1")
    }

    fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(bytes).context("the connection broke")?;
        self.stream.flush().context("the connection broke")
    }

    /// The next packet. While nothing comes, pings; two unanswered ones end the connection.
    fn next(&mut self) -> anyhow::Result<Incoming> {
        let mut silent = 0;
        loop {
            if let Some((incoming, len)) = take(&self.input)? {
                self.input.drain(..len);
                return Ok(incoming);
            }
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => bail!("the server closed the connection without a reason"),
                Ok(count) => {
                    silent = 0;
                    self.input.extend_from_slice(&chunk[..count]);
                }
                Err(error) if is_timeout(error.kind()) && silent < 2 => {
                    silent += 1;
                    self.send(&PINGREQ)?;
                }
                Err(error) => return Err(error).context("the connection broke"),
            }
        }
    }
}

fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Over twice the time that a read waits, so that a lost ping costs nothing.
const KEEP_ALIVE_S: u16 = 60;

#[cfg(test)]
#[path = "mqtt_client_tests.rs"]
mod tests;
