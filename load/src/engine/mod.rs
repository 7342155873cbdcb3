//! Thousands of MQTT clients in one thread, without blocking.
//!
//! Owns the poll, the sockets and their buffers. What should be sent and what should have arrived
//! is the caller's: it acts between turns and reads what was heard. Knows no proof.

mod client;
mod event;
mod stream;
mod websocket;

pub use client::{Client, Credential, Outgoing, Plan};
pub use event::{End, Event, Heard, Key, Message};
pub use stream::{Ports, Transport};

use crate::hub::plane::publish;
use anyhow::{Context, Result};
use mio::{Events, Interest, Poll, Token};
use mqtt::qos::QoS;
use mqtt::wire::{decode, frame};
use rustls::ClientConfig;
use std::sync::Arc;
use std::time::Duration;
use stream::{Rest, Stream, Until};

/// Where to connect, and as whom.
#[derive(Clone)]
pub struct Target {
    /// The listeners.
    pub ports: Ports,
    /// What TLS believes.
    pub tls: Arc<ClientConfig>,
    /// The password of TLS clients.
    pub token: String,
}

/// The clients and their connections.
pub struct Engine {
    poll: Poll,
    events: Events,
    target: Target,
    slots: Vec<Slot>,
    dirty: Vec<Key>,
    scratch: Vec<u8>,
    heard: Vec<Heard>,
    /// What was wrong with what a server sent, in words, for the report.
    pub faults: Vec<String>,
}

struct Slot {
    client: Client,
    link: Option<Link>,
}

struct Link {
    stream: Stream,
    input: Vec<u8>,
    output: Vec<u8>,
    phase: Phase,
    reading: Reading,
    dirty: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Opening,
    Up,
    Leaving,
}

/// Whether a client reads its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// As it should.
    On,
    /// Not at all.
    Stalled,
}

impl Engine {
    /// Without clients.
    ///
    /// # Errors
    /// When the system gives no poll.
    pub fn new(target: Target) -> Result<Self> {
        Ok(Self {
            poll: Poll::new().context("poll")?,
            events: Events::with_capacity(EVENTS),
            target,
            slots: Vec::new(),
            dirty: Vec::new(),
            scratch: vec![0; 64 * 1024],
            heard: Vec::new(),
            faults: Vec::new(),
        })
    }

    /// From now on connections go to another server; those that are open stay.
    pub fn aim(&mut self, target: Target) {
        self.target = target;
    }

    /// For other sources; tokens below [`Engine::FIRST`] are theirs.
    pub fn registry(&self) -> &mio::Registry {
        self.poll.registry()
    }

    /// A client more, not connected.
    pub fn add(&mut self, plan: Plan) -> Key {
        self.slots.push(Slot { client: Client::new(plan), link: None });
        self.slots.len() - 1
    }

    /// A client.
    pub fn client(&self, key: Key) -> &Client {
        &self.slots[key].client
    }

    /// How the client will connect the next time.
    pub fn plan(&mut self, key: Key) -> &mut Plan {
        &mut self.slots[key].client.plan
    }

    /// Whether CONNACK has come and the end has not.
    pub fn is_up(&self, key: Key) -> bool {
        self.slots[key].link.as_ref().is_some_and(|l| l.phase == Phase::Up)
    }

    /// Whether there is a socket at all.
    pub fn has_socket(&self, key: Key) -> bool {
        self.slots[key].link.is_some()
    }

    /// Bytes that wait for the client's socket.
    pub fn waiting(&self, key: Key) -> usize {
        self.slots[key].link.as_ref().map_or(0, |l| l.output.len())
    }

