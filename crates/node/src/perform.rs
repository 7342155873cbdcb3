//! Persist, then tell. What must be in the log waits here until it is; acknowledgements of one
//! publisher keep their order behind it (core.md 2 and 4).
//!
//! Owns what waits and in which order. What a fact means to its hearers is `facts`' to know.

use crate::journal::{Entry, Message};
use crate::link::Pause;
use crate::record::{Record, Told, What};
use crate::session::Origin;
use crate::shard::Shard;
use crate::source::Source;
use crate::tally::{Counting, Tally};
use crate::waiting::{Completion, Logged, Waiting, Way};
use engine::{Engine, Form};
use hashbrown::HashMap;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use std::collections::VecDeque;
use std::sync::Arc;
use store::log::{Hold, Kind, Need, StreamId};
use store::op::{Append, NamespaceId, Op, Outcome, Sequence, Ticket};

/// Publishes and acknowledgements that wait for the log, in order.
pub(crate) struct Perform {
    engine: Engine<Record>,
    namespace: NamespaceId,
    last_ticket: u64,
    waiting: VecDeque<Waiting>,
    held: HashMap<Origin, usize, foldhash::fast::RandomState>,
    /// How many publishes wait, and their bytes.
    publishes: usize,
    bytes: usize,
    /// Bytes of telemetry that waits: nobody's queue has to take it.
    telemetry_bytes: usize,
    outcomes: Vec<Outcome>,
    /// Bytes of an entry while it is submitted.
    scratch: Vec<u8>,
}

