//! CONNECT and AUTH of devices (iot-hub A2 to A8): read where they come in, judged at the home of
//! the device, answered with what A5 says.

use super::claimed::Claimed;
use super::session::DeviceSession;
use super::{After, Hub, Metered, Strikes, faults, home_of_device};
use crate::connect::Applicant;
use crate::effect::{Adoption, Effect, Linger};
use crate::link::{LinkId, Phase};
use crate::opening::Opening;
use crate::session::Session;
use crate::shard::Shard;
use crate::timers::Timer;
use broker::access::Principal;
use hub::classic::UserName;
use hub::event::Link;
use hub::fault::{self, Operation};
use hub::identity::{IdentityId, Loss};
use hub::plane::{ConnectRefused, Hello, Method, NotRenewed, Renewal, Told, session_expiry};
use hub::registry::Ids;
use mqtt::error::Wrong;
use mqtt::reason::Reason;
use mqtt::wire::{Auth, AuthOut, ConnAckOut, Connect, Diagnostics, DisconnectOut, Version};
use std::sync::Arc;

impl Shard {
    /// The hub that a CONNECT is for.
    pub(crate) fn hub_for(&self, c: &Connect<'_>) -> Option<Arc<Hub>> {
        let hub = self.devices.hub.as_ref()?;
        let is_for_hub = hub.is_alone()
            || match c.version {
                Version::V5 => hub::plane::is_for_hub(c),
                Version::V311 => is_classic(c, hub),
            };
        is_for_hub.then(|| Arc::clone(hub))
    }

    /// A CONNECT for the hub.
    pub(crate) fn on_device_connect(
        &mut self,
        link: u32,
        c: &Connect<'_>,
        mut opening: Box<Opening>,
        hub: &Hub,
    ) {
        if c.version == Version::V311 {
            return self.on_classic_connect(link, c, opening, hub);
        }
        let certificate = self.certificate_of(link);
        let read = Hello::read(c, hub.leniency);
        let extra = self.homes.links.at(link).and_then(|l| l.extra.as_deref());
        let server_name = extra.and_then(|extra| extra.server_name.as_deref());
        let read = read.and_then(|hello| Claimed::of(hello, hub, certificate, server_name));
        let claimed = match read {
            Ok(claimed) => claimed,
            Err(refused) => {
                let (reason, why) = (refused.reason(), refused.why().to_owned());
                self.homes.refused(c.client_id, reason, "iot-hub A5", why);
                return self.refuse_device(link, &Applicant::from(c), &refused);
            }
        };
        let expiry = session_expiry(c, hub.leniency.absent_expiry);
        opening.expiry_s = expiry.seconds.min(self.homes.limits.session_expiry_max_s);
        self.go_home(link, opening, claimed);
    }

    /// A CONNECT of MQTT 3.1.1 (D1).
    fn on_classic_connect(
        &mut self,
        link: u32,
        c: &Connect<'_>,
        mut opening: Box<Opening>,
        hub: &Hub,
    ) {
        match Claimed::of_classic(c, hub, self.certificate_of(link)) {
            Ok(claimed) => {
                // No keep alive is not for ever.
                opening.keep_alive_s = match opening.keep_alive_s {
                    0 => CLASSIC_KEEP_ALIVE_S_MAX,
                    seconds => seconds.min(CLASSIC_KEEP_ALIVE_S_MAX),
                };
                self.go_home(link, opening, claimed);
            }
            Err(why) => {
                let reason = Reason::NOT_AUTHORIZED;
                self.homes.refused(c.client_id, reason, "iot-hub D1", why.clone());
                self.answer_refused(link, &Applicant::from(c), reason, &why);
            }
        }
    }

    /// The connection goes to the home of its device, if it is not there.
    fn go_home(&mut self, link: u32, mut opening: Box<Opening>, claimed: Claimed) {
        let id = self.homes.link_id(link);
        let home = home_of_device(claimed.id.device.as_str(), self.posts.len());
        opening.device = Some(Box::new(claimed));
        let Some(l) = self.homes.links.at_mut(link) else { return };
        l.version = opening.version;
        if home == self.homes.me {
            return self.admit(link, &opening, Strikes::May);
        }
        l.phase = Phase::Closing;
        self.homes.moving.push(id);
        let adoption = Box::new(Adoption { opening, principal: None });
        self.homes.effects.push(Effect::Move(id, home, adoption));
    }

