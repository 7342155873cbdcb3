//! Publishers at QoS 1 with a window each, as fast as the server acknowledges. Refuses to know who
//! receives.

use crate::engine::{Engine, Event, Heard, Key, Outgoing, Plan};
use crate::mark::Mark;
use crate::waiting::{PATIENCE, until};
use anyhow::{Result, bail};
use mqtt::qos::QoS;
use mqtt::wire::Version;
use std::time::Duration;

/// They are up.
pub struct Crowd {
    first: Key,
    count: usize,
}

/// What they are to publish.
pub struct Work<'a> {
    /// How many messages.
    pub messages: u64,
    /// Whether they are retained.
    pub retain: bool,
    /// Bytes of a payload.
    pub bytes: usize,
    /// The topic of message n, written into the text.
    pub topic: &'a dyn Fn(u64, &mut String),
}

impl Crowd {
    /// Connects so many.
    ///
    /// # Errors
    /// When they do not come up.
    pub fn connect(engine: &mut Engine, count: usize) -> Result<Self> {
        let plan = |n| Plan::new(Version::V5, format!("crowd-{n}"));
        let keys: Vec<Key> = (0..count).map(|n| engine.add(plan(n))).collect();
        keys.iter().for_each(|key| engine.connect(*key));
        until(engine, "the publishers", PATIENCE, |engine, _| {
            keys.iter().all(|key| engine.is_up(*key))
        })?;
        Ok(Self { first: keys[0], count })
    }

    /// Publishes all of it and waits for the last PUBACK; `also` is told what others heard.
    ///
    /// # Errors
    /// When one is refused, or the server stops to answer.
    pub fn publish(
        &self,
        engine: &mut Engine,
        work: &Work<'_>,
        mut also: impl FnMut(&Heard),
    ) -> Result<()> {
        let (mut next, mut done, mut refused) = (0, 0, None);
        let (mut topic, mut payload, own) = (String::new(), Vec::new(), self.keys());
        until(engine, "the acknowledgements", WHOLE, |engine, heard| {
            for heard in heard {
                match heard.event {
                    Event::Done(_, reason) if reason.is_error() => refused = Some(heard.event),
                    Event::Done(..) => done += 1,
                    event if own.contains(&heard.key) => refused = Some(event),
                    _ => also(heard),
                }
            }
            for key in own.clone() {
                while next < work.messages && engine.client(key).under_way() < WINDOW {
                    (work.topic)(next, &mut topic);
                    Mark { stream: 0, sequence: next, due_us: 0 }.write(work.bytes, &mut payload);
                    let (qos, retain) = (QoS::AtLeastOnce, work.retain);
                    let m = Outgoing { topic: &topic, qos, retain, payload: &payload };
                    if !engine.publish(key, m) {
                        break;
                    }
                    next += 1;
                }
            }
            done == work.messages || refused.is_some()
        })?;
        match refused {
            Some(event) => bail!("a publisher was not served: {event:?}"),
            None => Ok(()),
        }
    }

    fn keys(&self) -> std::ops::Range<Key> {
        self.first..self.first + self.count
    }
}

/// Under way of one publisher.
const WINDOW: usize = 16;
const WHOLE: Duration = Duration::from_secs(1_800);
