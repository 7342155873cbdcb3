//! Telemetry of devices that come by HTTP (iot-hub D6).

use super::Strikes;
use super::asking::Sending;
use super::faults::FAULT;
use super::late::Late;
use crate::channel::{NotTaken, Sent};
use crate::counters::Loss;
use crate::door::Reply;
use crate::session::Origin;
use crate::shard::Shard;
use crate::waiting::Completion;
use hub::errors::{ErrorCode, Refusal};
use hub::fault::{Effect, Operation};
use hub::identity::{IdentityId, not_found};
use hub::registry::Ids;
use hub::telemetry::{AuthMethod, Invalid, Message};

impl Shard {
    /// Takes a message; the answer comes when it is a fact.
    pub(super) fn take_event(
        &mut self,
        sender: &IdentityId,
        sending: Sending,
        auth_method: AuthMethod,
        (reply, strikes): (Reply<Result<(), Refusal>>, Strikes),
    ) {
        let Sending { body, system, application } = &sending;
        let message = &Message { body, system: system.clone(), application: application.clone() };
        if let Err(error) = message.check() {
            let code = match error {
                Invalid::TooLarge { .. } => ErrorCode::MessageTooLarge,
                _ => ErrorCode::ArgumentInvalid,
            };
            return reply(Err(Refusal::new(code, error.to_string())));
        }
        if self.devices.sender(Ids::from(sender)).is_none() {
            return reply(Err(not_found(sender)));
        }
        if let Err(NotTaken { why, .. }) = self.has_room_for(Origin::NOBODY) {
            return reply(Err(Refusal::new(ErrorCode::ServerBusy, why)));
        }
        let struck = match strikes {
            Strikes::May => self.strike(Operation::SendTelemetry, sender, body.len(), |_| true),
            Strikes::Has => None,
        };
        match struck {
            None => {}
            Some(Effect::Status(status)) => {
                return reply(Err(Operation::SendTelemetry.refusal(status, FAULT)));
            }
            Some(Effect::DropAfterAck) => {
                self.homes.counters.lose(Loss::Fault);
                return reply(Ok(()));
            }
            Some(Effect::Delay(by_ms)) => {
                let bytes = body.len();
                let late = Late::Event(sender.clone(), Box::new(sending), auth_method, reply);
                return self.put_off(by_ms, late, bytes);
            }
        }
        let sent = Sent { sender, auth_method: Some(auth_method), message };
        // Nothing is left for which it could be refused.
        let _ = self.take_telemetry(Origin::NOBODY, &sent, Completion::Asker(reply));
    }
}