    /// Judges who a CONNECT says to be, at home.
    pub(crate) fn admit(&mut self, link: u32, opening: &Opening, strikes: Strikes) {
        let (Some(claimed), Some(hub)) = (&opening.device, self.devices.hub.clone()) else {
            return;
        };
        match claimed.judge(&self.devices, &hub, self.homes.now) {
            Ok(expires_at_ms) => {
                let principal = hub.principal(opening.client.as_str(), expires_at_ms);
                let id = &claimed.id;
                match strikes {
                    Strikes::May => self.attach_unless(link, opening, id, &principal),
                    Strikes::Has => self.attach(link, opening, &principal),
                }
            }
            Err(not) => {
                let client = opening.client.as_str();
                self.homes.refused(client, Reason::NOT_AUTHORIZED, not.rule(), not.why());
                let refused = ConnectRefused::NotAuthorized;
                self.refuse_device(link, &Applicant::from(opening), &refused);
            }
        }
    }

    /// A device gets its session, unless a fault is against it.
    fn attach_unless(&mut self, link: u32, o: &Opening, id: &IdentityId, who: &Arc<Principal>) {
        if let Some(throttled) = self.throttle(Metered::Connects, id, 0) {
            self.homes.counters.connects_throttled.add(1);
            let (refused, why) = (ConnectRefused::RateLimited, throttled.why().to_owned());
            self.homes.refused(o.client.as_str(), refused.reason(), "iot-hub A5", why);
            return self.refuse_device(link, &Applicant::from(o), &refused);
        }
        match self.strike(Operation::Connect, id, 0, |_| true) {
            None => self.attach(link, o, who),
            Some(fault::Effect::Delay(by_ms)) => self.put_connect_off(by_ms, link, o),
            Some(fault::Effect::Status(status)) => {
                let refused = faults::refused(status);
                let why = faults::FAULT.to_owned();
                self.homes.refused(o.client.as_str(), refused.reason(), faults::RULE, why);
                self.refuse_device(link, &Applicant::from(o), &refused);
            }
            Some(fault::Effect::DropAfterAck) => {
                let mut ends = o.clone();
                ends.device.iter_mut().for_each(|claimed| claimed.after = After::Ends);
                self.attach(link, &ends, who);
            }
        }
    }

    fn refuse_device(&mut self, link: u32, a: &Applicant<'_>, refused: &ConnectRefused) {
        if a.version() == Version::V311 {
            let reason = match refused {
                // Whatever is wrong with it is 5 (D1).
                ConnectRefused::BadRequest(_) => Reason::NOT_AUTHORIZED,
                _ => refused.reason(),
            };
            return self.answer_refused(link, a, reason, refused.why());
        }
        self.homes.counters.connects_refused.add(1);
        let trace_id = self.ids.trace();
        let told = refused.told(&trace_id);
        let user = told.user();
        let mut ack = ConnAckOut::new(refused.reason());
        ack.diagnostics = Diagnostics { reason_string: None, user: &user };
        if let Some(out) = self.homes.output(link) {
            let _ = ack.encode(a.version(), a.packet_max(), out);
        }
        self.homes.close(link, Linger::UntilRead);
    }

    /// A device has its session: from here on it is connected.
    pub(crate) fn device_came(&mut self, slot: u32, claimed: &Claimed) {
        let session_ref = self.homes.session_ref(slot);
        let Some(session) = self.homes.sessions.at_mut(slot) else { return };
        let version = session.version;
        let begin = || Box::new(DeviceSession::new(claimed.id.clone(), version));
        session.device.get_or_insert_with(begin).begin(version, &claimed.proved);
        let now_ms = self.homes.now.wall_ms;
        self.devices.hear(Ids::from(&claimed.id), |heard| {
            heard.activity.connected(now_ms);
            heard.session = Some(session_ref);
            if let Some(model_id) = &claimed.model_id {
                heard.model_id.clone_from(model_id);
            }
        });
        self.tell_connection(&claimed.id, Link::Connected);
    }

    /// The connection of a device has ended.
    pub(crate) fn device_left(&mut self, slot: u32, link: LinkId) {
        let session_ref = self.homes.session_ref(slot);
        let device = self.homes.sessions.at(slot).and_then(|session| session.device.as_ref());
        let Some(id) = device.map(|device| device.id.clone()) else { return };
        let now_ms = self.homes.now.wall_ms;
        let mut was_there = false;
        self.devices.hear(Ids::from(&id), |heard| {
            was_there = heard.session == Some(session_ref);
            if was_there {
                heard.activity.disconnected(now_ms);
                heard.session = None;
            }
        });
        self.methods_lost(&id, link);
        self.commands_lost(slot, &id, link);
        if was_there {
            self.tell_connection(&id, Link::Disconnected);
        }
    }

