//! A registry at its home, on a disk that crashes: what was answered is there afterwards, each
//! version of a twin was handed out once, and a full disk changes nothing (iot-hub B1, C3).

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use broker::access::{Authorizer, SessionQuota};
use broker::budget::Budget;
use broker::limits::Limits;
use broker::rate::SharedBucket;
use broker::retained::Retained;
use broker::subscription::Interest;
use crashdisk::{CrashDisk, Fault, below};
use engine::{Committer, Engine, Intake, LogEnd, Memory};
use hub::errors::{ErrorCode, Refusal};
use hub::identity::{
    BulkRow, Fresh, Generation, IdentityId, Policies, RowError, Wanted, WantedAuthentication,
};
use hub::query::Query;
use hub::twin::Mode;
use hub::{Etag, IfMatch};
use node::counters::Counters;
use node::devices::{Ask, Asked, Counts, Hub, Page, Scan};
use node::door::Reply;
use node::journal::{Replay, SessionId};
use node::keys::KeyRecords;
use node::now::Now;
use node::post::Post;
use node::record::{Record, settle};
use node::{Settings, Shard, resume};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use store::log::{Log, Options};
use store::op::{NamespaceId, Sequence};

const NAMESPACE: NamespaceId = NamespaceId(1);
const NOW_MS: u64 = 1_700_000_000_000;

/// One reactor, and where its records become facts.
struct World {
    disk: CrashDisk,
    shard: Shard,
    retained: Arc<Retained>,
    interest: Arc<Interest>,
    keys: Arc<KeyRecords>,
    committer: Option<Committer<CrashDisk, Record>>,
    told: Vec<Post>,
    numbers: u64,
}

/// An answer that has come, or has not.
type Answer<T> = Arc<Mutex<Option<T>>>;
/// The etag after a write, or why there was none.
type Patched = Answer<Result<u64, Refusal>>;

impl World {
    fn in_memory() -> Self {
        Self::of(CrashDisk::new(1), Engine::Memory(Memory::new(LogEnd::default())), None)
    }

    fn on(disk: CrashDisk) -> Self {
        let mut replay = Replay::new();
        let options = Options { segment_bytes: 16 * 1024, identity: 7 };
        let opened = Log::open(disk.clone(), options, |record| replay.take(record).unwrap());
        let mut log = opened.unwrap().log;
        let mut found = replay.finish();
        resume(&mut log, &mut found, NAMESPACE).unwrap();
        let intake = Intake::new(|| {});
        let engine = Engine::Log(intake.handle(0));
        let mut world = Self::of(disk, engine, Some(Committer::new(log, intake)));
        world.shard.restore_devices(found.devices);
        world
    }

    fn of(
        disk: CrashDisk,
        engine: Engine<Record>,
        committer: Option<Committer<CrashDisk, Record>>,
    ) -> Self {
        let limits = Arc::new(Limits::open());
        let (interest, retained) = (Arc::new(Interest::new(1)), Arc::new(Retained::new(&limits)));
        let keys: Arc<KeyRecords> = Arc::default();
        let shard = Shard::new(Settings {
            reactor: 0,
            reactors: 1,
            authorizer: Authorizer::new(&limits),
            limits,
            quota: Arc::new(SessionQuota::new(9)),
            budget: Arc::new(Budget::new(1 << 30, None, 1)),
            connects: Arc::new(SharedBucket::default()),
            interest: Arc::clone(&interest),
            retained: Arc::clone(&retained),
            keys: Arc::clone(&keys),
            engine,
            log_end: Sequence(0),
            clock_record: None,
            first_session: SessionId(1),
            hub: Some(Arc::new(Hub::new(vec!["hub".into()], Policies::default()))),
            namespace: NAMESPACE,
            counters: Arc::new(Counters::default()),
            seed: [1, 7],
        });
        Self { disk, shard, retained, interest, keys, committer, told: Vec::new(), numbers: 0 }
    }

    /// The power goes: what was synced is there, and some of the rest.
    fn crash(self) -> Self {
        let Self { disk, shard, committer, numbers, .. } = self;
        drop((shard, committer));
        disk.crash();
        Self { numbers, ..Self::on(disk) }
    }

