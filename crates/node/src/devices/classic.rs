//! PUBLISH of a device of MQTT 3.1.1 (iot-hub D2 to D4): what cannot be ends the connection.

use super::asking::{Job, Wish};
use super::session::{Proved, To, Way};
use crate::channel::{NotTaken, Sent};
use crate::link::LinkId;
use crate::shard::Shard;
use crate::waiting::Completion;
use hub::classic::{BaseVersion, NoPublication, Publication, telemetry};
use hub::identity::IdentityId;
use hub::method::{Answer, Rid};
use hub::plane::{Method, Status, Told};
use hub::telemetry::{AuthMethod, Scope};
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::Publish;

impl Shard {
    /// A PUBLISH; whether it was the hub's.
    pub(super) fn classic_publish(
        &mut self,
        (link, slot): (LinkId, u32),
        id: IdentityId,
        p: &Publish<'_>,
        topic: &str,
    ) -> bool {
        let publication = match Publication::of(&id, topic) {
            Err(NoPublication::Outside) if !self.devices.is_alone() => return false,
            publication => publication.map_err(|no| no.to_string()),
        };
        let done = match publication {
            Ok(_) if p.qos == QoS::ExactlyOnce => Err("QoS is 0 or 1 here".to_owned()),
            Ok(Publication::Telemetry { bag }) => self.classic_telemetry((link, slot), &id, bag, p),
            Ok(asked) => {
                self.classic_asked(link, id, asked, p.payload);
                // Python's SDK answers methods at QoS 1.
                self.answer_device(link, p, Reason::SUCCESS, Told::NOTHING);
                Ok(())
            }
            Err(why) => Err(why),
        };
        if let Err(why) = done {
            let client = self.homes.client_of(link.slot);
            self.homes.refused(&client, Reason::TOPIC_NAME_INVALID, "iot-hub D4", why);
            let why = "the device published what the hub does not take";
            self.disconnect(link.slot, Reason::TOPIC_NAME_INVALID, why);
        }
        true
    }

    fn classic_asked(&mut self, link: LinkId, id: IdentityId, asked: Publication<'_>, body: &[u8]) {
        let way = |rid: &str| Way { link, to: To::Rid(rid.into()) };
        match asked {
            Publication::Telemetry { .. } => {}
            Publication::TwinGet { rid } => {
                self.wish(Job { id, wish: Wish::GetTwin(way(rid)) });
            }
            Publication::PatchReported { rid, base: BaseVersion::Known(if_version) } => {
                let wish = Wish::PatchReported(way(rid), if_version, body.into());
                self.wish(Job { id, wish });
            }
            Publication::PatchReported { rid, base: BaseVersion::Unreadable } => {
                self.respond_failure(&way(rid), Status::BAD_REQUEST, "$version is no number");
            }
            Publication::MethodResponse { status, rid } => {
                let answer = Answer::of_mqtt311(status, body);
                // A late one is nobody's.
                let _ = self.method_answered(link, &id, Rid::parse(rid), answer);
            }
        }
    }

    fn classic_telemetry(
        &mut self,
        (link, slot): (LinkId, u32),
        id: &IdentityId,
        bag: &str,
        p: &Publish<'_>,
    ) -> Result<(), String> {
        let message = telemetry(bag, p).map_err(|no| no.to_string())?;
        let device = self.homes.sessions.at(slot).and_then(|session| session.device.as_ref());
        let proved = device.and_then(|device| device.proved.as_ref());
        let auth_method = proved.map(|proved| proved.auth_method(id));
        let completion = match p.packet_id {
            Some(packet_id) => Completion::Telemetry { link, packet_id },
            None => Completion::None,
        };
        let sent = Sent { sender: id, auth_method, message: &message };
        let origin = self.homes.origin(slot);
        let taken = self.take_telemetry(origin, &sent, completion);
        taken.map_err(|NotTaken { why, .. }| why.to_owned())
    }
}

impl Proved {
    /// As messages say it (B4).
    pub fn auth_method(&self, id: &IdentityId) -> AuthMethod {
        let scope = if id.module.is_some() { Scope::Module } else { Scope::Device };
        match (self.method, &self.policy) {
            (Method::X509, _) => AuthMethod::Certificate(scope),
            (Method::Sas, Some(_)) => AuthMethod::Policy,
            (Method::Sas, None) => AuthMethod::Key(scope),
        }
    }
}
