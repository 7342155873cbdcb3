//! CONNECT: from the packet to an attached session (MQTT 5, 3.1.4).
//!
//! Understand, ask about the credentials, move to the session's home, take over, answer.

use crate::auth::{AuthOutcome, AuthRequest, Certificate};
use crate::devices::{After, Strikes};
use crate::effect::{Adoption, Effect, Linger, Notice};
use crate::gate::MEMORY_FULL;
use crate::link::LinkId;
use crate::link::{Extra, Link, Phase};
use crate::opening::Opening;
use crate::session::{Session, State};
use crate::shard::Shard;
use crate::timers::Timer;
use broker::access::{Principal, Source};
use broker::limits::{Limits, SubscriptionIdentifiers};
use mqtt::error::Wrong;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::session::{Outbound, Received, SentAliases};
use mqtt::wire::{ConnAckOut, Connect, Diagnostics, ProtocolName, Version};
use smallvec::SmallVec;
use std::sync::Arc;

impl Shard {
    /// The first packet of a connection.
    pub(crate) fn on_connect(&mut self, link: u32, c: &Connect<'_>) {
        if let Some(refused) = self.turned_away(c) {
            return self.turn_away(link, c, refused);
        }
        let id = if c.client_id.is_empty() { self.new_client_id() } else { String::new() };
        let opening = match Opening::read(c, &self.homes.limits, &id) {
            Ok(opening) => opening,
            Err(wrong) => return self.refuse_connect(link, Applicant::from(c), wrong),
        };
        if let Some(hub) = self.hub_for(c) {
            return self.on_device_connect(link, c, opening, &hub);
        }
        if c.authentication_data.map_or(0, <[u8]>::len)
            > self.homes.limits.authentication_data_bytes_max
        {
            return self.refuse_connect(link, Applicant::from(c), LONG_AUTH_DATA);
        }
        let request = Box::new(AuthRequest {
            client_id: opening.client.as_str().to_owned(),
            user_name: c.user_name.map(str::to_owned),
            password: c.password.map(<[u8]>::to_vec),
            method: c.authentication_method.map(str::to_owned),
            data: c.authentication_data.unwrap_or_default().to_vec(),
            certificate: self.certificate_of(link),
            listener: self
                .homes
                .links
                .at(link)
                .map_or(crate::auth::Listener::Plain, |l| l.listener),
            renewal_of: None,
        });
        let name = self.homes.link_id(link);
        if let Some(l) = self.homes.links.at_mut(link) {
            l.version = opening.version;
            l.phase = Phase::Authenticating(opening);
            self.homes.effects.push(Effect::Authenticate(name, request));
        }
    }

    /// The answer about a connection's credentials, of CONNECT or of a re-authentication.
    pub fn authenticated(&mut self, id: LinkId, outcome: AuthOutcome) {
        let Some(l) = self.homes.links.get_mut(id.slot, id.generation) else { return };
        match std::mem::replace(&mut l.phase, Phase::Closing) {
            Phase::Authenticating(opening) => match outcome {
                AuthOutcome::Granted(principal) => self.granted(id, opening, principal),
                AuthOutcome::Refused { reason, why, rule } => {
                    self.homes.refused(opening.client.as_str(), reason, rule, why.clone());
                    self.answer_refused(id.slot, &Applicant::from(&*opening), reason, &why);
                }
            },
            phase => {
                l.phase = phase;
                self.renewed(id, outcome);
            }
        }
    }

    fn granted(&mut self, id: LinkId, opening: Box<Opening>, principal: Arc<Principal>) {
        let home = self.home_of(opening.client.as_str());
        if home == self.homes.me {
            return self.attach(id.slot, &opening, &principal);
        }
        self.homes.moving.push(id);
        let adoption = Box::new(Adoption { opening, principal: Some(principal) });
        self.homes.effects.push(Effect::Move(id, home, adoption));
    }