    /// Begins to connect; CONNECT goes out with the first bytes. A client that has a socket loses
    /// it first. What fails here is told as [`End::Broken`].
    pub fn connect(&mut self, key: Key) {
        self.reset(key);
        let transport = self.slots[key].client.plan.transport;
        let source = (key / CLIENTS_PER_SOURCE) as u8;
        let opened = Stream::open(transport, self.target.ports, source, &self.target.tls).and_then(
            |mut stream| {
                let both = Interest::READABLE | Interest::WRITABLE;
                let token = Token(key + Self::FIRST);
                self.poll.registry().register(&mut stream.socket, token, both)?;
                Ok(stream)
            },
        );
        match opened {
            Err(error) => {
                self.fault(key, &error.to_string());
                self.heard.push(Heard { key, event: Event::Closed(End::Broken) });
            }
            Ok(stream) => {
                let mut link = Link {
                    stream,
                    input: Vec::new(),
                    output: Vec::new(),
                    phase: Phase::Opening,
                    reading: Reading::On,
                    dirty: false,
                };
                self.slots[key].client.connect(&self.target.token, &mut link.output);
                self.slots[key].link = Some(link);
            }
        }
    }

    /// Loses the connection: a reset, without a word. Nothing is heard of it.
    pub fn reset(&mut self, key: Key) {
        if let Some(link) = self.slots[key].link.take() {
            link.stream.reset();
        }
    }

    /// DISCONNECT, then reads to the end.
    pub fn leave(&mut self, key: Key) {
        self.say(key, |client, out| client.leave(out));
        if let Some(link) = &mut self.slots[key].link {
            link.phase = Phase::Leaving;
        }
    }

    /// Publishes; false when the client is not up or its window is full.
    pub fn publish(&mut self, key: Key, m: Outgoing<'_>) -> bool {
        if !self.is_up(key) || (m.qos > QoS::AtMostOnce && self.slots[key].client.room() == 0) {
            return false;
        }
        self.say(key, |client, out| client.publish(m, out));
        true
    }

    /// A request or an answer of a device, at QoS 0; nothing while it is not up.
    pub fn request(&mut self, key: Key, topic: &str, properties: &[u8], payload: &[u8]) {
        if self.is_up(key) {
            self.say(key, |_, out| publish(topic, None, properties, payload, out));
        }
    }

    /// SUBSCRIBE with one filter.
    pub fn subscribe(&mut self, key: Key, filter: &str, qos: QoS) {
        self.say(key, |client, out| client.subscribe(filter, qos, out));
    }

    /// UNSUBSCRIBE with one filter.
    pub fn unsubscribe(&mut self, key: Key, filter: &str) {
        self.say(key, |client, out| client.unsubscribe(filter, out));
    }

    /// PINGREQ.
    pub fn ping(&mut self, key: Key) {
        self.say(key, |client, out| client.ping(out));
    }

    /// Whether it has a socket that it does not read.
    pub fn is_deaf(&self, key: Key) -> bool {
        self.slots[key].link.as_ref().is_some_and(|l| l.reading == Reading::Stalled)
    }

    /// Stops or resumes reading the client's socket.
    pub fn read(&mut self, key: Key, reading: Reading) {
        let Some(link) = &mut self.slots[key].link else { return };
        let was = std::mem::replace(&mut link.reading, reading);
        if was == Reading::Stalled && reading == Reading::On {
            self.receive(key, Until::Close);
        }
    }

    /// Writes what was said, waits for sockets and reads them. `other` is told the tokens of
    /// other sources. What was heard is appended to `heard`.
    ///
    /// # Errors
    /// When the poll fails.
    pub fn turn(
        &mut self,
        wait: Option<Duration>,
        heard: &mut Vec<Heard>,
        mut other: impl FnMut(usize),
    ) -> Result<()> {
        self.flush();
        let wait = if self.heard.is_empty() { wait } else { Some(Duration::ZERO) };
        match self.poll.poll(&mut self.events, wait) {
            Err(e) if e.kind() != std::io::ErrorKind::Interrupted => return Err(e).context("poll"),
            _ => {}
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            let Some(key) = event.token().0.checked_sub(Self::FIRST) else {
                other(event.token().0);
                continue;
            };
            if event.is_writable() {
                self.send(key);
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                let closed = event.is_read_closed() || event.is_error();
                self.receive(key, if closed { Until::Close } else { Until::Short });
            }
        }
        self.events = events;
        self.flush();
        heard.append(&mut self.heard);
        Ok(())
    }