impl Perform {
    pub fn new(engine: Engine<Record>, namespace: NamespaceId) -> Self {
        Self {
            engine,
            namespace,
            last_ticket: 0,
            waiting: VecDeque::new(),
            held: HashMap::default(),
            publishes: 0,
            bytes: 0,
            telemetry_bytes: 0,
            outcomes: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Whether something of this publisher waits: what it sends now waits behind it.
    #[inline]
    pub fn holds(&self, origin: Origin) -> bool {
        !self.waiting.is_empty() && self.held.contains_key(&origin)
    }

    /// Puts a step at the end that only keeps its place. Gives how many steps of this publisher
    /// wait.
    pub fn keep_place(&mut self, waiting: Waiting) -> usize {
        self.publishes += usize::from(waiting.publish.is_some());
        self.bytes += waiting.bytes();
        self.telemetry_bytes += waiting.telemetry_bytes;
        let held = self.held.entry(waiting.origin).or_insert(0);
        *held += 1;
        let count = *held;
        self.waiting.push_back(waiting);
        count
    }

    /// Puts a publish at the end that need not be kept: `others` hear of it in its place too.
    pub fn pass(&mut self, mut waiting: Waiting, others: u64) -> usize {
        if let (Engine::Log(log), Some(Logged { publication, .. })) =
            (&mut self.engine, &waiting.publish)
        {
            self.last_ticket += 1;
            let ticket = Ticket(self.last_ticket);
            let (origin, tally) = (waiting.origin, waiting.completion.counting());
            let publication = Arc::clone(publication);
            let told = Told { origin, publication, order: 0, key_ends_at_ms: None, tally };
            log.pass(ticket, others, Record(What::Publish(told)));
            waiting.ticket = Some(ticket);
        }
        self.keep_place(waiting)
    }

    /// Puts a publish at the end; its record goes to the log. Gives how many steps of this
    /// publisher wait.
    pub fn submit(&mut self, mut waiting: Waiting, way: &Way<'_>) -> usize {
        if let Some(Logged { publication, .. }) = &waiting.publish {
            self.last_ticket += 1;
            let ticket = Ticket(self.last_ticket);
            let publication = Arc::clone(publication);
            let namespace = self.namespace;
            match &mut self.engine {
                Engine::Memory(memory) => {
                    let (deadline_ms, record) = (publication.deadline_ms, publication);
                    memory.submit(Op::Append(Append { namespace, deadline_ms, record }), ticket);
                }
                Engine::Log(log) => {
                    let message = Message::of(&publication, way.publisher);
                    self.scratch.clear();
                    message.encode_head(&mut self.scratch);
                    let [topic, properties, payload] = message.parts();
                    let entry = Entry::Message(message);
                    let form = Form {
                        kind: entry.kind(),
                        hold: entry.hold(),
                        namespace,
                        streams: way.streams,
                        payload: &[&self.scratch, topic, properties, payload],
                    };
                    let tally = waiting.completion.counting();
                    let publication = Arc::clone(&publication);
                    let key_ends_at_ms = way.publisher.key_ends_at_ms();
                    let (origin, order) = (waiting.origin, 0);
                    let told = Told { origin, publication, order, key_ends_at_ms, tally };
                    log.submit(ticket, way.others, form, Record(What::Publish(told)));
                }
            }
            waiting.ticket = Some(ticket);
        }
        self.keep_place(waiting)
    }

    /// Puts a message of the telemetry channel at the end; its record goes to the log, in these
    /// streams. Gives how many steps of this publisher wait.
    pub fn append(
        &mut self,
        (origin, streams): (Origin, &[StreamId]),
        payload: &[&[u8]],
        record: Record,
        completion: Completion,
    ) -> usize {
        let Engine::Log(log) = &mut self.engine else { return 0 };
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        let (kind, namespace) = (Kind(hub::channel::ENVELOPE), self.namespace);
        let form = Form { kind, hold: Hold::No, namespace, streams, payload };
        log.submit(ticket, 0, form, record);
        let telemetry_bytes = payload.iter().map(|part| part.len()).sum();
        let answer = Waiting::answer(origin, completion);
        self.keep_place(Waiting { ticket: Some(ticket), telemetry_bytes, ..answer })
    }

    /// Whether there is a log.
    pub fn keeps(&self) -> bool {
        matches!(self.engine, Engine::Log(_))
    }

    /// Puts an entry of a session at the end. Nobody's publishes wait for it.
    pub fn write(&mut self, entry: &Entry<'_>, completion: Completion) {
        let mut payload = std::mem::take(&mut self.scratch);
        payload.clear();
        entry.encode(&mut payload);
        let what = match entry {
            Entry::Clock(clock) => What::Clock(clock.wall_ms),
            _ => What::Own,
        };
        self.write_payload((entry.kind(), &payload), what, completion);
        self.scratch = payload;
    }

    /// As [`write`](Self::write), of an entry that was encoded.
    pub fn write_payload(
        &mut self,
        (kind, payload): (Kind, &[u8]),
        what: What,
        completion: Completion,
    ) {
        self.put((kind, payload), (Hold::UntilReleased, &[]), what, completion);
    }

    /// As [`write`](Self::write), of what lies in this index stream. Nobody hears of it there.
    pub fn write_to(&mut self, stream: StreamId, entry: &Entry<'_>, completion: Completion) {
        let mut payload = std::mem::take(&mut self.scratch);
        payload.clear();
        entry.encode(&mut payload);
        let needed = (entry.hold(), &[stream][..]);
        self.put((entry.kind(), &payload), needed, What::Own, completion);
        self.scratch = payload;
    }

    fn put(
        &mut self,
        (kind, payload): (Kind, &[u8]),
        (hold, streams): (Hold, &[StreamId]),
        what: What,
        completion: Completion,
    ) {
        let Engine::Log(log) = &mut self.engine else { return };
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        let namespace = self.namespace;
        let form = Form { kind, hold, namespace, streams, payload: &[payload] };
        log.submit(ticket, 0, form, Record(what));
        let (ticket, origin) = (Some(ticket), Origin::LOG);
        self.waiting.push_back(Waiting { ticket, ..Waiting::answer(origin, completion) });
    }

    /// What facts have changed of what the log has to keep.
    pub fn need(&mut self, need: Need) {
        if let Engine::Log(log) = &mut self.engine {
            log.need(need);
        }
    }

    /// The turn's records go to whoever makes facts.
    pub fn flush(&mut self) {
        if let Engine::Log(log) = &mut self.engine {
            log.flush();
        }
    }

    /// What the log has to keep is told now, not with the next records: others may let go of it.
    pub fn flush_needs(&mut self) {
        if let Engine::Log(log) = &mut self.engine {
            log.flush_needs();
            log.flush();
        }
    }

    /// How many publishes wait, and their bytes.
    pub fn publishes(&self) -> (usize, usize) {
        (self.publishes, self.bytes)
    }

    /// Whether nothing waits.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes of the publishes and the telemetry that wait.
    pub fn bytes(&self) -> usize {
        self.bytes + self.telemetry_bytes
    }

    /// Bytes of the steps, without their publications, which are charged where they were made.
    pub fn own_bytes(&self) -> usize {
        self.waiting.len() * size_of::<Waiting>()
    }

    /// The next step that waits for nothing.
    pub fn next_free(&mut self) -> Option<(Waiting, usize)> {
        self.waiting.front().filter(|front| front.ticket.is_none())?;
        self.next()
    }

    /// The next step, if it is the one that has become a fact.
    pub fn next_of(&mut self, ticket: Ticket) -> Option<(Waiting, usize)> {
        let front = self.waiting.front()?;
        debug_assert_eq!(front.ticket, Some(ticket), "outcomes come in the order of submission");
        self.next()
    }

    /// Moves what memory has made facts into `outcomes`.
    fn poll(&mut self, outcomes: &mut Vec<Outcome>) {
        if let Engine::Memory(memory) = &mut self.engine {
            memory.poll(outcomes);
        }
    }

    /// The first step, and how many steps its publisher still has.
    fn next(&mut self) -> Option<(Waiting, usize)> {
        let waiting = self.waiting.pop_front()?;
        self.publishes -= usize::from(waiting.publish.is_some());
        self.bytes -= waiting.bytes();
        self.telemetry_bytes -= waiting.telemetry_bytes;
        let mut left = 0;
        if let Some(held) = self.held.get_mut(&waiting.origin) {
            *held -= 1;
            left = *held;
            if left == 0 {
                self.held.remove(&waiting.origin);
            }
        }
        Some((waiting, left))
    }
}

impl Shard {
    /// Goes on with everything that waits for nothing more, as far as that is known here: what
    /// the log has made a fact comes by a post.
    pub(crate) fn settle(&mut self) {
        let mut outcomes = std::mem::take(&mut self.perform.outcomes);
        self.perform.poll(&mut outcomes);
        self.settle_free();
        for Outcome { ticket, sequence } in outcomes.drain(..) {
            if let Some((waiting, left)) = self.perform.next_of(ticket) {
                let origin = waiting.origin;
                self.complete_in_memory(waiting, sequence.0);
                self.has_left(origin, left);
            }
            self.settle_free();
        }
        self.perform.outcomes = outcomes;
    }

    /// Steps at the front that have nothing in the log.
    pub(crate) fn settle_free(&mut self) {
        while let Some((waiting, left)) = self.perform.next_free() {
            let origin = waiting.origin;
            self.complete_in_memory(waiting, 0);
            self.has_left(origin, left);
        }
    }

    /// A publisher has so many steps left that wait.
    pub(crate) fn has_left(&mut self, origin: Origin, left: usize) {
        if left == 0 || left * 2 == self.homes.limits.publisher_pending_max {
            self.unpause(origin, Pause::Log);
        }
    }

    /// Retained value first, then receivers, then the acknowledgement.
    pub(crate) fn complete_in_memory(&mut self, waiting: Waiting, sequence: u64) {
        let Waiting { origin, publish, completion, .. } = waiting;
        let tally = completion.counting();
        let mut heard = true;
        if let Some(logged) = publish {
            heard = self.tell_in_memory(origin, logged, sequence, tally);
        }
        self.follow(completion, heard, sequence);
    }

    /// What follows a step that is a fact.
    pub(crate) fn follow(&mut self, completion: Completion, heard: bool, sequence: u64) {
        match completion {
            Completion::None | Completion::Beside => {}
            Completion::Acknowledge { link, packet_id, qos } => {
                let reason = if heard { Reason::SUCCESS } else { Reason::NO_MATCHING_SUBSCRIBERS };
                self.acknowledge(link, packet_id, qos, reason, None);
            }
            Completion::Answer { link, packet_id, qos, reason, why } => {
                self.answer_waited(link, packet_id, qos, reason, why.as_deref());
            }
            Completion::Tally(tally) if tally.counting == Counting::Yes => {}
            Completion::Tally(tally) => tally.accepted(sequence),
            Completion::Packet { link, bytes } => self.send_waited(link, &bytes),
            Completion::Kept(kept) => self.kept(kept, Sequence(sequence)),
            Completion::Command(written) => self.command_written(*written, Sequence(sequence)),
            Completion::Device(written) => self.device_written(*written, Sequence(sequence)),
            Completion::Report(reporting) => self.reported(*reporting, Sequence(sequence)),
            Completion::Job(written) => self.job_written(*written, Sequence(sequence)),
            Completion::Feedback(settling) => self.feedback_settled(*settling, Sequence(sequence)),
            Completion::Telemetry { link, packet_id } => {
                self.acknowledge(link, packet_id, QoS::AtLeastOnce, Reason::SUCCESS, None);
            }
            Completion::Asker(reply) => reply(Ok(())),
            Completion::Channel(kept) => self.channel_kept(*kept, Sequence(sequence)),
            Completion::Clock => self.clock_kept(Sequence(sequence)),
            Completion::Group(group, stream) => {
                self.group_kept(group, stream, Some(Sequence(sequence)))
            }
            Completion::Carried(group, stream, from) => {
                self.group_carried((group, stream, from), Some(Sequence(sequence)));
            }
        }
    }

    fn tell_in_memory(
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