    /// Takes in a connection that another reactor accepted. Gives its place here.
    pub fn adopt(&mut self, listener: crate::auth::Listener, adoption: &Adoption) -> LinkId {
        let mut link =
            Link::new(listener, None, self.homes.now.mono_ms, &self.homes.meter.openings);
        link.version = adoption.opening.version;
        let (slot, generation) = self.homes.links.insert(link);
        match &adoption.principal {
            Some(principal) => self.attach(slot, &adoption.opening, principal),
            None => self.admit(slot, &adoption.opening, Strikes::May),
        }
        LinkId { slot, generation }
    }

    /// Gives the client its session and answers CONNACK.
    pub(crate) fn attach(&mut self, link: u32, o: &Opening, principal: &Arc<Principal>) {
        let found = self.homes.find(o.client.as_str());
        if let Some(slot) = found
            && self.homes.sessions.at(slot).is_some_and(|s| s.principal.name != principal.name)
        {
            return self.refuse_connect(link, Applicant::from(o), OTHER_OWNER);
        }
        if found.is_none() && self.is_pressed() {
            return self.refuse_connect(link, Applicant::from(o), MEMORY_FULL);
        }
        if !self.connack_fits(o) {
            return self.refuse_connect(link, Applicant::from(o), SMALL_PACKETS);
        }
        if let Some(slot) = found {
            self.take_over(slot, o.clean_start);
        }
        // The take-over may have ended it.
        let found = self.homes.find(o.client.as_str());
        let (slot, present) = match found {
            Some(slot) => (slot, true),
            None => {
                let counted = principal.source != Source::Anonymous;
                if counted && self.homes.quota.begin(&principal.name).is_err() {
                    return self.refuse_connect(link, Applicant::from(o), SESSIONS_FULL);
                }
                (self.homes.add_session(new_session(o, principal)), false)
            }
        };
        if !present && o.expiry_s > 0 && self.keeps() {
            self.begin_durable(slot);
        }
        if self.durable(slot).is_some() {
            return self.attach_when_kept(link, slot, o, principal, present);
        }
        if self.attach_when_ended(link, slot, o, principal) {
            return;
        }
        self.attached(link, slot, o, principal, present);
    }

    /// Nothing stands between the client and its session any more.
    pub(crate) fn attached(
        &mut self,
        link: u32,
        slot: u32,
        o: &Opening,
        principal: &Arc<Principal>,
        present: bool,
    ) {
        let before = self.homes.sessions.at(slot).map(|s| s.principal.permissions.id());
        self.bind(link, slot, o, principal);
        if let Some(claimed) = &o.device {
            self.device_came(slot, claimed);
        }
        self.send_connack(link, o, present);
        let counted = usize::from(o.version == Version::V5);
        self.homes.counters.connects[counted].add(1);
        let (client, name) = (o.client.as_str().to_owned(), Arc::clone(&principal.name));
        self.homes.notice(Notice::Connected { client, name });
        let id = self.homes.link_id(link);
        self.homes.effects.push(Effect::Resume(id));
        if present {
            if before != Some(principal.permissions.id()) {
                self.rights_changed(slot, principal);
            }
            self.homes.begin_again(slot);
            self.homes.resume(slot);
            self.homes.read_more(slot);
            self.homes.tell_groups(slot);
            self.device_listens(slot);
        }
        if o.device.as_ref().is_some_and(|claimed| claimed.after == After::Ends) {
            self.cut(id);
        }
    }