    fn say(&mut self, key: Key, say: impl FnOnce(&mut Client, &mut Vec<u8>)) {
        let Slot { client, link: Some(link) } = &mut self.slots[key] else { return };
        say(client, &mut link.output);
        if !link.dirty {
            link.dirty = true;
            self.dirty.push(key);
        }
    }

    fn flush(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for key in dirty.drain(..) {
            if let Some(link) = &mut self.slots[key].link {
                link.dirty = false;
                self.send(key);
            }
        }
        if self.dirty.is_empty() {
            self.dirty = dirty;
        }
    }

    fn send(&mut self, key: Key) {
        let Some(link) = &mut self.slots[key].link else { return };
        if let Err(error) = link.stream.write(&mut link.output) {
            self.broke(key, &error);
        }
    }

    fn receive(&mut self, key: Key, until: Until) {
        let Slot { client, link: Some(link) } = &mut self.slots[key] else { return };
        if link.reading == Reading::Stalled {
            return;
        }
        let rest = link.stream.read(&mut self.scratch, until, &mut link.input);
        let (mut at, mut wrong) = (0, None);
        while let Some((packet, len)) = first(&link.input[at..], client, &mut wrong) {
            match client.take(&packet, &mut link.output) {
                Ok(None) => {}
                Ok(Some(event)) => {
                    if matches!(event, Event::Up { .. }) && link.phase == Phase::Opening {
                        link.phase = Phase::Up;
                    }
                    self.heard.push(Heard { key, event });
                }
                Err(why) => wrong = Some(why.to_owned()),
            }
            at += len;
        }
        link.input.drain(..at);
        if link.input.is_empty() && link.input.capacity() > INPUT_KEPT_BYTES_MAX {
            link.input = Vec::new();
        }
        if let Some(why) = wrong {
            self.fault(key, &why);
            return self.close(key, End::Wrong);
        }
        match rest {
            // Always, for what TLS has to say and for acknowledgements.
            Ok(Rest::Nothing) => self.send(key),
            Ok(Rest::Closed) => {
                let left = link.phase == Phase::Leaving;
                self.close(key, if left { End::Left } else { End::Server });
            }
            Err(error) => self.broke(key, &error),
        }
    }

    fn broke(&mut self, key: Key, error: &std::io::Error) {
        let leaving = self.slots[key].link.as_ref().is_some_and(|l| l.phase == Phase::Leaving);
        if !leaving {
            self.fault(key, &error.to_string());
        }
        self.close(key, if leaving { End::Left } else { End::Broken });
    }

    fn close(&mut self, key: Key, end: End) {
        self.slots[key].link = None;
        self.heard.push(Heard { key, event: Event::Closed(end) });
    }

    fn fault(&mut self, key: Key, what: &str) {
        if self.faults.len() < FAULTS_KEPT_MAX {
            self.faults.push(format!("{}: {what}", self.slots[key].client.plan.client_id));
        }
    }

    /// The first token of clients.
    pub const FIRST: usize = 16;
}

/// The first packet of `input`, once it is whole.
fn first<'a>(
    input: &'a [u8],
    client: &Client,
    wrong: &mut Option<String>,
) -> Option<(mqtt::wire::Packet<'a>, usize)> {
    if wrong.is_some() {
        return None;
    }
    let found = frame(input, PACKET_BYTES_MAX).and_then(|found| match found {
        None => Ok(None),
        Some(f) => decode(f, client.plan.version).map(|packet| Some((packet, f.len))),
    });
    found.unwrap_or_else(|error| {
        *wrong = Some(error.to_string());
        None
    })
}

/// Few: gathering events is one call, and a system that does not preempt its calls keeps the paced
/// stream's thread waiting for as long as it lasts (1,024 of them took over a millisecond).
const EVENTS: usize = 32;
/// Loopback has 28,000 ports an address; far fewer are asked of each.
const CLIENTS_PER_SOURCE: usize = 4_000;
const PACKET_BYTES_MAX: usize = 16 * 1024 * 1024;
const INPUT_KEPT_BYTES_MAX: usize = 256 * 1024;
const FAULTS_KEPT_MAX: usize = 20;
