//! What a seed is about: how many reactors and clients, which bounds are small, what goes wrong
//! how often. Each seed turns features on and off, so that rare combinations come up.

use crate::chance::Chance;
use broker::limits::{Limits, QueueFull};
use mqtt::qos::QoS;

/// The configuration of one seed.
pub(crate) struct Swarm {
    pub reactors: usize,
    /// How often each reactor gets a turn, relative to the others.
    pub speeds: Vec<usize>,
    pub limits: Limits,
    pub steps: usize,
    /// Clients that keep to the standard.
    pub clients: usize,
    /// Of them, those that only subscribe and listen: a fan-out by jobs needs many.
    pub crowd: usize,
    /// Clients that send broken bytes.
    pub bad: usize,
    /// Principals that the clients share.
    pub names: usize,
    /// Bytes that wait between a server and a client before the server's socket is full.
    pub pipe_bytes: usize,
    /// Most bytes that one read brings.
    pub read_bytes: usize,
    /// Payloads are up to this long.
    pub payload_bytes: usize,
    pub topics: &'static [&'static str],
    pub filters: &'static [&'static str],
    pub qos_max: QoS,
    /// Once in so many: 0 = never.
    pub odds: Odds,
    /// The namespace lies in a log: what happens to it, and how often.
    pub log: Option<LogOdds>,
}

/// How likely each thing is with a log, once in so many, 0 = never: `work` of all steps, the others
/// of what is rare in that work.
pub(crate) struct LogOdds {
    pub work: usize,
    /// The power goes.
    pub crash: usize,
    /// The server is stopped in order and started again.
    pub stop: usize,
    /// The disk has no room for a while.
    pub full: usize,
    /// One call of the disk fails.
    pub broken: usize,
}

/// How likely each thing is: once in so many, 0 = never.
pub(crate) struct Odds {
    pub v311: usize,
    pub clean: usize,
    pub retain: usize,
    pub clear: usize,
    pub expiry: usize,
    pub alias: usize,
    pub will: usize,
    pub identifier: usize,
    pub no_local: usize,
    pub small_packets: usize,
    pub small_window: usize,
    pub keep_alive: usize,
    pub token: usize,
    pub loss: usize,
    /// Of losses: the server does not hear of it.
    pub half_open: usize,
    pub crash: usize,
    pub take_over: usize,
    pub stall: usize,
    pub rights: usize,
    pub renewal: usize,
    pub refusal: usize,
    pub clock: usize,
    pub service: usize,
    pub operator: usize,
}

impl Swarm {
    pub fn new(c: &mut Chance) -> Self {
        let reactors = c.pick(&[1, 2, 8]);
        let grid = c.one_in(6);
        // Everybody at one topic: what is rare between two clients happens often.
        let narrow = c.one_in(4);
        let base = if grid { Limits::event_grid() } else { Limits::open() };
        let crowd = if c.one_in(24) { 66 + c.below(8) } else { 0 };
        let speed = |c: &mut Chance| c.pick(&[1, 1, 4, 16]);
        let clients = 2 + c.below(6) + crowd;
        let names = if grid { clients } else { 1 + c.below(clients) };
        let mut this = Self {
            reactors,
            speeds: (0..reactors).map(|_| speed(c)).collect(),
            limits: limits(base, c),
            steps: c.pick(&[2_000, 6_000, 15_000]) + crowd * 20,
            clients,
            crowd,
            bad: if c.one_in(3) { 1 + c.below(2) } else { 0 },
            names,
            pipe_bytes: c.pick(&[20, 200, 5_000]),
            read_bytes: c.pick(&[3, 40, 300]),
            payload_bytes: c.pick(&[0, 30, 200]),
            // In profile event-grid every topic that begins with `$` is reserved.
            topics: match (narrow, grid) {
                (true, _) => &TOPICS[1..2],
                (_, true) => &TOPICS[..6],
                _ => &TOPICS,
            },
            filters: match (narrow, grid) {
                (true, _) => &FILTERS[1..5],
                (_, true) => &FILTERS[..9],
                _ => &FILTERS,
            },
            qos_max: if grid || c.one_in(5) { QoS::AtLeastOnce } else { QoS::ExactlyOnce },
            odds: odds(grid, narrow, c),
            log: None,
        };
        if c.one_in(3) {
            this.keep_in_log(c);
        }
        this
    }