    /// Session and link know each other from here on.
    fn bind(&mut self, link: u32, slot: u32, o: &Opening, principal: &Arc<Principal>) {
        let window = o.window(&self.homes.limits);
        if o.expiry_s == 0 && self.durable(slot).is_none() {
            self.let_go_all(slot);
        }
        if let Some(s) = self.homes.sessions.at_mut(slot) {
            debug_assert!(
                s.is_durable() || s.subscriptions() == 0,
                "a session that ends with its connection is not found again"
            );
            s.state = State::Connected { link };
            s.principal = Arc::clone(principal);
            s.version = o.version;
            s.expiry_s = o.expiry_s;
            s.packet_max = o.packet_max;
            s.measured = o.packet_max != u32::MAX || o.sent_alias_max > 0;
            s.window = window;
            s.will = o.will.as_ref().map(|w| Box::new(w.charged(&self.homes.meter)));
        }
        let now_ms = self.homes.now.mono_ms;
        let expires_at_ms = principal.expires_at_ms;
        if let Some(l) = self.homes.links.at_mut(link) {
            l.phase = Phase::Attached(slot);
            l.keep_alive_s = o.keep_alive_s;
            l.last_seen_ms = now_ms;
            l.flags.terse = o.terse;
            l.flags.mq_isdp = o.name == ProtocolName::MqIsdp;
            if o.sent_alias_max > 0 {
                let extra = l.extra.get_or_insert_default();
                extra.sent_aliases = Some(Box::new(SentAliases::new(o.sent_alias_max)));
            }
            if o.method.is_some() || expires_at_ms.is_some() {
                let extra = l.extra.get_or_insert_default();
                extra.method.clone_from(&o.method);
                extra.expires_at_ms = expires_at_ms;
            } else if let Some(extra) = &mut l.extra {
                // Needed for CONNECT only.
                extra.certificate = None;
                extra.server_name = None;
            }
        }
        if o.keep_alive_s > 0 {
            self.homes.arm(Timer::Link(link), now_ms + keep_alive_ms(o.keep_alive_s));
        }
        if let Some(at) = expires_at_ms {
            self.homes.arm(Timer::Token(link), at);
        }
    }

    /// Whether the client takes packets as large as its CONNACK: asked before anything changes.
    fn connack_fits(&self, o: &Opening) -> bool {
        let mut bytes = Vec::new();
        let max = o.packet_max as usize;
        self.connack(o, &self.homes.limits, false).encode(o.version, max, &mut bytes).is_ok()
    }

    fn send_connack(&mut self, link: u32, o: &Opening, present: bool) {
        let limits = Arc::clone(&self.homes.limits);
        let ack = self.connack(o, &limits, present);
        if let Some(out) = self.homes.output(link) {
            // `connack_fits` was asked.
            let _ = ack.encode(o.version, ANY_SIZE, out);
        }
    }

    fn connack<'a>(&self, o: &'a Opening, limits: &Limits, present: bool) -> ConnAckOut<'a> {
        let mut ack = connack(o, limits, present);
        if o.version == Version::V5 && self.devices.is_alone() {
            ack.retain_available = Some(false);
            ack.shared_subscription_available = Some(false);
        }
        ack
    }

    /// Refuses a CONNECT for what it says.
    pub(crate) fn refuse_connect(&mut self, link: u32, a: Applicant<'_>, wrong: Wrong) {
        self.homes.refused(a.client, wrong.reason, wrong.clause, wrong.what.to_owned());
        self.answer_refused(link, &a, wrong.reason, wrong.what);
    }

    pub(crate) fn answer_refused(
        &mut self,
        link: u32,
        a: &Applicant<'_>,
        reason: Reason,
        why: &str,
    ) {
        self.homes.counters.connects_refused.add(1);
        let mut ack = ConnAckOut::new(reason);
        // CONNACK may carry it whatever Request Problem Information says (3.1.2-29).
        ack.diagnostics = Diagnostics { reason_string: Some(why), user: &[] };
        if let Some(out) = self.homes.output(link) {
            let _ = ack.encode(a.version, a.packet_max as usize, out);
        }
        self.homes.close(link, Linger::UntilRead);
    }

    pub(crate) fn certificate_of(&self, link: u32) -> Option<Certificate> {
        self.homes.links.at(link)?.extra.as_ref()?.certificate.clone()
    }

    /// Keeps a method that must be repeated, for tests of AUTH.
    pub(crate) fn extra(&mut self, link: u32) -> Option<&mut Extra> {
        self.homes.links.at_mut(link)?.extra.as_deref_mut()
    }
}

