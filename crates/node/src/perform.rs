//! Persist, then tell. What must be in the log waits here until it is; acknowledgements of one
//! publisher keep their order behind it (core.md 2 and 4).

use crate::link::LinkId;
use crate::link::Pause;
use crate::session::Origin;
use crate::shard::Shard;
use crate::source::Source;
use crate::tally::Tally;
use broker::access::{Authorized, Principal};
use broker::publication::Publication;
use engine::Memory;
use hashbrown::HashMap;
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use std::collections::VecDeque;
use std::sync::Arc;
use store::op::{Append, NamespaceId, Op, Outcome, Ticket};

/// Publishes and acknowledgements that wait for the log, in order.
pub(crate) struct Perform {
    engine: Memory,
    namespace: NamespaceId,
    last_ticket: u64,
    waiting: VecDeque<Waiting>,
    held: HashMap<Origin, usize, foldhash::fast::RandomState>,
    /// How many publishes wait, and their bytes.
    publishes: usize,
    bytes: usize,
    outcomes: Vec<Outcome>,
}

/// One step that waits.
pub(crate) struct Waiting {
    ticket: Option<Ticket>,
    origin: Origin,
    publish: Option<Logged>,
    completion: Completion,
}

/// A publish that waits for the log.
pub(crate) struct Logged {
    /// Whose it is.
    pub principal: Arc<Principal>,
    /// What it is.
    pub publication: Authorized<Arc<Publication>>,
    /// The number of the last change of what is retained when it came.
    pub retained_before: u64,
}

/// What follows once a step is a fact.
pub(crate) enum Completion {
    /// Nobody is told.
    None,
    /// PUBACK or PUBREC.
    Acknowledge { link: LinkId, packet_id: PacketId, qos: QoS },
    /// An answer that is ready but has to keep its place.
    Answer { link: LinkId, packet_id: PacketId, qos: QoS, reason: Reason, why: Option<Box<str>> },
    /// The caller of the door.
    Tally(Arc<Tally>),
}

impl Perform {
    pub fn new(engine: Memory, namespace: NamespaceId) -> Self {
        Self {
            engine,
            namespace,
            last_ticket: 0,
            waiting: VecDeque::new(),
            held: HashMap::default(),
            publishes: 0,
            bytes: 0,
            outcomes: Vec::new(),
        }
    }

    /// Whether something of this publisher waits: what it sends now waits behind it.
    #[inline]
    pub fn holds(&self, origin: Origin) -> bool {
        !self.waiting.is_empty() && self.held.contains_key(&origin)
    }

    /// Puts a step at the end; with `logged` its record goes to the log. Gives how many steps of
    /// this publisher wait.
    pub fn submit(&mut self, mut waiting: Waiting, logged: bool) -> usize {
        if let (true, Some(Logged { publication, .. })) = (logged, &waiting.publish) {
            self.last_ticket += 1;
            let ticket = Ticket(self.last_ticket);
            let record = Arc::clone(publication);
            let deadline_ms = record.deadline_ms;
            let append = Append { namespace: self.namespace, deadline_ms, record };
            self.engine.submit(Op::Append(append), ticket);
            waiting.ticket = Some(ticket);
        }
        self.publishes += usize::from(waiting.publish.is_some());
        self.bytes += waiting.bytes();
        let held = self.held.entry(waiting.origin).or_insert(0);
        *held += 1;
        let count = *held;
        self.waiting.push_back(waiting);
        count
    }

    /// How many publishes wait, and their bytes.
    pub fn publishes(&self) -> (usize, usize) {
        (self.publishes, self.bytes)
    }

    /// Bytes of the publishes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of the steps, without their publications, which are charged where they were made.
    pub fn own_bytes(&self) -> usize {
        self.waiting.len() * size_of::<Waiting>()
    }

