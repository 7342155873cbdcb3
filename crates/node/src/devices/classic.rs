//! PUBLISH of a device of MQTT 3.1.1 (iot-hub D2 to D4): what cannot be ends the connection.

use super::After;
use super::asking::{Job, Wish};
use super::faults::FAULT;
use super::publishing::{GET_TWIN, Kind, PATCH_REPORTED, Said, TELEMETRY};
use super::session::{Proved, To, Way};
use crate::channel::{NotTaken, Sent};
use crate::shard::Shard;
use crate::waiting::Completion;
use hub::classic::{BaseVersion, NoPublication, Publication, telemetry};
use hub::fault::Effect;
use hub::identity::IdentityId;
use hub::method::{Answer, Rid};
use hub::plane::{Method, Status, Told};
use hub::telemetry::{AuthMethod, Scope};
use mqtt::qos::QoS;
use mqtt::reason::Reason;

impl Shard {
    /// A PUBLISH; whether it was the hub's.
    pub(super) fn classic_publish(&mut self, said: &Said<'_>, id: IdentityId) -> bool {
        let Said { link, p, .. } = *said;
        let publication = match Publication::of(&id, said.topic) {
            Err(NoPublication::Outside) if !self.devices.is_alone() => return false,
            publication => publication.map_err(|no| no.to_string()),
        };
        let done = match publication {
            Ok(_) if p.qos == QoS::ExactlyOnce => Err("QoS is 0 or 1 here".to_owned()),
            Ok(publication) => self.classic_operate(said, id, publication),
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

    /// Does what is asked for, or what a bound or a fault makes of it.
    fn classic_operate(
        &mut self,
        said: &Said<'_>,
        id: IdentityId,
        publication: Publication<'_>,
    ) -> Result<(), String> {
        let kind = kind_of(&publication);
        let throttled = kind.and_then(|(_, kind)| self.throttle_publish(said, &id, kind));
        let struck = match throttled {
            None => self.strike_publish(said, &id, kind.map(|(operation, _)| operation)),
            Some(_) => None,
        };
        let after = match struck {
            Some(Effect::Delay(by_ms)) => {
                self.put_publish_off(by_ms, said);
                return Ok(());
            }
            Some(Effect::DropAfterAck) => After::Ends,
            Some(Effect::Status(_)) | None => After::Stays,
        };
        let denied = match struck {
            Some(Effect::Status(status)) => Some((status, FAULT)),
            _ => throttled,
        };
        if let Publication::Telemetry { bag } = publication {
            return match denied {
                // It has no other way to be told (D4).
                Some((_, why)) => Err(why.to_owned()),
                None => self.classic_telemetry(said, &id, bag, after),
            };
        }
        self.classic_asked(said, id, publication, (denied, after));
        // Python's SDK answers methods at QoS 1.
        self.answer_device(said.link, said.p, Reason::SUCCESS, Told::NOTHING);
        Ok(())
    }

    fn classic_asked(
        &mut self,
        said: &Said<'_>,
        id: IdentityId,
        asked: Publication<'_>,
        (denied, after): (Option<(Status, &'static str)>, After),
    ) {
        let (link, body) = (said.link, said.p.payload);
        let way = |rid: &str| Way { link, to: To::Rid(rid.into()), after };
        match (asked, denied) {
            (
                Publication::TwinGet { rid } | Publication::PatchReported { rid, .. },
                Some(denied),
            ) => {
                self.respond_denied(&id, &way(rid), denied);
            }
            (Publication::Telemetry { .. }, _) => {}
            (Publication::TwinGet { rid }, None) => {
                self.wish(Job { id, wish: Wish::GetTwin(way(rid)) });
            }
            (Publication::PatchReported { rid, base: BaseVersion::Known(if_version) }, None) => {
                let wish = Wish::PatchReported(way(rid), if_version, body.into());
                self.wish(Job { id, wish });
            }
            (Publication::PatchReported { rid, base: BaseVersion::Unreadable }, None) => {
                self.respond_failure(&way(rid), Status::BAD_REQUEST, "$version is no number");
            }
            (Publication::MethodResponse { status, rid }, _) => {
                let answer = Answer::of_mqtt311(status, body);
                // A late one is nobody's.
                let _ = self.method_answered(link, &id, Rid::parse(rid), answer);
            }
        }
    }

    fn classic_telemetry(
        &mut self,
        said: &Said<'_>,
        id: &IdentityId,
        bag: &str,
        after: After,
    ) -> Result<(), String> {
        let Said { link, slot, p, .. } = *said;
        let message = telemetry(bag, p).map_err(|no| no.to_string())?;
        let device = self.homes.sessions.at(slot).and_then(|session| session.device.as_ref());
        let proved = device.and_then(|device| device.proved.as_ref());
        let auth_method = proved.map(|proved| proved.auth_method(id));
        let completion = match p.packet_id {
            Some(packet_id) => Completion::Telemetry { link, packet_id },
            None => Completion::None,
        };
        if after == After::Ends {
            self.lose_telemetry(slot, completion);
            return Ok(());
        }
        let sent = Sent { sender: id, auth_method, message: &message };
        let origin = self.homes.origin(slot);
        let taken = self.take_telemetry(origin, &sent, completion);
        taken.map_err(|NotTaken { why, .. }| why.to_owned())
    }
}

fn kind_of(publication: &Publication<'_>) -> Option<Kind> {
    match publication {
        Publication::Telemetry { .. } => Some(TELEMETRY),
        Publication::TwinGet { .. } => Some(GET_TWIN),
        Publication::PatchReported { .. } => Some(PATCH_REPORTED),
        Publication::MethodResponse { .. } => None,
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
