//! Clients, operators and the clock around the reactors: performs a script's actions and shows
//! what everybody received.

use super::authority::Authority;
use super::client_packet;
use super::connection::End;
use super::fields::Fields;
use super::fold::fold;
use super::keeping::Kept;
use super::reactors::{Posts, Reactors};
use super::script::Action;
use super::server_packet;
use broker::limits::Limits;
use broker::publication::Watch;
use mqtt::qos::QoS;
use mqtt::wire::Property;
use node::counters::Loss;
use node::door::{Ingress, PublishRequest, Published, RequestKey};
use node::inspect::{SessionDetail, SessionSummary};
use node::post::{Deleted, Post};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Everything around the reactors.
pub struct World {
    reactors: Reactors,
    limits: Arc<Limits>,
    authority: Authority,
    /// Names of clients, in the order of their first line.
    clients: Vec<String>,
    /// The connection that a client has or had last.
    current: HashMap<usize, usize>,
    /// What the door and operators were told.
    said: Said,
    /// Assigned client identifiers in the order they were seen: they differ with the reactor.
    assigned: Vec<String>,
}

/// Lines from reactors' callbacks.
type Said = Arc<Mutex<Vec<String>>>;

struct Watcher(Said);

impl Watch for Watcher {
    fn delivered(&self) {
        say(&self.0, "door< delivered".to_owned());
    }
}

impl World {
    /// A world with so many reactors.
    pub fn new(reactors: usize, limits: Limits, memory_bytes_max: usize, kept: Kept) -> Self {
        let limits = Arc::new(limits);
        Self {
            reactors: Reactors::new(reactors, &limits, memory_bytes_max, kept),
            limits,
            authority: Authority::default(),
            clients: Vec::new(),
            current: HashMap::new(),
            said: Said::default(),
            assigned: Vec::new(),
        }
    }

    /// Performs one action; nothing is decoded before `settle`, except what is about sockets.
    pub fn act(&mut self, action: &Action) {
        match action {
            Action::Send(client, packet) => self.send(client, packet),
            Action::Socket(client, what) => self.socket(client, what),
            Action::Clock { real_ms, domain_ms } => {
                self.reactors.now.mono_ms += real_ms;
                self.reactors.now.wall_ms += domain_ms;
            }
            Action::Principal(rule) => {
                self.authority.rule(rule, self.reactors.now.wall_ms);
            }
            Action::Door(text) => self.door(text),
            Action::Admin(text) => self.admin(text),
            Action::Setting(_) => {}
        }
    }

    /// Everything settles.
    pub fn settle(&mut self) {
        self.reactors.settle(&self.authority);
    }

    /// What was received since the last call, client by client.
    pub fn received(&mut self) -> Vec<String> {
        let mut shown: Vec<Vec<String>> = vec![Vec::new(); self.clients.len()];
        for c in &mut self.reactors.connections {
            let name = &self.clients[c.client];
            while let Some(line) = server_packet::take(&mut c.received, c.version, &self.limits) {
                let line = named(&mut self.assigned, &line);
                shown[c.client].push(format!("{name}< {line}"));
            }
            if c.end == End::Closed {
                assert!(c.received.is_empty(), "half a packet before the end: {:?}", c.received);
                c.end = End::Gone;
                shown[c.client].push(format!("{name}< closed"));
            }
        }
        shown.push(std::mem::take(&mut *self.said.lock().expect("no panic under this lock")));
        fold(shown)
    }

    fn send(&mut self, client: &str, packet: &str) {
        let at = self.connection(client);
        let c = &mut self.reactors.connections[at];
        let bytes = client_packet::encode(packet, &mut c.version);
        c.unread.extend_from_slice(&bytes);
        c.arrived = true;
    }

    fn socket(&mut self, client: &str, what: &str) {
        let at = self.connection(client);
        match what {
            "open" => {}
            "lost" => self.reactors.lost(at),
            "stall" => self.reactors.connections[at].stalled = true,
            "read" => {
                self.reactors.connections[at].stalled = false;
                self.reactors.read(at);
            }
            _ => panic!("no such thing happens to a socket: {what}"),
        }
    }

    /// The client's connection; a new one if it has none.
    fn connection(&mut self, name: &str) -> usize {
        let client = match self.clients.iter().position(|c| c == name) {
            Some(client) => client,
            None => {
                self.clients.push(name.to_owned());
                self.clients.len() - 1
            }
        };
        match self.current.get(&client) {
            Some(at) if self.reactors.connections[*at].end == End::Open => *at,
            _ => {
                let at = self.reactors.accept(client);
                self.current.insert(client, at);
                at
            }
        }
    }

