//! One device on the MQTT 5 plane, blocking, on the plain listener: what it sends and what it
//! hears. Refuses to know what the answers should be.

use super::HOST;
use super::signing::{Key, expiry_ms};
use anyhow::{Context, Result, bail};
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::connect::Connect;
use mqtt::wire::encoder::PublishOut;
use mqtt::wire::property::{Properties, Property};
use mqtt::wire::subscribe::{Filters, Subscribe, SubscribeOptions};
use mqtt::wire::{AckKind, AckOut, Diagnostics, Packet, Publish, Version, decode, frame};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

/// A connection that was accepted.
pub struct Device {
    stream: TcpStream,
    input: Vec<u8>,
    last_id: u16,
    /// Whether its session was still there.
    pub session_present: bool,
}

/// Why there is no connection.
#[derive(Debug)]
pub enum Refused {
    /// CONNACK says no.
    Reason(Reason),
    /// It broke.
    Broken(anyhow::Error),
}

/// What a device hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// PUBACK of its own.
    Acknowledged(PacketId, Reason),
    /// SUBACK: the first filter's reason.
    Subscribed(u8),
    /// The answer to a request.
    Response {
        /// That of the request.
        correlation: Vec<u8>,
        /// What went wrong; none is success.
        status: Option<String>,
        /// User property `version`.
        version: Option<u64>,
        /// What was asked for.
        payload: Vec<u8>,
    },
    /// A command, to be settled.
    Command {
        /// To settle it by; none at QoS 0.
        id: Option<PacketId>,
        /// Its number in the queue.
        sequence: u64,
        /// How often it was given back.
        deliveries: u64,
        /// Its body.
        payload: Vec<u8>,
    },
    /// The desired section was written.
    Desired {
        /// Its version.
        version: u64,
        /// The change.
        payload: Vec<u8>,
    },
    /// DISCONNECT.
    Told(Reason),
}

/// What a device answers to a command (iot-hub A14.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settling {
    /// Done.
    Complete,
    /// Later again.
    Abandon,
    /// Never.
    Reject,
}

impl Device {
    /// Connects and is accepted. With `expiry_s` its session outlives the connection.
    ///
    /// # Errors
    /// When it is refused or breaks.
    pub fn connect(port: u16, id: &str, expiry_s: Option<u32>) -> Result<Self, Refused> {
        let broken = |error: std::io::Error| Refused::Broken(error.into());
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(broken)?;
        stream.set_nodelay(true).map_err(broken)?;
        let (input, last_id, session_present) = (Vec::new(), 0, false);
        let mut device = Self { stream, input, last_id, session_present };
        let mut out = Vec::new();
        connect(id, expiry_s, &mut out);
        device.write(&out).map_err(Refused::Broken)?;
        let connack = device.packet(PATIENCE, |packet| match packet {
            Packet::ConnAck(ack) => Some((ack.reason, ack.session_present)),
            _ => None,
        });
        match connack.map_err(Refused::Broken)? {
            Some((Reason::SUCCESS, present)) => {
                device.session_present = present;
                Ok(device)
            }
            Some((reason, _)) => Err(Refused::Reason(reason)),
            None => Err(Refused::Broken(anyhow::anyhow!("no CONNACK came"))),
        }
    }

