//! Posts: publishes of other reactors, and requests of the control plane.

use crate::door::{PublishRequest, Reply};
use crate::durable::Waits;
use crate::inspect::{SessionDetail, SessionSummary};
use crate::link::Pause;
use crate::losses::Losses;
use crate::post::{Content, Deleted, Post, PostedPublish, PublishBatch};
use crate::session::{Origin, Session, State};
use crate::shard::Shard;
use crate::source::Source;
use broker::publication::Publication;
use broker::share::MemberId;
use mqtt::client_id::ClientId;
use mqtt::message::Message;
use mqtt::reason::Reason;
use mqtt::wire::Version;
use std::sync::Arc;

impl Shard {
    /// Takes in a post.
    pub fn post_in(&mut self, post: Post) {
        match post {
            Post::Publishes(batch) => {
                if let Some(batch) = self.heard.in_time(*batch) {
                    self.publishes(batch);
                }
            }
            Post::Facts(facts) => self.hear_facts(&facts),
            Post::Read(answer) => self.read(*answer),
            Post::Ingress(ingress) => self.ingress(*ingress),
            Post::Own(request) => self.own(&request),
            Post::Authenticated(link, outcome) => self.authenticated(link, outcome),
            Post::Asked(asked) => self.asked(*asked),
            Post::Devices(page, reply) => reply(self.page(&page)),
            Post::DeviceCounts(reply) => reply(self.device_counts()),
            Post::Scan(scan, reply) => reply(self.scan(*scan)),
            Post::Groups(ask) => self.group_asked(*ask),
            Post::Taken(taken) => self.outlet_taken(*taken),
            Post::Feedback(ask) => self.feedback_asked(*ask),
            Post::Jobs(ask) => self.job_asked(*ask),
            Post::Sessions(reply) => reply(self.summaries()),
            Post::Session(client, reply) => reply(self.detail(&client)),
            Post::Disconnect(client, reply) => reply(self.disconnect_client(&client)),
            Post::Delete(client, reply) => self.delete_client(&client, reply),
        }
    }

    fn own(&mut self, r: &PublishRequest) {
        let message = Message::new(&r.topic, &r.properties, &r.payload, r.qos, true);
        let mut publication = Publication::new(message);
        publication.charge_to(self.homes.meter.account());
        let publication = Arc::new(publication);
        let now_ms = self.homes.now.wall_ms;
        // Not in the log: it is told anew after a start. Without room only the live copy is told.
        let order = self.retained.apply(&publication, 0, now_ms).unwrap_or(u64::MAX);
        let route = self.router.own_route(&r.topic, order);
        if let Some(permit) = route.permit {
            let publish = permit.authorize(Source::kept(&publication));
            self.tell(Origin::NOBODY, &route, publish, order, None);
        }
    }

    /// Publishes that were authorized where they came in: only their receivers here are told.
    pub(crate) fn publishes(&mut self, mut batch: PublishBatch) {
        // Before anything that they may get, and their news.
        self.router.take_joins();
        self.share_post(&mut batch);
        if !batch.feedback.is_empty() {
            self.outbox_hears(std::mem::take(&mut batch.feedback));
        }
        if !batch.jobs.is_empty() {
            self.jobs_hear(std::mem::take(&mut batch.jobs));
        }
        let mut bytes = batch.bytes.as_slice();
        for item in &batch.items {
            let source = match &item.content {
                Content::Shared(publication) => Source::kept(publication),
                Content::Inline { topic, properties, payload, qos, retain, deadline_ms } => {
                    let (topic, rest) = bytes.split_at(*topic as usize);
                    let (properties, rest) = rest.split_at(*properties as usize);
                    let (payload, rest) = rest.split_at(*payload as usize);
                    bytes = rest;
                    // Copied from a str by the reactor that sent it.
                    let Ok(topic) = std::str::from_utf8(topic) else { continue };
                    Source::borrowed(topic, properties, payload, (*qos, *retain), *deadline_ms)
                }
            };
            self.hear(item, source);
        }
    }

    fn hear(&mut self, item: &PostedPublish, mut s: Source<'_>) {
        let here = if item.order > 0 {
            self.router.here_after(s.topic, item.order)
        } else {
            self.router.here(s.topic)
        };
        if let Some(tally) = &item.tally {
            tally.routed(self.acknowledging(&here.targets, &here.groups, s.qos));
        }
        self.tell_here(item.origin, &here.targets, &here.groups, &mut s);
    }

    fn summaries(&self) -> Vec<SessionSummary> {
        self.homes.sessions.iter().map(|(_, s)| summary(s)).collect()
    }

