//! SUBSCRIBE and UNSUBSCRIBE (MQTT 5, 3.8 and 3.10): each filter on its own, one answer.

use crate::devices::Subscribed;
use crate::durable::Then;
use crate::handover::Handover;
use crate::journal::Subscription;
use crate::session::Session;
use crate::shard::Shard;
use broker::access::Principal;
use broker::limits::{SharedSubscriptions, SubscriptionIdentifiers};
use broker::subscription::{
    FilterId, NumbersSpent, Receiver, ReceiverOptions, SessionRef, Unsubscribed,
};
use hub::plane::Since;
use mqtt::error::Wrong;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::topic::{SharedFilter, TopicError, TopicFilter};
use mqtt::wire::subscribe::Requested;
use mqtt::wire::{
    Diagnostics, RetainHandling, SubAckOut, Subscribe, UnsubAckOut, Unsubscribe, Version,
};
use std::sync::Arc;

/// What became of one filter.
struct Granted<'a> {
    qos: QoS,
    /// The retained messages it is to get.
    handover: Option<Handover>,
    /// As the log has to know it, where the session is kept.
    subscription: Option<Subscription<'a>>,
}

impl Shard {
    pub(crate) fn on_subscribe(&mut self, link: u32, s: &Subscribe<'_>) -> Result<(), Wrong> {
        let limits = Arc::clone(&self.homes.limits);
        let Some((l, slot, session)) = self.homes.attached(link) else { return Ok(()) };
        let (version, flags) = (l.version, l.flags);
        let principal = Arc::clone(&session.principal);
        if s.subscription_id.is_some()
            && limits.subscription_identifiers == SubscriptionIdentifiers::Refused
        {
            return Err(NO_IDENTIFIERS);
        }
        let strict = limits.shared_subscriptions == SharedSubscriptions::Version5;
        if version == Version::V311 && strict && s.filters.iter().any(|r| is_shared(r.text)) {
            return Err(SHARED_NEEDS_5);
        }
        let mut reasons = Vec::with_capacity(s.filters.count());
        let mut said = None;
        let mut handovers = Vec::new();
        let mut kept = Vec::new();
        let since = Since::of(s.properties);
        for (at, r) in s.filters.iter().enumerate() {
            let outcome = if at >= limits.filters_per_subscribe_max {
                Err((Reason::QUOTA_EXCEEDED, "event-grid 10", TOO_MANY.to_owned()))
            } else {
                let id = s.subscription_id.unwrap_or(0);
                self.subscribe_one(slot, &principal, &r, (id, since))
            };
            match outcome {
                Ok(Granted { qos, handover, subscription }) => {
                    self.homes.counters.subscribes.add(1);
                    reasons.push(qos_granted(qos).code());
                    handovers.extend(handover);
                    kept.extend(subscription);
                }
                Err((reason, rule, why)) => {
                    self.homes.counters.subscribes_refused.add(1);
                    let client = self.homes.client_of(link);
                    self.homes.refused(&client, reason, rule, why.clone());
                    said.get_or_insert(why);
                    reasons.push(match version {
                        Version::V5 => reason.code(),
                        // 3.1 has no code for a failure. Mosquitto answers the same.
                        Version::V311 if flags.mq_isdp => r.options.qos.bits(),
                        Version::V311 => 0x80,
                    });
                }
            }
        }
        let diagnostics =
            Diagnostics { reason_string: said.as_deref().filter(|_| !flags.terse), user: &[] };
        let ack = SubAckOut { packet_id: s.packet_id, reasons: &reasons, diagnostics };
        let max = self.packet_max(link);
        if !kept.is_empty() {
            let mut packet = Vec::new();
            let _ = ack.encode(version, max, &mut packet);
            self.keep_subscribed(link, slot, kept, packet, handovers);
            return Ok(());
        }
        if let Some(out) = self.homes.output(link) {
            let _ = ack.encode(version, max, out);
        }
        self.device_listens(slot);
        // Retained messages follow the SUBACK.
        for handover in handovers {
            self.hand_over(handover);
        }
        Ok(())
    }

