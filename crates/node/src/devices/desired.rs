//! What a device hears of its desired properties (iot-hub A14.6, B1.7, B1.8): each change while it
//! is there, and on its wish what it has missed. Refuses to know who changes them.

use super::late::Late;
use super::telling::Sent;
use crate::counters::Loss;
use crate::shard::Shard;
use hub::classic::ToDevice;
use hub::fault::{Effect, Operation};
use hub::identity::IdentityId;
use hub::plane::ToClient;
use hub::registry::Ids;
use hub::twin::Notification;
use mqtt::wire::Version;

impl Shard {
    /// A device has said which version it saw last (`since-version`).
    pub(super) fn tell_since(&mut self, slot: u32, id: &IdentityId) {
        let session = self.homes.sessions.at_mut(slot);
        let device = session.and_then(|session| session.device.as_mut());
        if let Some(since) = device.and_then(|device| device.missed.take()) {
            self.tell_missed(id, since);
        }
    }

    /// A device hears what it has missed of its desired properties, if it is there and wants to.
    pub(super) fn tell_missed(&mut self, id: &IdentityId, since: u64) {
        let twin = self.devices.twin_of(Ids::from(id));
        if let Some(missed) = twin.and_then(|twin| twin.catch_up(since)) {
            self.tell_desired(id, &missed);
        }
    }

    /// A notification of desired properties, unless it is lost or late.
    pub(super) fn notify_desired(&mut self, id: &IdentityId, notification: &Notification) {
        if !self.online(id).is_some_and(|(_, hears)| hears.desired())
            || self.devices.later.holds_desired(id)
        {
            // What is told later tells this too.
            return;
        }
        match self.strike(Operation::ReceiveDesired, id, 0, |_| true) {
            Some(Effect::DropAfterAck) => self.homes.counters.lose(Loss::Fault),
            Some(Effect::Delay(by_ms)) => {
                let since = notification.version.saturating_sub(1);
                self.put_off(by_ms, Late::Desired(id.clone(), since), 0);
            }
            _ => self.tell_desired(id, notification),
        }
    }

    fn tell_desired(&mut self, id: &IdentityId, notification: &Notification) {
        let online = self.online(id).filter(|(_, hears)| hears.desired());
        let Some((link, hears)) = online else { return };
        let Notification { version, payload } = notification;
        // Who does not get it reads the twin again.
        let _: Sent = match hears.version() {
            Version::V5 => {
                self.tell_client(link, &ToClient::Desired { version: *version }, payload)
            }
            Version::V311 => {
                self.tell_device(link, &ToDevice::Desired { version: *version }, payload)
            }
        };
    }
}
