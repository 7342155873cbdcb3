//! Everything that is neither client nor network: the authority's answers, services that publish
//! by the door, operators.

use super::{Asked, Parcel, World};
use crate::authority::{ALL, BAD, RIGHTS, Rights};
use crate::client::Kind;
use crate::ledger::{Attempt, Publisher};
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use node::auth::AuthOutcome;
use node::door::{Ingress, PublishRequest};
use node::post::Post;

impl World {
    /// Some of the questions about credentials are answered, in any order.
    pub(super) fn answer_some(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        let at = self.chance.below(self.asked.len());
        let Asked { reactor, link, socket, request } = self.asked.swap_remove(at);
        let owner = self.sockets[socket].owner;
        let client = &self.clients[owner];
        let bad = client.kind == Kind::Bad;
        let rights: Rights = if bad { BAD } else { RIGHTS[client.rights] };
        let refused = (bad && !request.client_id.starts_with("bad"))
            || (!self.healed && self.chance.one_in(self.swarm.odds.refusal));
        let ends = !self.healed && self.chance.one_in(self.swarm.odds.token);
        let ends_at_ms = ends.then(|| self.now.wall_ms + self.chance.below(60_000) as u64);
        let outcome = if refused {
            let why = "not now".to_owned();
            AuthOutcome::Refused { reason: Reason::NOT_AUTHORIZED, why, rule: "sim" }
        } else {
            AuthOutcome::Granted(self.authority.principal(&client.name, rights, ends_at_ms))
        };
        let (step, id) = (self.step, &client.id);
        self.trace.note(&[socket, usize::from(refused)], || {
            format!("{step:>6} {id} #{socket} is granted {rights:?}, refused: {refused}")
        });
        self.inboxes[reactor].push(Parcel::Answer { link, socket, outcome, rights });
    }

    /// A service publishes; it has no session, so nothing is said about order.
    pub(super) fn service(&mut self) {
        let topic = self.chance.pick(self.swarm.topics).to_owned();
        let qos = self.chance.pick(&[QoS::AtMostOnce, QoS::AtLeastOnce]);
        let m = self.message(topic, qos, true);
        self.promises.may_publish(&m);
        let request = PublishRequest {
            topic: m.topic,
            qos: m.qos,
            retain: m.retain,
            properties: m.properties,
            payload: m.payload,
            watch: None,
            key: None,
        };
        let principal = self.authority.principal("service", ALL, None);
        let ingress = Ingress { principal, request, reply: Box::new(drop) };
        let n = self.chance.below(self.swarm.reactors);
        self.inboxes[n].push(Parcel::Service(Box::new(ingress)));
    }

    /// The attempt that a service's publish is.
    pub(super) fn enter_service(&mut self, r: &PublishRequest) {
        use crate::ledger::{Fate, Scope};
        use mqtt::wire::Properties;
        if self.ledger.scope == Scope::Little {
            return;
        }
        let properties = Properties::trusted(&r.properties);
        let fate = if self.ledger.takes_all { Fate::Accepted } else { Fate::Maybe };
        self.ledger.enter(Attempt {
            content: (r.topic.clone(), r.payload.clone()),
            qos: r.qos,
            retain: r.retain,
            expiry_s: properties.expiry(),
            content_type: properties.content_type().map(str::to_owned),
            fate,
            ..Attempt::empty(Publisher::Service)
        });
    }

    /// An operator ends a connection or a session.
    pub(super) fn operator(&mut self) {
        let client = self.chance.below(self.clients.len());
        let id = self.clients[client].id.clone();
        let home = self.server.shards[0].home_of(&id);
        let step = self.step;
        self.trace.note(&[client], || format!("{step:>6} an operator ends {id}"));
        // Of a session that ends between two packets no client knows what was promised.
        let only_connections = self.keeping.is_log();
        let parcel = match if only_connections { 0 } else { self.chance.below(2) } {
            0 => Parcel::Post(Post::Disconnect(id, Box::new(drop))),
            _ => Parcel::Delete(id),
        };
        self.inboxes[home].push(parcel);
    }
}