    /// Whether anything waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The next step that may go on, with its sequence in the log (0 without a record), and how
    /// many steps its publisher still has.
    fn next(&mut self, done: &mut impl Iterator<Item = Outcome>) -> Option<(Waiting, u64, usize)> {
        let sequence = match self.waiting.front()?.ticket {
            None => 0,
            Some(ticket) => {
                let outcome = done.next()?;
                debug_assert_eq!(outcome.ticket, ticket, "outcomes come in log order");
                outcome.sequence.0
            }
        };
        let waiting = self.waiting.pop_front()?;
        self.publishes -= usize::from(waiting.publish.is_some());
        self.bytes -= waiting.bytes();
        let mut left = 0;
        if let Some(held) = self.held.get_mut(&waiting.origin) {
            *held -= 1;
            left = *held;
            if left == 0 {
                self.held.remove(&waiting.origin);
            }
        }
        Some((waiting, sequence, left))
    }
}

impl Waiting {
    /// A publish that waits.
    pub fn publish(origin: Origin, publish: Logged, completion: Completion) -> Self {
        Self { ticket: None, origin, publish: Some(publish), completion }
    }

    fn bytes(&self) -> usize {
        self.publish.as_ref().map_or(0, |logged| logged.publication.bytes())
    }

    /// An answer that waits for its turn.
    pub fn answer(origin: Origin, completion: Completion) -> Self {
        Self { ticket: None, origin, publish: None, completion }
    }
}

impl Shard {
    /// Goes on with everything the log has made a fact: retained value first, then receivers,
    /// then the acknowledgement.
    pub(crate) fn settle(&mut self) {
        if self.perform.is_empty() {
            return;
        }
        let mut outcomes = std::mem::take(&mut self.perform.outcomes);
        self.perform.engine.poll(&mut outcomes);
        let mut done = outcomes.drain(..);
        while let Some((waiting, sequence, left)) = self.perform.next(&mut done) {
            let origin = waiting.origin;
            self.complete(waiting, sequence);
            if left == 0 || left * 2 == self.homes.limits.publisher_pending_max {
                self.unpause(origin, Pause::Log);
            }
        }
        drop(done);
        self.perform.outcomes = outcomes;
    }

    fn complete(&mut self, waiting: Waiting, sequence: u64) {
        let Waiting { origin, publish, completion, .. } = waiting;
        let tally = match &completion {
            Completion::Tally(tally) if tally.counted => Some(Arc::clone(tally)),
            _ => None,
        };
        let mut heard = true;
        if let Some(logged) = publish {
            heard = self.tell_logged(origin, logged, sequence, tally);
        }
        match completion {
            Completion::None => {}
            Completion::Acknowledge { link, packet_id, qos } => {
                let reason = if heard { Reason::SUCCESS } else { Reason::NO_MATCHING_SUBSCRIBERS };
                self.acknowledge(link, packet_id, qos, reason, None);
            }
            Completion::Answer { link, packet_id, qos, reason, why } => {
                self.acknowledge(link, packet_id, qos, reason, why.as_deref());
            }
            Completion::Tally(tally) if tally.counted => {}
            Completion::Tally(tally) => tally.accepted(sequence),
        }
    }

    fn tell_logged(
        &mut self,
        origin: Origin,
        logged: Logged,
        sequence: u64,
        tally: Option<Arc<Tally>>,
    ) -> bool {
        let Logged { principal, publication, retained_before } = logged;
        let kept = Arc::clone(&publication);
        let (topic, retain) = (kept.message.topic(), kept.message.retain());
        let now_ms = self.homes.now.wall_ms;
        // Room was checked at the door; a race for the last place costs at most the overshoot.
        let stored = if retain { self.retained.apply(&kept, sequence, now_ms) } else { Ok(0) };
        // After that: whoever subscribes meanwhile gets it from what is retained.
        let mut route = self.route(super::ingress::Who::Principal(&principal), topic);
        let mut order = stored.unwrap_or(0);
        if retain && stored == Ok(0) {
            // Another reactor stored a newer one first. Who subscribed after this one came may have
            // got that already, and is not given the older now.
            order = retained_before + 1;
            route.targets = self.router.here_after(topic, order).targets;
        }
        let source = publication.map(|_| Source::kept(&kept));
        self.tell(origin, &route, source, order, tally) || retain
    }
}