    /// A connection of this identity may not stay (A9), and of one that is gone nothing may.
    pub(super) fn stand_down(&mut self, id: &IdentityId, loss: Loss) {
        let why = match loss {
            Loss::Deleted => "the identity was deleted",
            Loss::Disabled => "the device was disabled",
            Loss::Authentication => "the identity's keys or thumbprints were changed",
        };
        self.methods_end(id, loss);
        let Some(slot) = self.homes.find(&id.to_string()) else { return };
        let session = self.homes.sessions.at(slot).filter(|session| session.device.is_some());
        let Some(link) = session.map(Session::link) else { return };
        if let Some(link) = link {
            self.homes.refused(&id.to_string(), Reason::NOT_AUTHORIZED, "iot-hub A9", why.into());
            self.disconnect(link, Reason::NOT_AUTHORIZED, why);
        }
        if loss == Loss::Deleted && self.homes.find(&id.to_string()) == Some(slot) {
            self.end_session(slot);
        }
    }

    /// AUTH of a device: it proves itself anew (A8).
    pub(crate) fn on_device_auth(&mut self, id: LinkId, a: &Auth<'_>) -> Result<(), Wrong> {
        let Some((_, _, session)) = self.homes.attached(id.slot) else { return Ok(()) };
        let (Some(device), Some(hub)) = (&session.device, self.devices.hub.clone()) else {
            return Ok(());
        };
        let Some(proved) = device.proved.clone() else { return Ok(()) };
        let whose = device.id.clone();
        let read = Renewal::read(a, proved.method, proved.policy.as_deref());
        let judged = read.and_then(|renewal| {
            let claimed = Claimed::again(&whose, &proved, &renewal.claim);
            claimed.judge(&self.devices, &hub, self.homes.now).map_err(|not| {
                let (client, reason) = (whose.to_string(), Reason::NOT_AUTHORIZED);
                self.homes.refused(&client, reason, not.rule(), not.why());
                NotRenewed::NotAuthorized
            })
        });
        match judged {
            Ok(expires_at_ms) => self.device_renewed(id, proved.method, expires_at_ms),
            Err(not) => {
                let trace_id = self.ids.trace();
                self.end_device(id.slot, not.reason(), not.told(&trace_id));
            }
        }
        Ok(())
    }

    fn device_renewed(&mut self, id: LinkId, method: Method, expires_at_ms: Option<u64>) {
        if let Some(extra) = self.extra(id.slot) {
            extra.expires_at_ms = expires_at_ms;
        }
        if let Some(at) = expires_at_ms {
            self.homes.arm(Timer::Token(id.slot), at);
        }
        let max = self.packet_max(id.slot);
        let auth = AuthOut {
            reason: Reason::SUCCESS,
            method: method.as_str(),
            data: None,
            diagnostics: Diagnostics::NONE,
        };
        if let Some(out) = self.homes.output(id.slot) {
            let _ = auth.encode(max, out);
        }
    }

    /// DISCONNECT with what A9 and A11 tell, then the end of the connection.
    pub(crate) fn end_device(&mut self, link: u32, reason: Reason, told: Told<'_>) {
        let max = self.packet_max(link);
        let user = told.user();
        let mut d = DisconnectOut::new(reason);
        d.diagnostics = Diagnostics { reason_string: None, user: &user };
        let version = self.homes.links.at(link).map_or(Version::V311, |l| l.version);
        if version == Version::V5
            && let Some(out) = self.homes.output(link)
        {
            let _ = d.encode(version, max, out);
        }
        self.detach(link, crate::detach::WillFate::Sent, "the device made a mistake");
        self.homes.close(link, Linger::UntilRead);
    }
}

/// Whether a CONNECT of MQTT 3.1.1 is for the hub (product.md 1): its user name has an
/// `api-version`, or is a host of the hub and the client identifier.
fn is_classic(c: &Connect<'_>, hub: &Hub) -> bool {
    c.user_name.and_then(|name| UserName::parse(name).ok()).is_some_and(|name| {
        name.api_version.is_some() || (hub.is_host(name.host) && name.id.to_string() == c.client_id)
    })
}

/// One and a half times this is 1,767 s (D1).
const CLASSIC_KEEP_ALIVE_S_MAX: u16 = 1_178;