/// What of a CONNECT is needed to refuse it.
#[derive(Clone, Copy)]
pub(crate) struct Applicant<'a> {
    version: Version,
    client: &'a str,
    /// The largest CONNACK it takes (3.2.2-19).
    packet_max: u32,
}

impl Applicant<'_> {
    pub fn version(&self) -> Version {
        self.version
    }

    /// The largest packet that it takes.
    pub fn packet_max(&self) -> usize {
        self.packet_max as usize
    }
}

impl<'a> From<&Connect<'a>> for Applicant<'a> {
    fn from(c: &Connect<'a>) -> Self {
        let packet_max = c.packet_max.unwrap_or(u32::MAX);
        Self { version: c.version, client: c.client_id, packet_max }
    }
}

impl<'a> From<&'a Opening> for Applicant<'a> {
    fn from(o: &'a Opening) -> Self {
        Self { version: o.version, client: o.client.as_str(), packet_max: o.packet_max }
    }
}

fn connack<'a>(o: &'a Opening, limits: &Limits, present: bool) -> ConnAckOut<'a> {
    let mut ack = ConnAckOut::new(Reason::SUCCESS);
    // In 3.1 the bit is reserved.
    ack.session_present = present && o.name == ProtocolName::Mqtt;
    if o.version == Version::V5 {
        ack.session_expiry = (o.expiry_s != o.expiry_asked_s).then_some(o.expiry_s);
        ack.receive_max = (limits.receive_max < u16::MAX).then_some(limits.receive_max);
        ack.maximum_qos = (limits.maximum_qos < QoS::ExactlyOnce).then_some(limits.maximum_qos);
        ack.packet_max = u32::try_from(limits.packet_bytes_max).ok();
        ack.assigned_client_id = o.assigned.then(|| o.client.as_str());
        ack.topic_alias_max = (limits.topic_alias_max > 0).then_some(limits.topic_alias_max);
        let no_ids = SubscriptionIdentifiers::Refused;
        ack.subscription_id_available =
            (limits.subscription_identifiers == no_ids).then_some(false);
        ack.server_keep_alive = o.keep_alive_changed.then_some(o.keep_alive_s);
        ack.authentication_method = o.method.as_deref();
    }
    ack
}

fn new_session(o: &Opening, principal: &Arc<Principal>) -> Session {
    Session {
        state: State::Detached { ends_at_ms: u64::MAX, will_at_ms: u64::MAX },
        client: o.client.clone(),
        principal: Arc::clone(principal),
        version: o.version,
        expiry_s: o.expiry_s,
        packet_max: o.packet_max,
        measured: false,
        window: 1,
        filters: SmallVec::new(),
        shares: None,
        outbound: Outbound::default(),
        received: Received::default(),
        queue: None,
        resend: None,
        will: None,
        durable: None,
        losses: None,
        device: None,
    }
}

/// One and a half times the interval (MQTT 5, 3.1.2-22).
pub(crate) fn keep_alive_ms(keep_alive_s: u16) -> u64 {
    u64::from(keep_alive_s) * 1_500
}

const ANY_SIZE: usize = usize::MAX;
const SMALL_PACKETS: Wrong = Wrong::new(
    Reason::PACKET_TOO_LARGE,
    "MQTT 5, 3.1.2-24",
    "CONNACK is larger than the client's Maximum Packet Size; raise it",
);
const OTHER_OWNER: Wrong = Wrong::new(
    Reason::NOT_AUTHORIZED,
    "event-grid 3.4",
    "another principal owns a session with this client identifier; choose another identifier",
);
const SESSIONS_FULL: Wrong = Wrong::new(
    Reason::QUOTA_EXCEEDED,
    "event-grid 3.4",
    "this name has as many sessions as it may; use one of their identifiers or end one",
);
const LONG_AUTH_DATA: Wrong = Wrong::new(
    Reason::PACKET_TOO_LARGE,
    "event-grid 10",
    "the authentication data is larger than this namespace takes",
);
