//! The table of what is measured, against which bar.
use super::house::Storage;

/// One load, measured for every competitor.
pub struct Scenario {
    /// What it is called on the command line and in the table.
    pub name: &'static str,
    /// Words for the load generator.
    pub arguments: &'static [&'static str],
    /// What of its figures counts.
    pub rows: &'static [Row],
    /// Which floor is its denominator.
    pub floor: Floor,
    /// Over which listener.
    pub transport: Transport,
    /// What gridhub's acknowledgements wait for; the others keep all in memory.
    pub storage: Storage,
    /// How long one server process is used.
    pub lifetime: Lifetime,
    /// How many times each competitor runs, unless told otherwise.
    pub pairs: usize,
}

/// One figure of a scenario and what it must not exceed.
pub struct Row {
    /// The load generator's name of it.
    pub figure: &'static str,
    /// For the reader.
    pub unit: &'static str,
    /// What must hold now.
    pub bar: Bar,
    /// What is to be reached in the end, as ratio or absolute like `bar`.
    pub goal: &'static str,
}

/// The most a figure may be.
#[derive(Clone, Copy)]
pub enum Bar {
    /// Times the floor, median of paired ratios.
    Floor(f64),
    /// The figure itself.
    Most(f64),
    /// Times Mosquitto, median of paired ratios.
    Mosquitto(f64),
    /// The figure itself, where more is better.
    Least(f64),
    /// Shown, not judged.
    None,
}

/// The load generator's relay modes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Floor {
    /// No relay can do this.
    Absent,
    /// One to one.
    Pairs,
    /// One to all.
    Fan,
    /// All to one.
    Join,
}

/// Which listener the clients use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Plain TCP, anonymous.
    Tcp,
    /// TLS 1.3; gridhub asks for a token there.
    Tls,
}

/// How long a server process lives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// One process for all runs.
    Scenario,
    /// A new one each run: memory is compared with a fresh start.
    Run,
}

const fn row(figure: &'static str, unit: &'static str, bar: Bar, goal: &'static str) -> Row {
    Row { figure, unit, bar, goal }
}

const fn flow(
    name: &'static str,
    arguments: &'static [&'static str],
    rows: &'static [Row],
    floor: Floor,
    pairs: usize,
) -> Scenario {
    let (transport, lifetime) = (Transport::Tcp, Lifetime::Scenario);
    let storage = Storage::Memory;
    Scenario { name, arguments, rows, floor, transport, storage, lifetime, pairs }
}

const fn tls(
    name: &'static str,
    arguments: &'static [&'static str],
    rows: &'static [Row],
) -> Scenario {
    let (transport, lifetime) = (Transport::Tls, Lifetime::Scenario);
    let (storage, floor) = (Storage::Memory, Floor::Absent);
    Scenario { name, arguments, rows, floor, transport, storage, lifetime, pairs: 3 }
}

const fn memory(
    name: &'static str,
    arguments: &'static [&'static str],
    rows: &'static [Row],
) -> Scenario {
    let (transport, lifetime) = (Transport::Tcp, Lifetime::Run);
    let (storage, floor) = (Storage::Memory, Floor::Absent);
    Scenario { name, arguments, rows, floor, transport, storage, lifetime, pairs: 3 }
}

/// What waits for a session that is away: on disk for us, in memory for Mosquitto.
const fn durable(
    name: &'static str,
    arguments: &'static [&'static str],
    rows: &'static [Row],
) -> Scenario {
    let (transport, lifetime) = (Transport::Tcp, Lifetime::Scenario);
    let (storage, floor) = (Storage::Disk, Floor::Absent);
    Scenario { name, arguments, rows, floor, transport, storage, lifetime, pairs: 3 }
}

const DELIVERY: &str = "cpu_us_per_delivery";
const US: &str = "CPU-µs a delivery";

