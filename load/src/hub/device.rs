//! One device or module, blocking, on the plain listener, on the MQTT 5 plane or in MQTT 3.1.1:
//! what it sends and what it hears. Refuses to know what the answers should be.

use super::{classic, plane};
use anyhow::{Context, Result, bail};
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::property::Properties;
use mqtt::wire::subscribe::{Filters, Subscribe, SubscribeOptions};
use mqtt::wire::{AckKind, AckOut, Diagnostics, Packet, Version, decode, frame};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

/// A connection that was accepted.
pub struct Device {
    id: String,
    version: Version,
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
        correlation: u64,
        /// How it went.
        said: Said,
        /// What is reported has this version now, if it was written.
        version: Option<u64>,
        /// What was asked for.
        payload: Vec<u8>,
    },
    /// A command, to be settled.
    Command {
        /// To settle it by; none at QoS 0.
        id: Option<PacketId>,
        /// Its number in the queue, and how often it was given back; MQTT 3.1.1 does not say.
        told: Option<(u64, u64)>,
        /// Its body.
        payload: Vec<u8>,
    },
    /// A direct method, to be answered.
    Method {
        /// What is called.
        name: String,
        /// To answer it by.
        call: Vec<u8>,
        /// What with.
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

/// What the hub says to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It was done.
    Done,
    /// The section has another version than it expects.
    OtherVersion,
    /// It was not, with this status.
    Refused(String),
}

/// What a device answers to a command (iot-hub A14.4); in MQTT 3.1.1 only the first.
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
    /// Connects and is accepted. With `expiry_s` its session outlives the connection; in MQTT
    /// 3.1.1 for as long as the server wants.
    ///
    /// # Errors
    /// When it is refused or breaks.
    pub fn connect(
        port: u16,
        id: &str,
        version: Version,
        expiry_s: Option<u32>,
    ) -> Result<Self, Refused> {
        let broken = |error: std::io::Error| Refused::Broken(error.into());
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(broken)?;
        stream.set_nodelay(true).map_err(broken)?;
        let (id, input, last_id, session_present) = (id.to_owned(), Vec::new(), 0, false);
        let mut device = Self { id, version, stream, input, last_id, session_present };
        let mut out = Vec::new();
        match version {
            Version::V5 => plane::connect(&device.id, expiry_s, &mut out),
            Version::V311 => classic::connect(&device.id, expiry_s.is_none(), &mut out),
        }
        device.write(&out).map_err(Refused::Broken)?;
        let connack = device.packet(PATIENCE, |packet, _| match packet {
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

    /// SUBSCRIBE to all that it may hear of, one filter a packet; how many SUBACK will come.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn listen(&mut self) -> Result<usize> {
        let filters: Vec<(String, QoS)> = match self.version {
            Version::V5 => {
                // Commands are for devices.
                let from = usize::from(self.id.contains('/'));
                plane::FILTERS[from..].iter().map(|(f, qos)| ((*f).to_owned(), *qos)).collect()
            }
            Version::V311 => classic::filters(&self.id).into(),
        };
        for (filter, qos) in &filters {
            let (mut raw, mut out) = (Vec::new(), Vec::new());
            let options = SubscribeOptions { qos: *qos, ..SubscribeOptions::default() };
            Filters::push(&mut raw, filter, options, self.version)?;
            let filters = Filters::parse(&raw, self.version)?;
            let (packet_id, properties) = (self.next_id(), Properties::EMPTY);
            let packet = Subscribe { packet_id, subscription_id: None, properties, filters };
            packet.encode(self.version, &mut out)?;
            self.write(&out)?;
        }
        Ok(filters.len())
    }

    /// Telemetry at QoS 1 that says to be JSON; by what it is acknowledged.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn telemetry(&mut self, body: &str) -> Result<PacketId> {
        let (id, mut out, body) = (self.next_id(), Vec::new(), body.as_bytes());
        match self.version {
            Version::V5 => {
                plane::publish(plane::TELEMETRY, Some(id), &plane::of_json(), body, &mut out);
            }
            Version::V311 => {
                classic::publish(&classic::telemetry(&self.id), Some(id), body, &mut out);
            }
        }
        self.write(&out).map(|()| id)
    }

    /// Asks for the twin.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn get_twin(&mut self, correlation: u64) -> Result<()> {
        let mut out = Vec::new();
        match self.version {
            Version::V5 => {
                let properties = plane::correlated(&correlation.to_be_bytes(), &[]);
                plane::publish(plane::TWIN, None, &properties, b"", &mut out);
            }
            Version::V311 => classic::publish(&classic::twin(correlation), None, b" ", &mut out),
        }
        self.write(&out)
    }

    /// Changes what is reported.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn report(&mut self, correlation: u64, if_version: Option<u64>, patch: &str) -> Result<()> {
        let (mut out, patch) = (Vec::new(), patch.as_bytes());
        match self.version {
            Version::V5 => {
                let on = if_version.map(|version| version.to_string());
                let user: Vec<_> = on.iter().map(|version| ("if-version", &**version)).collect();
                let properties = plane::correlated(&correlation.to_be_bytes(), &user);
                plane::publish(plane::REPORTED, None, &properties, patch, &mut out);
            }
            Version::V311 => {
                let topic = classic::reported(correlation, if_version);
                classic::publish(&topic, None, patch, &mut out);
            }
        }
        self.write(&out)
    }

    /// Answers a method.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn answer(&mut self, call: &[u8], payload: &str) -> Result<()> {
        let mut out = Vec::new();
        match self.version {
            Version::V5 => {
                let properties = plane::correlated(call, &[("response-code", "200")]);
                plane::publish(plane::RESPONSES, None, &properties, payload.as_bytes(), &mut out);
            }
            Version::V311 => {
                let topic = classic::answer(call, 200);
                classic::publish(&topic, None, payload.as_bytes(), &mut out);
            }
        }
        self.write(&out)
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
        ack.encode(AckKind::PubAck, self.version, usize::MAX, &mut out)?;
        self.write(&out)
    }

    /// The next that comes within `wait`; `None` when nothing does.
    ///
    /// # Errors
    /// When the connection breaks or what comes is nothing that devices are told.
    pub fn hear(&mut self, wait: Duration) -> Result<Option<Heard>> {
        self.packet(wait, |packet, version| {
            Some(match packet {
                Packet::PubAck(ack) => Heard::Acknowledged(ack.packet_id, ack.reason),
                Packet::SubAck(ack) => Heard::Subscribed(ack.reasons.first().copied()?),
                Packet::Disconnect(told) => Heard::Told(told.reason),
                Packet::Publish(publish) => match version {
                    Version::V5 => plane::heard(publish)?,
                    Version::V311 => classic::heard(publish)?,
                },
                _ => return None,
            })
        })
    }

    fn packet<T>(
        &mut self,
        wait: Duration,
        take: impl Fn(&Packet<'_>, Version) -> Option<T>,
    ) -> Result<Option<T>> {
        let end = Instant::now() + wait;
        loop {
            if let Some(found) = frame(&self.input, PACKET_BYTES_MAX)? {
                let len = found.len;
                let packet = decode(found, self.version)?;
                let taken = take(&packet, self.version);
                let Some(taken) = taken else { bail!("{packet:?} was not expected") };
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

fn is_wait(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Long enough for anything on a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// A socket takes no shorter wait.
const SHORTEST: Duration = Duration::from_micros(100);
const PACKET_BYTES_MAX: usize = 1 << 20;