    /// One filter, of the hub or of the broker.
    fn subscribe_one<'r>(
        &mut self,
        slot: u32,
        principal: &Arc<Principal>,
        r: &Requested<'r>,
        (id, since): (u32, Since),
    ) -> Result<Granted<'r>, (Reason, &'static str, String)> {
        let handover = None;
        match self.device_subscribe(slot, r, since) {
            Subscribed::Elsewhere => self.subscribe(slot, principal, r, id),
            Subscribed::Granted(qos, subscription) => {
                let subscription = self.durable(slot).map(|_| subscription);
                Ok(Granted { qos, handover, subscription })
            }
            Subscribed::Implicit => {
                Ok(Granted { qos: QoS::AtMostOnce, handover, subscription: None })
            }
            Subscribed::Refused(reason, why) => {
                Err((reason, "iot-hub A10", format!("'{}': {why}", r.text)))
            }
        }
    }

    /// One filter: what is granted, or why nothing is.
    fn subscribe<'r>(
        &mut self,
        slot: u32,
        principal: &Arc<Principal>,
        r: &Requested<'r>,
        id: u32,
    ) -> Result<Granted<'r>, (Reason, &'static str, String)> {
        let (filter, shared) = self.filter_of(r)?;
        let limits = &self.homes.limits;
        let allowed = self.router.authorizer().subscribe(&principal.permissions, filter);
        let filter = allowed
            .map_err(|d| (d.reason(), d.rule(), d.why(&principal.name, r.text)))?
            .into_inner();
        let session = self.homes.session_ref(slot);
        let before = match shared {
            Some(_) => self.member_at(slot, r.text),
            None => self.held(session, filter).map(|held| held.options.qos()),
        };
        let is_new = before.is_none();
        let held = self.homes.sessions.at(slot).map_or(0, Session::subscriptions);
        if is_new && held >= limits.subscriptions_per_session_max {
            return Err((Reason::QUOTA_EXCEEDED, "event-grid 10", TOO_MANY.to_owned()));
        }
        let qos = r.options.qos.min(limits.maximum_qos);
        let text = match shared {
            Some(_) => r.text.into(),
            None => self.router.index.text(filter),
        };
        let stream = self.hold(slot, &text, before, qos).map_err(|NumbersSpent| {
            (Reason::QUOTA_EXCEEDED, "streams", STREAMS_SPENT.to_owned())
        })?;
        let options = ReceiverOptions::new(qos, r.options.no_local, r.options.retain_as_published);
        if shared.is_some() {
            // It gets no retained messages (3.8.3.1).
            let member = self.join(slot, r.text, filter, (options, id), stream);
            let subscription =
                self.durable(slot).and_then(|_| self.homes.shares.kept(member, r.text));
            return Ok(Granted { qos, handover: None, subscription });
        }
        let scan = match r.options.retain_handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => is_new,
            RetainHandling::Never => false,
        };
        let since = if scan { self.retained.order() } else { 0 };
        // What is on its way here from another reactor is not lost to a subscription that replaces
        // one: it still comes live (3.8.4-4).
        let live_after = self.held(session, filter).map_or(since, |held| since.min(held.since));
        let receiver = Receiver { session, options, subscription_id: id, since: live_after };
        let done = self.router.index.subscribe_as(filter, || text, receiver);
        if done.first_for_filter {
            self.router.want(filter.as_str());
        }
        if done.is_new == broker::subscription::Subscription::New
            && let Some(s) = self.homes.sessions.at_mut(slot)
        {
            s.filters.push(done.filter_id);
        }
        let handover = scan.then(|| Handover::new(session, done.filter_id, since, qos, id));
        let read = self.reads(slot, done.filter_id, stream, qos);
        let subscription = read.map(|(stream, since)| Subscription {
            filter: r.text,
            options,
            subscription_id: id,
            stream,
            since,
        });
        Ok(Granted { qos, handover, subscription })
    }

    /// The filter that topics are compared with, and the shared one that it is a part of.
    fn filter_of<'r>(
        &self,
        r: &Requested<'r>,
    ) -> Result<(TopicFilter<'r>, Option<SharedFilter<'r>>), (Reason, &'static str, String)> {
        let limits = &self.homes.limits;
        let invalid = |e: TopicError| {
            (Reason::TOPIC_FILTER_INVALID, e.clause(), format!("'{}': {}", r.text, e.what()))
        };
        let whole = r.filter.map_err(invalid)?;
        let shared = SharedFilter::parse(r.text).map_err(invalid)?;
        if shared.is_some_and(|s| s.share.len() > limits.topic_bytes_max) {
            let why = format!("'{}': the share name is too long", r.text);
            return Err((Reason::TOPIC_FILTER_INVALID, "event-grid 10", why));
        }
        Ok((shared.map_or(whole, |s| s.filter), shared))
    }

    pub(crate) fn on_unsubscribe(&mut self, link: u32, u: &Unsubscribe<'_>) {
        let Some((l, slot, _)) = self.homes.attached(link) else { return };
        let version = l.version;
        let mut reasons = Vec::new();
        let mut ended = Vec::new();
        for (text, filter) in u.filters.iter() {
            if let Some(reason) = self.device_unsubscribe(slot, text) {
                ended.extend((reason == Reason::SUCCESS).then_some(text));
                reasons.push(reason.code());
                continue;
            }
            let gone = filter.is_ok_and(|f| match SharedFilter::parse(f.as_str()) {
                Ok(Some(_)) => self.leave(slot, f.as_str()),
                _ => self.unsubscribe(slot, f),
            });
            self.homes.counters.unsubscribes.add(u64::from(gone));
            ended.extend(filter.ok().filter(|_| gone).map(|f| f.as_str()));
            let reason = match (gone, filter.is_ok()) {
                (true, _) => Reason::SUCCESS,
                (false, true) => Reason::NO_SUBSCRIPTION_EXISTED,
                (false, false) => Reason::TOPIC_FILTER_INVALID,
            };
            reasons.push(reason.code());
        }
        let ack = UnsubAckOut {
            packet_id: u.packet_id,
            reasons: &reasons,
            diagnostics: Diagnostics::NONE,
        };
        let max = self.packet_max(link);
        if !ended.is_empty() && self.durable(slot).is_some() {
            let mut packet = Vec::new();
            let _ = ack.encode(version, max, &mut packet);
            let (link, packet, handovers) = (self.homes.link_id(link), packet.into(), Vec::new());
            return self.keep_unsubscribed(slot, ended, Then::Answer { link, packet, handovers });
        }
        if let Some(out) = self.homes.output(link) {
            let _ = ack.encode(version, max, out);
        }
    }

    fn unsubscribe(&mut self, slot: u32, filter: TopicFilter<'_>) -> bool {
        let session = self.homes.session_ref(slot);
        let before = self.held(session, filter).map(|held| held.options.qos());
        self.let_go(slot, filter.as_str(), before);
        let Some(gone) = self.router.index.unsubscribe(filter, session) else { return false };
        if gone.last_for_filter {
            self.router.unwant(filter.as_str());
        }
        if let Some(s) = self.homes.sessions.at_mut(slot) {
            s.filters.retain(|f| *f != gone.filter_id);
        }
        self.reads_no_more(slot, gone.filter_id);
        true
    }

    /// Ends every subscription of a session, or those whose filter (of a shared one: without
    /// `$share/{name}/`) `keep` refuses.
    pub(crate) fn unsubscribe_all(&mut self, slot: u32, keep: impl Fn(&Self, &str) -> bool) {
        let mut ended = self.leave_all(slot, &keep);
        let session = self.homes.session_ref(slot);
        let Some(s) = self.homes.sessions.at_mut(slot) else { return };
        let is_durable = s.is_durable();
        let filters = std::mem::take(&mut s.filters);
        let mut kept: Vec<FilterId> = Vec::new();
        for id in filters {
            let text = self.router.index.filter(id).to_owned();
            if keep(self, &text) {
                kept.push(id);
                continue;
            }
            if is_durable {
                let before = self.router.index.get(id, session).map(|r| r.options.qos());
                self.let_go(slot, &text, before);
            }
            let gone = self.router.index.unsubscribe_by_id(id, session);
            if let Some(Unsubscribed { last_for_filter: true, .. }) = gone {
                self.router.unwant(&text);
            }
            self.reads_no_more(slot, id);
            ended.push(text.into());
        }
        if let Some(s) = self.homes.sessions.at_mut(slot) {
            s.filters = kept.into();
        }
        if !ended.is_empty() && self.durable(slot).is_some() {
            let filters = ended.iter().map(|text| &**text).collect();
            self.keep_unsubscribed(slot, filters, Then::Nothing);
        }
    }

    /// After a resume or a renewal with other permissions: subscriptions without right end.
    pub(crate) fn rights_changed(&mut self, slot: u32, principal: &Arc<Principal>) {
        self.unsubscribe_all(slot, |shard, text| {
            TopicFilter::parse(text).is_ok_and(|f| {
                shard.router.authorizer().subscribe(&principal.permissions, f).is_ok()
            })
        });
    }

    fn held(&self, session: SessionRef, filter: TopicFilter<'_>) -> Option<&Receiver> {
        let index = &self.router.index;
        index.get(index.filter_id(filter)?, session)
    }
}

fn is_shared(text: &str) -> bool {
    text.starts_with("$share/")
}

fn qos_granted(qos: QoS) -> Reason {
    match qos {
        QoS::AtMostOnce => Reason::GRANTED_QOS_0,
        QoS::AtLeastOnce => Reason::GRANTED_QOS_1,
        QoS::ExactlyOnce => Reason::GRANTED_QOS_2,
    }
}

const TOO_MANY: &str = "more topic filters than this namespace takes";
const STREAMS_SPENT: &str =
    "the server has given out all numbers of durable subscriptions; an operator has to restart it";
const SHARED_NEEDS_5: Wrong = Wrong::new(
    Reason::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
    "event-grid 3.6",
    "in this namespace a shared subscription needs MQTT 5",
);
const NO_IDENTIFIERS: Wrong = Wrong::new(
    Reason::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
    "event-grid 3.3",
    "subscription identifiers are not available in this namespace",
);