    fn detail(&self, client: &str) -> Option<SessionDetail> {
        let slot = self.homes.find(client)?;
        let s = self.homes.sessions.at(slot)?;
        let session = self.homes.session_ref(slot);
        let limits = &self.homes.limits;
        let link = s.link().and_then(|l| self.homes.links.at(l));
        let now_ms = self.homes.now.wall_ms;
        let expires_in_s = match s.state {
            State::Detached { ends_at_ms, .. } | State::Attaching { ends_at_ms, .. }
                if ends_at_ms != u64::MAX =>
            {
                Some(ends_at_ms.saturating_sub(now_ms) / 1_000)
            }
            _ => None,
        };
        let index = &self.router.index;
        let granted = |id| index.get(id, session).map_or(0, |r| r.options.qos().bits());
        let shared = |(text, member): (&Arc<str>, &MemberId)| {
            (text.to_string(), self.homes.shares.granted(*member).bits())
        };
        let (losses, paused) = (s.losses.as_deref(), link.filter(|l| l.flags.paused != 0));
        let seconds_since = |at_ms: u64| self.homes.now.mono_ms.saturating_sub(at_ms) / 1_000;
        let kept = s.outbound.unacknowledged().filter_map(|u| Some(u.kept?.publication.bytes()));
        Some(SessionDetail {
            summary: summary(s),
            protocol: if s.version == Version::V5 { "5" } else { "3.1.1" },
            home: self.homes.me,
            expiry_s: s.expiry_s,
            expires_in_s,
            keep_alive_s: link.map_or(0, |l| l.keep_alive_s),
            inflight_out: s.outbound.open(),
            inflight_out_max: s.window,
            inflight_carried: s.durable.as_ref().map_or(0, |d| d.exchanges().carried.len()),
            inflight_bytes: kept.sum(),
            inflight_in: s.received.len(),
            queued_bytes: s.queued().1,
            queue_messages_max: limits.session_queue_messages_max,
            queue_bytes_max: limits.session_queue_bytes_max,
            dropped: losses.map_or(0, Losses::total),
            dropped_by: losses.map_or_else(Vec::new, Losses::by_reason),
            stalled_for_s: losses.and_then(Losses::stalled_since_ms).map(seconds_since),
            paused_by: paused.map_or_else(Vec::new, |l| l.pauses().map(Pause::name).collect()),
            paused_for_s: paused.and_then(|l| Some(seconds_since(l.extra.as_ref()?.paused_at_ms))),
            output_bytes: link.map_or(0, |l| l.output.len()),
            output_bytes_max: limits.output_bytes_max,
            alias_bytes: link.map_or(0, |l| l.aliases.bytes()),
            alias_bytes_max: limits.topic_alias_bytes_max,
            filters: s
                .filters
                .iter()
                .map(|id| (index.filter(*id).to_owned(), granted(*id)))
                .chain(s.shares.iter().flat_map(|shares| &shares.members).map(shared))
                .collect(),
            will_topic: s.will.as_ref().map(|w| w.message.topic().to_owned()),
        })
    }

    fn disconnect_client(&mut self, client: &str) -> bool {
        let link = self.homes.find(client).and_then(|slot| self.homes.sessions.at(slot)?.link());
        if let Some(link) = link {
            self.disconnect(link, Reason::ADMINISTRATIVE_ACTION, "an operator disconnected it");
        }
        link.is_some()
    }

    fn delete_client(&mut self, client: &str, reply: Reply<Deleted>) {
        let found = self.homes.find(client).is_some();
        self.disconnect_client(client);
        if let Some(slot) = self.homes.find(client) {
            self.end_session(slot);
        }
        let waits = Waits::Reply(reply);
        let waiting = match ClientId::parse(client) {
            Ok(client) => self.endings.wait(&client, waits),
            Err(_) => Err(waits),
        };
        if let Err(Waits::Reply(reply)) = waiting {
            reply(if found { Deleted::Done } else { Deleted::Absent });
        }
    }
}

impl Shard {
    /// The principal of a session, for a refusal in words.
    pub(crate) fn name_of(&self, slot: u32) -> Arc<str> {
        self.homes.sessions.at(slot).map_or_else(|| "".into(), |s| Arc::clone(&s.principal.name))
    }
}

fn summary(s: &Session) -> SessionSummary {
    SessionSummary {
        client_id: s.client.as_str().to_owned(),
        name: Arc::clone(&s.principal.name),
        connected: s.link().is_some(),
        durable: s.durable.is_some(),
        subscriptions: s.subscriptions(),
        queued_messages: s.queued().0,
    }
}