    fn post<T: Send + 'static>(&mut self, post: impl FnOnce(Reply<T>) -> Post) -> Answer<T> {
        let answer: Answer<T> = Arc::default();
        let into = Arc::clone(&answer);
        let reply: Reply<T> = Box::new(move |value| {
            let before = into.lock().unwrap().replace(value);
            assert!(before.is_none(), "an answer comes once");
        });
        self.shard.begin(Now { mono_ms: 1, wall_ms: NOW_MS }, 0);
        self.shard.post_in(post(reply));
        self.shard.end();
        answer
    }

    fn ask<T: Send + 'static>(&mut self, id: &str, ask: impl FnOnce(Reply<T>) -> Ask) -> Answer<T> {
        let id = IdentityId::parse(id).unwrap();
        self.post(|reply| Post::Asked(Box::new(Asked { id, ask: ask(reply) })))
    }

    /// One commit, and what follows.
    fn commit(&mut self) {
        let Some(committer) = &mut self.committer else { return };
        let told = &mut self.told;
        committer.step(
            |fact, needs| {
                settle(fact, needs, &self.retained, &self.interest, &self.keys, NOW_MS);
            },
            |_, facts| told.push(Post::Facts(facts)),
        );
        self.shard.begin(Now { mono_ms: 1, wall_ms: NOW_MS }, 0);
        for post in std::mem::take(&mut self.told) {
            self.shard.post_in(post);
        }
        self.shard.end();
    }

    fn fresh(&mut self) -> Box<Fresh> {
        self.numbers += 1;
        let generation = Generation::beginning(NOW_MS, self.numbers);
        let (etag, primary, secondary) = (Etag(self.numbers), [1; 32], [2; 32]);
        Box::new(Fresh { generation, etag, primary, secondary, now_ms: NOW_MS })
    }

    fn put(&mut self, id: &str, if_match: IfMatch) -> Answer<Result<bool, Refusal>> {
        let wanted = Wanted::read(b"{}", IdentityId::parse(id).unwrap()).unwrap();
        assert_eq!(wanted.authentication, WantedAuthentication::Generated);
        let fresh = self.fresh();
        self.ask(id, |reply: Reply<Result<bool, Refusal>>| {
            let reply: Reply<_> = Box::new(move |put: Result<node::devices::Placed, Refusal>| {
                reply(put.map(|placed| placed.is_new));
            });
            Ask::Put(Box::new(wanted), if_match, fresh, reply)
        })
    }

    fn patch(&mut self, id: &str, body: &str) -> Patched {
        let body = body.as_bytes().to_vec();
        self.ask(id, |reply: Reply<Result<u64, Refusal>>| {
            let reply: Reply<_> = Box::new(move |shown: Result<_, Refusal>| {
                reply(shown.map(|shown: node::devices::TwinShown| shown.etag.0));
            });
            Ask::WriteTwin(Mode::Merge, body, IfMatch::Any, reply)
        })
    }

    fn twin(&mut self, id: &str) -> Result<String, Refusal> {
        let answer = self.ask(id, Ask::Twin);
        self.settled();
        take(&answer).map(|shown| String::from_utf8(shown.json).unwrap())
    }

    fn settled(&mut self) {
        (0..50).for_each(|_| self.commit());
    }

    fn counts(&mut self) -> Counts {
        take(&self.post(Post::DeviceCounts))
    }

    fn devices(&mut self) -> Vec<String> {
        let page = Page { after: None, count: 9 };
        let shown = take(&self.post(|reply| Post::Devices(Box::new(page), reply)));
        shown.iter().map(|shown| shown.identity.names().0.to_owned()).collect()
    }
}

fn take<T>(answer: &Answer<T>) -> T {
    answer.lock().unwrap().take().expect("it has come")
}

fn code<T: std::fmt::Debug>(answer: Result<T, Refusal>) -> ErrorCode {
    answer.unwrap_err().code
}