    /// The namespace lies in a log. Rights stay as they are: who lost some would have lost
    /// subscriptions that he cannot know of.
    fn keep_in_log(&mut self, c: &mut Chance) {
        (self.odds.rights, self.odds.renewal) = (0, 0);
        self.odds.expiry = c.pick(&[0, self.odds.expiry]);
        if c.one_in(3) {
            // Segments fill.
            (self.payload_bytes, self.read_bytes, self.pipe_bytes) = (3_000, 5_000, 20_000);
        }
        // Drawn by nothing, so that a seed stays what it was.
        if !self.clients.is_multiple_of(3) {
            let behind = [0, 3, 30][(self.clients + self.names) % 3];
            self.limits.carried_behind_records_max = behind;
            self.limits.carried_after_s = (self.names % 3) as u32;
        }
        self.limits.dropped_held_messages_max = [1, 1_024, 4, 1][(self.clients + self.names) % 4];
        self.log = Some(LogOdds {
            work: c.pick(&[2, 4, 12]),
            crash: c.pick(&[3, 10, 40]),
            stop: c.pick(&[0, 30, 100]),
            full: c.pick(&[0, 0, 10]),
            broken: c.pick(&[0, 0, 20]),
        });
    }

    /// Whether a publish that is allowed is certainly taken: no bound may refuse it.
    pub fn takes_all(limits: &Limits) -> bool {
        limits.queue_full != QueueFull::Refuse
            && limits.retained_messages_max > TOPICS.len()
            && limits.retained_total_bytes_max > 100_000
    }
}

/// Some bounds small, each with its policy.
fn limits(mut l: Limits, c: &mut Chance) -> Limits {
    l.session_expiry_max_s = c.pick(&[40, 300]);
    l.will_delay_max_s = c.pick(&[15, 300]);
    let small = |c: &mut Chance| c.one_in(3);
    if small(c) {
        l.session_queue_messages_max = c.pick(&[1, 2, 5]);
    }
    if small(c) {
        l.session_queue_bytes_max = c.pick(&[100, 400]);
    }
    l.queue_full = c.pick(&[
        QueueFull::DropOldest,
        QueueFull::DropNewest,
        QueueFull::Refuse,
        QueueFull::EndSession,
    ]);
    if small(c) {
        l.output_bytes_max = c.pick(&[60, 300, 1_000]);
    }
    if small(c) {
        l.inflight_out_max = c.pick(&[1, 2, 5]);
        l.inflight_out_v311_max = c.pick(&[1, 2, 5]);
    }
    if small(c) {
        l.receive_max = c.pick(&[1, 2, 5]);
    }
    if small(c) {
        l.topic_alias_max = c.pick(&[0, 1, 3]);
    }
    if small(c) {
        l.fanout_per_turn_max = c.pick(&[1, 3, 20]);
    }
    if small(c) {
        l.publisher_pending_max = c.pick(&[1, 2, 4]);
    }
    if small(c) {
        l.log_queue_bytes_max = 100;
    }
    if small(c) {
        l.post_bytes_max = c.pick(&[0, 200]);
    }
    if c.one_in(8) {
        l.retained_messages_max = c.pick(&[1, 3]);
    }
    if c.one_in(8) {
        l.retained_total_bytes_max = 200;
    }
    if c.one_in(6) {
        l.subscriptions_per_session_max = c.pick(&[1, 3]);
    }
    if c.one_in(8) {
        l.sessions_per_name_max = c.pick(&[1, 2]);
    }
    l
}

fn odds(grid: bool, narrow: bool, c: &mut Chance) -> Odds {
    let rarely = |c: &mut Chance| c.pick(&[0, 0, 30, 8]);
    let often = |c: &mut Chance| c.pick(&[0, 6, 3, 2]);
    let loss = c.pick(&[0, 60, 20]);
    Odds {
        v311: c.pick(&[0, 2, 3, 1]),
        clean: c.pick(&[0, 10, 3]),
        retain: if narrow { c.pick(&[1, 2, 4]) } else { often(c) },
        clear: c.pick(&[0, 4]),
        expiry: often(c),
        alias: often(c),
        will: often(c),
        identifier: if grid { 0 } else { often(c) },
        no_local: rarely(c),
        small_packets: rarely(c),
        small_window: often(c),
        keep_alive: often(c),
        token: c.pick(&[0, 0, 0, 10]),
        loss,
        half_open: c.pick(&[0, 2]),
        crash: c.pick(&[0, 100, 40]),
        take_over: c.pick(&[0, 80, 20]),
        stall: c.pick(&[0, 60, 20]),
        rights: rarely(c),
        renewal: c.pick(&[0, 20]),
        refusal: c.pick(&[0, 0, 10]),
        clock: c.pick(&[0, 100, 20]),
        service: c.pick(&[0, 100, 20]),
        operator: c.pick(&[0, 0, 200]),
    }
}

const TOPICS: [&str; 7] = ["a", "a/b", "a/c", "b", "b/c", "b/c/d", "$x/a"];
const FILTERS: [&str; 10] = ["#", "a/#", "a/+", "+/b", "a/b", "b", "+/+", "b/c/#", "+", "$x/#"];