/// In the order of performance.md.
pub const SCENARIOS: &[Scenario] = &[
    flow(
        "pairs-q0",
        &["pairs", "--qos", "0", "--n", "100", "--window", "16"],
        &[row(DELIVERY, US, Bar::Floor(2.0), "1.5 x floor")],
        Floor::Pairs,
        3,
    ),
    flow(
        "pairs-q1",
        &["pairs", "--qos", "1", "--n", "100", "--window", "16"],
        &[row(DELIVERY, US, Bar::Floor(2.0), "1.5 x floor")],
        Floor::Pairs,
        3,
    ),
    flow(
        "pairs-q2",
        &["pairs", "--qos", "2", "--n", "100", "--window", "16"],
        &[row(DELIVERY, US, Bar::Floor(2.0), "1.5 x floor")],
        Floor::Pairs,
        3,
    ),
    flow(
        "pairs-q1-v5",
        &["pairs", "--v5", "--qos", "1", "--n", "100", "--window", "16"],
        &[row(DELIVERY, US, Bar::Floor(2.0), "1.5 x floor")],
        Floor::Pairs,
        3,
    ),
    flow(
        "window1-q0",
        &["pairs", "--qos", "0", "--n", "100", "--window", "1"],
        &[row(DELIVERY, US, Bar::Floor(1.3), "1.25 x floor")],
        Floor::Pairs,
        9,
    ),
    flow(
        "window1-q1",
        &["pairs", "--qos", "1", "--n", "100", "--window", "1"],
        &[row(DELIVERY, US, Bar::Floor(1.3), "1.25 x floor")],
        Floor::Pairs,
        9,
    ),
    flow(
        "pairs-q0-4k",
        &["pairs", "--qos", "0", "--n", "100", "--window", "16", "--size", "4096"],
        &[row(DELIVERY, US, Bar::None, "1.4 x floor")],
        Floor::Pairs,
        3,
    ),
    flow(
        "fanout-q0",
        &["fanout", "--qos", "0", "--n", "1000", "--window", "4"],
        &[row(DELIVERY, US, Bar::Floor(1.5), "1.25 x floor")],
        Floor::Fan,
        9,
    ),
    flow(
        "fanout-q1",
        &["fanout", "--qos", "1", "--n", "1000", "--window", "4"],
        &[row(DELIVERY, US, Bar::None, "1.1 x floor")],
        Floor::Fan,
        9,
    ),
    flow(
        "fanin-q0",
        &["fanin", "--qos", "0", "--n", "1000", "--window", "4"],
        &[row(DELIVERY, US, Bar::None, "1.25 x floor")],
        Floor::Join,
        9,
    ),
    flow(
        "fanin-q1",
        &["fanin", "--qos", "1", "--n", "1000", "--window", "4"],
        &[row(DELIVERY, US, Bar::None, "1.5 x floor")],
        Floor::Join,
        3,
    ),
    flow(
        "paced",
        &["paced", "--qos", "1", "--n", "100", "--rate", "10000"],
        &[
            row(DELIVERY, US, Bar::None, "-"),
            row("p50_us", "µs, median", Bar::None, "1.25 x floor"),
            row("p99_us", "µs, 99 %", Bar::None, "1.5 x floor"),
        ],
        Floor::Pairs,
        3,
    ),
    flow(
        "storm",
        &["storm", "--conc", "64"],
        &[row("cpu_us_per_connect", "CPU-µs a connect", Bar::None, "1.2 x floor")],
        Floor::Pairs,
        3,
    ),
    memory(
        "idle",
        &["idle", "--n", "15000"],
        &[row("rss_bytes_per_conn", "bytes a connection", Bar::Most(1200.0), "900")],
    ),
    memory(
        "wild",
        &["wild", "--subs", "200000", "--n", "1000", "--pubs", "4", "--window", "1000"],
        &[
            row(DELIVERY, US, Bar::None, "3.5"),
            row("rss_bytes_per_sub", "bytes a filter", Bar::Most(220.0), "160"),
        ],
    ),
    memory(
        "retained",
        &["retained", "--msgs", "200000"],
        &[row("all_ms", "ms for 200k retained", Bar::Most(250.0), "250")],
    ),
    tls(
        "tls-pairs-q0",
        &["pairs", "--tls", "--qos", "0", "--n", "100", "--window", "16"],
        &[row(DELIVERY, US, Bar::None, "1.3, 0.15 x Mosquitto")],
    ),
    tls(
        "tls-storm",
        &["storm", "--tls", "--conc", "16"],
        &[row("cpu_us_per_connect", "CPU-µs a connect", Bar::None, "330, 0.75 x Mosquitto")],
    ),
    Scenario {
        name: "tls-idle",
        arguments: &["idle", "--tls", "--n", "5000"],
        rows: &[row("rss_bytes_per_conn", "bytes a connection", Bar::None, "12000")],
        floor: Floor::Absent,
        transport: Transport::Tls,
        storage: Storage::Memory,
        lifetime: Lifetime::Run,
        pairs: 3,
    },
    durable(
        "offline",
        &["offline", "--msgs", "200000"],
        &[
            row("enqueue_cpu_us", "CPU-µs a message queued", HALF, "0.5 x Mosquitto"),
            row("drain_cpu_us", "CPU-µs a message drained", QUARTER, "0.25 x Mosquitto"),
        ],
    ),
    durable(
        "offline-v5",
        &["offline", "--v5", "--msgs", "200000"],
        &[
            row("enqueue_cpu_us", "CPU-µs a message queued", HALF, "0.5 x Mosquitto"),
            row("drain_cpu_us", "CPU-µs a message drained", QUARTER, "0.25 x Mosquitto"),
        ],
    ),
    durable(
        "offline-256",
        &["offline", "--v5", "--msgs", "500000", "--pubs", "256", "--window", "16"],
        &[
            row("enqueue_s", "messages queued a second", Bar::Least(150_000.0), "150000"),
            row("enqueue_cpu_us", "CPU-µs a message queued", HALF, "0.5 x Mosquitto"),
        ],
    ),
];

const HALF: Bar = Bar::Mosquitto(0.5);
const QUARTER: Bar = Bar::Mosquitto(0.25);