#[test]
fn nothing_is_answered_before_it_is_a_fact_and_all_that_was_is_there_after_a_crash() {
    let mut world = World::on(CrashDisk::new(3));
    let created = world.put("d1", IfMatch::Absent);
    let patched = world.patch("d1", r#"{"tags":{"a":1}}"#);
    assert!(created.lock().unwrap().is_none() && patched.lock().unwrap().is_none());
    world.commit();
    assert_eq!(take(&created), Ok(true));
    assert!(patched.lock().unwrap().is_none(), "its own record comes behind");
    world.commit();
    assert_eq!(take(&patched), Ok(2));
    let unanswered = world.patch("d1", r#"{"tags":{"a":2}}"#);
    let mut world = world.crash();
    assert!(unanswered.lock().unwrap().is_none());
    assert!(world.twin("d1").unwrap().contains(r#""version":3,"tags":{"a":1}"#));
    assert_eq!(world.counts(), Counts { enabled: 1, ..Counts::default() });
    assert_eq!(
        code(take_after(&mut world, |w| w.put("d1", IfMatch::Absent))),
        ErrorCode::DeviceAlreadyExists
    );
}

fn take_after<T>(world: &mut World, ask: impl FnOnce(&mut World) -> Answer<T>) -> T {
    let answer = ask(world);
    world.settled();
    take(&answer)
}

#[test]
fn a_device_takes_its_modules_with_it_and_stays_away() {
    let mut world = World::on(CrashDisk::new(4));
    let put =
        |world: &mut World, id: &str| take_after(world, |world| world.put(id, IfMatch::Absent));
    assert_eq!(code(put(&mut world, "d1/m")), ErrorCode::DeviceNotFound);
    for id in ["d1", "d1/m", "d1/n", "d2"] {
        assert_eq!(put(&mut world, id), Ok(true));
    }
    assert!(take_after(&mut world, |w| w.patch("d1/m", r#"{"tags":{"a":1}}"#)).is_ok());
    let modules = take(&world.ask("d1", Ask::Modules)).unwrap();
    assert_eq!(modules.len(), 2);
    let gone = take_after(&mut world, |w| w.ask("d1", |reply| Ask::Delete(IfMatch::Any, reply)));
    assert_eq!(gone, Ok(()));
    let mut world = world.crash();
    assert_eq!(world.devices(), ["d2"]);
    assert_eq!(code(world.twin("d1/m")), ErrorCode::ModuleNotFound);
    // A new life has a new twin.
    assert_eq!(put(&mut world, "d1"), Ok(true));
    assert_eq!(put(&mut world, "d1/m"), Ok(true));
    let mut world = world.crash();
    assert!(world.twin("d1/m").unwrap().contains(r#""version":2,"tags":{}"#));
    assert_eq!(world.counts().enabled, 2);
}

#[test]
fn a_full_disk_refuses_and_changes_nothing() {
    let mut world = World::on(CrashDisk::new(6));
    assert_eq!(take_after(&mut world, |w| w.put("d1", IfMatch::Absent)), Ok(true));
    world.disk.plan(0, Fault::Full(1 << 40));
    let large = |n: u64| format!("{{\"tags\":{{\"n\":{n},\"x\":\"{}\"}}}}", "y".repeat(3_000));
    let mut written = 0;
    let refused = loop {
        match take_after(&mut world, |world| world.patch("d1", &large(written + 1))) {
            Ok(_) => written += 1,
            Err(refusal) => break refusal.code,
        }
        assert!(written < 100, "a segment has 16 KB");
    };
    assert_eq!(refused, ErrorCode::ServiceUnavailable);
    let refused = world.patch("d1", &large(99));
    let behind = world.patch("d1", r#"{"tags":{"x":null,"b":1}}"#);
    world.commit();
    assert_eq!(code(take(&refused)), ErrorCode::ServiceUnavailable);
    world.disk.mend();
    world.settled();
    assert!(take(&behind).is_ok(), "what waited has its turn");
    let mut world = world.crash();
    let tags = format!("\"tags\":{{\"n\":{written},\"b\":1}}");
    let twin = world.twin("d1").unwrap();
    assert!(twin.contains(&tags), "{tags} {twin}");
    assert_eq!(world.devices(), ["d1"]);
}

/// Rows of a bulk operation, one of which would leave half of itself.
#[test]
fn a_row_is_whole_or_not_at_all() {
    for mut world in [World::in_memory(), World::on(CrashDisk::new(8))] {
        let body = br#"[
            {"id":"d1","importMode":"create","tags":{"a":1}},
            {"id":"d2","importMode":"create","tags":{"$a":1}},
            {"id":"d1","importMode":"updateTwin","tags":{"b":2}}
        ]"#;
        let mut rows = BulkRow::read_all(body).unwrap().into_iter();
        let mut row = |world: &mut World| {
            let (row, fresh) = (Box::new(rows.next().unwrap()?), world.fresh());
            let id = row.id.to_string();
            take_after(world, |world| world.ask(&id, |reply| Ask::Row(row, fresh, reply)))
        };
        assert_eq!(row(&mut world), Ok(()));
        let refused: Result<(), RowError> = row(&mut world);
        assert_eq!(refused.unwrap_err().refusal.code, ErrorCode::ArgumentInvalid);
        let twice = row(&mut world).unwrap_err().refusal.code;
        assert_eq!(twice, ErrorCode::DeviceDefinedMultipleTimes);
        assert_eq!(world.devices(), ["d1"]);
        assert!(world.twin("d1").unwrap().contains(r#""tags":{"a":1}"#));
    }
}

#[test]
fn queries_go_through_all_of_a_home_in_parts() {
    let mut world = World::in_memory();
    for n in 0..2_500 {
        let id = format!("d{n:04}");
        assert_eq!(take(&world.put(&id, IfMatch::Absent)), Ok(true));
        if n % 5 == 0 {
            assert!(take(&world.patch(&id, r#"{"tags":{"fifth":true}}"#)).is_ok());
        }
    }
    let query = "SELECT deviceId FROM devices WHERE tags.fifth = true";
    let (rows, parts) = scan(&mut world, query, 400);
    assert_eq!((rows.len(), parts), (500, 3));
    assert_eq!(rows[1], r#"{"deviceId":"d0005"}"#);
    let query = "SELECT COUNT() AS n FROM devices GROUP BY tags.fifth";
    assert_eq!(scan(&mut world, query, 9).0, [r#"{"n":500}"#, r#"{"n":2000}"#]);
}

fn scan(world: &mut World, query: &str, rows: usize) -> (Vec<String>, usize) {
    let query = Arc::new(Query::parse(query).unwrap());
    let (mut found, mut parts, mut after, mut tally) = (Vec::new(), 0, None, query.tally());
    loop {
        let scan = Scan { query: Arc::clone(&query), after, rows, tally };
        let part = take(&world.post(|reply| Post::Scan(Box::new(scan), reply))).unwrap();
        parts += 1;
        found.extend(part.rows.into_iter().map(|(_, row)| String::from_utf8(row).unwrap()));
        (after, tally) = (part.next, part.tally);
        if after.is_none() {
            let mut row = |row: &[u8]| found.push(String::from_utf8(row.to_vec()).unwrap());
            tally.iter().for_each(|tally| tally.write_rows(&mut row));
            return (found, parts);
        }
    }
}

/// Whatever the crash leaves: an answered write is there, and no version comes twice.
#[test]
fn random_histories_lose_nothing_that_was_answered() {
    let mut crashes = 0;
    for seed in 0..40 {
        let mut chance = seed * 2 + 1;
        let mut world = World::on(CrashDisk::new(seed));
        // By device: the highest answered value, and the highest that was asked for.
        let mut answered: BTreeMap<String, u64> = BTreeMap::new();
        let mut asked: Vec<(String, u64, Patched)> = Vec::new();
        let mut etags: BTreeMap<String, u64> = BTreeMap::new();
        let mut value = 0;
        for _ in 0..300 {
            let id = format!("d{}", below(&mut chance, 3));
            match below(&mut chance, 12) {
                0 => drop(world.put(&id, IfMatch::Absent)),
                1 => drop(world.put(&id, IfMatch::Any)),
                2 => {
                    world = world.crash();
                    crashes += 1;
                    asked.clear();
                    for (id, value) in &answered {
                        let twin = world.twin(id).unwrap();
                        let json: serde_json::Value = serde_json::from_str(&twin).unwrap();
                        assert!(json["tags"]["n"].as_u64() >= Some(*value), "{seed}: {id} {twin}");
                    }
                    etags.clear();
                }
                3 | 4 => world.commit(),
                _ => {
                    value += 1;
                    let answer = world.patch(&id, &format!("{{\"tags\":{{\"n\":{value}}}}}"));
                    asked.push((id, value, answer));
                }
            }
            asked.retain(|(id, value, answer)| {
                let Some(answer) = answer.lock().unwrap().take() else { return true };
                if let Ok(etag) = answer {
                    let before = etags.insert(id.clone(), etag);
                    assert!(before.is_none_or(|before| before < etag), "{before:?} {etag}");
                    answered.insert(id.clone(), *value);
                }
                false
            });
        }
    }
    assert!(crashes > 500, "{crashes}");
}