    /// `PUBLISH q=1 topic=t payload="x" retain=1 expiry=5 watch=1 name=bob rights=a/#`.
    fn door(&mut self, text: &str) {
        let mut f = Fields::of(text.strip_prefix("PUBLISH").expect("door> PUBLISH ..."));
        let said = Arc::clone(&self.said);
        let mut properties = Vec::new();
        if let Some(seconds) = f.number("expiry") {
            Property::MessageExpiry(seconds).encode(&mut properties).expect("it fits");
        }
        let rights = f.text("rights").unwrap_or_else(|| "#".to_owned());
        let name = f.text("name").unwrap_or_else(|| "service".to_owned());
        let watch = f.flag("watch").unwrap_or(false);
        let request = PublishRequest {
            topic: f.text("topic").unwrap_or_default(),
            qos: QoS::from_bits(f.number("q").unwrap_or(0)).expect("a QoS"),
            retain: f.flag("retain").unwrap_or(false),
            properties,
            payload: f.bytes("payload").unwrap_or_default(),
            watch: watch.then(|| Arc::new(Watcher(Arc::clone(&said))) as Arc<dyn Watch>),
            key: f.text("key").map(|key| RequestKey {
                key: key.into(),
                item: None,
                kept_ms: 120_000,
            }),
        };
        f.end();
        let principal = self.authority.principal(&name, vec![rights], vec![], None);
        let reply = Box::new(move |p| say(&said, format!("door< {}", published(&p, watch))));
        let ingress = Ingress { principal, request, reply };
        self.reactors.post_somewhere(Post::Ingress(Box::new(ingress)));
    }

    fn admin(&mut self, text: &str) {
        let (verb, client) = text.split_once(' ').unwrap_or((text, ""));
        let said = Arc::clone(&self.said);
        let owned = client.to_owned();
        match verb {
            "disconnect" => {
                let reply = Box::new(move |done| say(&said, format!("admin< {done}")));
                self.reactors.post_home(client, Post::Disconnect(owned, reply));
            }
            "delete" => {
                let done = |deleted| matches!(deleted, Deleted::Done);
                let reply = Box::new(move |d| say(&said, format!("admin< {}", done(d))));
                self.reactors.post_home(client, Post::Delete(owned, reply));
            }
            "session" => {
                let reply = Box::new(move |found| say(&said, detail(found)));
                self.reactors.post_home(client, Post::Session(owned, reply));
            }
            "sessions" => self.reactors.post_all(|| {
                let said = Arc::clone(&said);
                Post::Sessions(Box::new(move |found| summaries(&said, found)))
            }),
            "dropped" => {
                let counted = Loss::ALL.iter().map(|why| (why.name(), self.reactors.dropped(*why)));
                let some: String = counted
                    .filter(|(_, n)| *n > 0)
                    .map(|(name, n)| format!(" {name}={n}"))
                    .collect();
                say(&said, format!("admin< dropped{some}"));
            }
            "groups" => {
                let [groups, waiting, returned] = self.reactors.shared();
                let line = format!("groups={groups} waiting={waiting} returned={returned}");
                say(&said, format!("admin< {line}"));
            }
            "memory" => say(&said, format!("admin< memory {}", self.reactors.level().name())),
            "posts" if client == "full" => self.reactors.posts_are = Posts::Full,
            "posts" => self.reactors.posts_are = Posts::Free,
            "shutdown" => self.reactors.shut_down(),
            _ => panic!("no such request: {text}"),
        }
    }
}

fn published(p: &Published, watched: bool) -> String {
    match p {
        Published::Accepted { subscribers, .. } if watched => {
            format!("accepted subscribers={subscribers}")
        }
        Published::Accepted { .. } => "accepted".to_owned(),
        Published::Denied(denied) => format!("denied 0x{:02x}", denied.reason().code()),
        Published::Refused { reason, why } => format!("refused 0x{:02x} {why}", reason.code()),
        Published::Unstored { why } => format!("unstored {why}"),
    }
}

/// What does not depend on the number of reactors and on the clock's start.
fn detail(found: Option<SessionDetail>) -> String {
    let Some(d) = found else { return "admin< no session".to_owned() };
    let filters: String = d.filters.iter().map(|(f, q)| format!(" f={f} q={q}")).collect();
    let mut troubles = String::new();
    for (why, n) in &d.dropped_by {
        troubles += &format!(" {why}={n}");
    }
    if let Some(seconds) = d.stalled_for_s {
        troubles += &format!(" stalled={seconds}s");
    }
    if let Some(seconds) = d.paused_for_s {
        troubles += &format!(" paused={}:{seconds}s", d.paused_by.join("+"));
    }
    let will = d.will_topic.map_or(String::new(), |topic| format!(" will={topic}"));
    format!(
        "admin< session {} connected={} protocol={} expiry={} expires-in={:?} out={}/{} in={} \
         queued={} dropped={}{troubles}{will}{filters}",
        d.summary.client_id,
        u8::from(d.summary.connected),
        d.protocol,
        d.expiry_s,
        d.expires_in_s,
        d.inflight_out,
        d.inflight_out_max,
        d.inflight_in,
        d.summary.queued_messages,
        d.dropped,
    )
}

/// All reactors answer: sorted, so that their number does not matter.
fn summaries(said: &Said, found: Vec<SessionSummary>) {
    let mut said = said.lock().expect("no panic under this lock");
    said.extend(found.into_iter().map(|s| {
        let connected = u8::from(s.connected);
        format!("admin< session {} connected={connected}", s.client_id)
    }));
    said.sort();
}

fn say(said: &Said, line: String) {
    said.lock().expect("no panic under this lock").push(line);
}

/// Assigned identifiers by the order in which they were seen.
fn named(assigned: &mut Vec<String>, line: &str) -> String {
    let Some(at) = line.find("auto-") else { return line.to_owned() };
    let end = line[at..].find(' ').map_or(line.len(), |n| at + n);
    let id = &line[at..end];
    let number = assigned.iter().position(|known| known == id).unwrap_or_else(|| {
        assigned.push(id.to_owned());
        assigned.len() - 1
    });
    format!("{}auto#{}{}", &line[..at], number + 1, &line[end..])
}