    /// SUBSCRIBE with one filter.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn subscribe(&mut self, filter: &str, qos: QoS) -> Result<()> {
        let (mut raw, mut out) = (Vec::new(), Vec::new());
        let options = SubscribeOptions { qos, ..SubscribeOptions::default() };
        Filters::push(&mut raw, filter, options, Version::V5)?;
        let filters = Filters::parse(&raw, Version::V5)?;
        let (packet_id, properties) = (self.next_id(), Properties::EMPTY);
        let packet = Subscribe { packet_id, subscription_id: None, properties, filters };
        packet.encode(Version::V5, &mut out)?;
        self.write(&out)
    }

    /// Telemetry at QoS 1 that says to be JSON; by what it is acknowledged.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn telemetry(&mut self, body: &str) -> Result<PacketId> {
        let id = self.next_id();
        let mut properties = Vec::new();
        Property::ContentType("application/json").encode(&mut properties)?;
        Property::User("content-encoding", "utf-8").encode(&mut properties)?;
        let mut out = Vec::new();
        publish(TELEMETRY, Some(id), &properties, body.as_bytes(), &mut out);
        self.write(&out).map(|()| id)
    }

    /// Asks for the twin.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn get_twin(&mut self, correlation: u64) -> Result<()> {
        self.request("$iothub/twin/get", correlation, None, b"")
    }

    /// Changes what is reported.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn report(&mut self, correlation: u64, if_version: Option<u64>, patch: &str) -> Result<()> {
        self.request(REPORTED, correlation, if_version, patch.as_bytes())
    }

    /// Settles a command.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn settle(&mut self, id: PacketId, how: Settling) -> Result<()> {
        let (reason, status) = match how {
            Settling::Complete => (Reason::SUCCESS, None),
            Settling::Abandon => (Reason::IMPLEMENTATION_SPECIFIC_ERROR, Some("0603")),
            Settling::Reject => (Reason::IMPLEMENTATION_SPECIFIC_ERROR, Some("0100")),
        };
        let user: Vec<(&str, &str)> = status.map(|text| ("status", text)).into_iter().collect();
        let diagnostics = Diagnostics { reason_string: None, user: &user };
        let ack = AckOut { packet_id: id, reason, diagnostics };
        let mut out = Vec::new();
        ack.encode(AckKind::PubAck, Version::V5, usize::MAX, &mut out)?;
        self.write(&out)
    }

    /// The next that comes within `wait`; `None` when nothing does.
    ///
    /// # Errors
    /// When the connection breaks or what comes is none of the plane's.
    pub fn hear(&mut self, wait: Duration) -> Result<Option<Heard>> {
        self.packet(wait, |packet| {
            Some(match packet {
                Packet::PubAck(ack) => Heard::Acknowledged(ack.packet_id, ack.reason),
                Packet::SubAck(ack) => Heard::Subscribed(ack.reasons.first().copied()?),
                Packet::Disconnect(told) => Heard::Told(told.reason),
                Packet::Publish(publish) => published(publish)?,
                _ => return None,
            })
        })
    }

    fn request(
        &mut self,
        topic: &str,
        correlation: u64,
        if_version: Option<u64>,
        payload: &[u8],
    ) -> Result<()> {
        let mut properties = Vec::new();
        Property::CorrelationData(&correlation.to_be_bytes()).encode(&mut properties)?;
        if let Some(version) = if_version {
            Property::User("if-version", &version.to_string()).encode(&mut properties)?;
        }
        let mut out = Vec::new();
        publish(topic, None, &properties, payload, &mut out);
        self.write(&out)
    }

    fn packet<T>(
        &mut self,
        wait: Duration,
        take: impl Fn(&Packet<'_>) -> Option<T>,
    ) -> Result<Option<T>> {
        let end = Instant::now() + wait;
        loop {
            if let Some(found) = frame(&self.input, PACKET_BYTES_MAX)? {
                let len = found.len;
                let packet = decode(found, Version::V5)?;
                let Some(taken) = take(&packet) else { bail!("{packet:?} was not expected") };
                self.input.drain(..len);
                return Ok(Some(taken));
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.set_read_timeout(Some(left.max(SHORTEST)))?;
            let mut piece = [0; 16 * 1024];
            match self.stream.read(&mut piece) {
                Ok(0) => bail!("the server closed"),
                Ok(count) => self.input.extend_from_slice(&piece[..count]),
                Err(e) if is_wait(e.kind()) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).context("the server closed")
    }

    fn next_id(&mut self) -> PacketId {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        PacketId::new(self.last_id).expect("counted from 1 and wrapped to 1")
    }
}

/// Appends a CONNECT of a device, signed with its key.
pub fn connect(id: &str, expiry_s: Option<u32>, out: &mut Vec<u8>) {
    let expiry = expiry_ms().to_string();
    let mac = Key::of(id).connect(id, &expiry);
    let mut raw = Vec::new();
    for (name, value) in
        [("api-version", "2020-10-01-preview"), ("host", HOST), ("sas-expiry", &expiry)]
    {
        Property::User(name, value).encode(&mut raw).expect("names and times are short");
    }
    let connect = Connect {
        clean_start: expiry_s.is_none(),
        session_expiry: expiry_s,
        authentication_method: Some("SAS"),
        authentication_data: Some(&mac),
        properties: Properties::trusted(&raw),
        ..Connect::new(Version::V5, id)
    };
    connect.encode(out).expect("identifiers of ours are short");
}

/// Appends a PUBLISH, at QoS 1 with an identifier, else at QoS 0.
pub fn publish(
    topic: &str,
    id: Option<PacketId>,
    properties: &[u8],
    payload: &[u8],
    out: &mut Vec<u8>,
) {
    let packet = PublishOut {
        version: Version::V5,
        dup: false,
        qos: if id.is_some() { QoS::AtLeastOnce } else { QoS::AtMostOnce },
        retain: false,
        topic,
        packet_id: id.map_or(0, PacketId::get),
        alias: 0,
        send_topic: true,
        subscription_ids: &[],
        properties,
        expiry: None,
        payload,
    };
    packet.encode(out);
}

fn published(publish: &Publish<'_>) -> Option<Heard> {
    let payload = publish.payload.to_vec();
    let user = |name: &str| {
        publish.properties.user().find(|(known, _)| *known == name).map(|(_, value)| value)
    };
    let number = |name: &str| user(name).and_then(|text| text.parse::<u64>().ok());
    Some(match publish.topic {
        "$iothub/responses" => Heard::Response {
            correlation: publish.properties.correlation_data()?.to_vec(),
            status: user("status").map(str::to_owned),
            version: number("version"),
            payload,
        },
        "$iothub/commands" => Heard::Command {
            id: publish.packet_id,
            sequence: number("sequence-no")?,
            deliveries: number("delivery-count")?,
            payload,
        },
        "$iothub/twin/patch/desired" => Heard::Desired { version: number("version")?, payload },
        _ => return None,
    })
}

fn is_wait(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Where telemetry goes.
pub const TELEMETRY: &str = "$iothub/telemetry";
/// Where a patch of what is reported goes.
pub const REPORTED: &str = "$iothub/twin/patch/reported";
/// Long enough for anything on a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// A socket takes no shorter wait.
const SHORTEST: Duration = Duration::from_micros(100);
const PACKET_BYTES_MAX: usize = 1 << 20;
