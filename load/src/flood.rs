//! Publishers at full speed, QoS 0, 1 and 2 in turn. Refuses to know who listens.

use crate::engine::{Engine, Event, Heard, Key, Outgoing, Plan};
use crate::mark::Mark;
use crate::waiting::{PATIENCE, until};
use anyhow::Result;
use mqtt::qos::QoS;
use mqtt::wire::Version;

/// A crowd of publishers.
pub struct Flood {
    publishers: Vec<Publisher>,
    bytes: usize,
    payload: Vec<u8>,
    /// Messages given to sockets since the topic was last changed.
    pub published: u64,
    /// Acknowledgements with an error.
    pub refused: u64,
}

struct Publisher {
    key: Key,
    qos: QoS,
    topic: String,
    sequence: u64,
}

impl Flood {
    /// Connects `count` publishers of payloads of `bytes`.
    ///
    /// # Errors
    /// When they do not come up.
    pub fn connect(engine: &mut Engine, count: usize, bytes: usize) -> Result<Self> {
        let mut publishers = Vec::new();
        for n in 0..count {
            let version = if n % 2 == 0 { Version::V5 } else { Version::V311 };
            let key = engine.add(Plan::new(version, format!("flood-{n}")));
            engine.connect(key);
            let qos = QOS[n % QOS.len()];
            publishers.push(Publisher { key, qos, topic: String::new(), sequence: 0 });
        }
        let keys: Vec<Key> = publishers.iter().map(|p| p.key).collect();
        until(engine, "the publishers", PATIENCE, |engine, _| {
            keys.iter().all(|key| engine.is_up(*key))
        })?;
        Ok(Self { publishers, bytes, payload: Vec::new(), published: 0, refused: 0 })
    }

    /// From now on publisher n publishes to `PREFIX/n`, its stream n, from sequence 0.
    pub fn aim(&mut self, prefix: &str) {
        for (n, publisher) in self.publishers.iter_mut().enumerate() {
            publisher.topic = format!("{prefix}/{n}");
            publisher.sequence = 0;
        }
        self.published = 0;
    }

    /// Gives every publisher as much as its socket and window take.
    pub fn push(&mut self, engine: &mut Engine) {
        for (n, publisher) in self.publishers.iter_mut().enumerate() {
            let mut burst = BURST;
            while burst > 0 && engine.waiting(publisher.key) < OUTPUT_BYTES {
                let client = engine.client(publisher.key);
                if publisher.qos > QoS::AtMostOnce && client.under_way() >= WINDOW {
                    break;
                }
                let (stream, sequence) = (n as u32, publisher.sequence);
                Mark { stream, sequence, due_us: 0 }.write(self.bytes, &mut self.payload);
                let (topic, qos, retain) = (&*publisher.topic, publisher.qos, false);
                let m = Outgoing { topic, qos, retain, payload: &self.payload };
                if !engine.publish(publisher.key, m) {
                    break;
                }
                publisher.sequence += 1;
                self.published += 1;
                burst -= 1;
            }
        }
    }

    /// Enters what publishers heard; false if it was not theirs.
    pub fn hear(&mut self, heard: &Heard) -> bool {
        if let Event::Done(_, reason) = heard.event
            && reason.is_error()
        {
            self.refused += 1;
        }
        self.publishers.first().is_some_and(|first| {
            (first.key..first.key + self.publishers.len()).contains(&heard.key)
        })
    }

    /// Waits until the server has read and answered everything.
    ///
    /// # Errors
    /// When it does not.
    pub fn settle(&mut self, engine: &mut Engine) -> Result<()> {
        for publisher in &self.publishers {
            engine.ping(publisher.key);
        }
        let mut pongs = 0;
        until(engine, "the publishers' acknowledgements", PATIENCE, |engine, heard| {
            for heard in heard {
                pongs += usize::from(self.hear(heard) && heard.event == Event::Pong);
            }
            let done = |p: &Publisher| engine.client(p.key).under_way() == 0;
            pongs == self.publishers.len() && self.publishers.iter().all(done)
        })
    }
}

const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
/// Messages of one publisher a turn: all get their share.
const BURST: usize = 64;
/// What may wait for one socket.
const OUTPUT_BYTES: usize = 32 * 1024;
/// QoS > 0 under way of one publisher.
const WINDOW: usize = 64;
