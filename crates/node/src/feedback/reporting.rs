//! At the home of a device: ends of its commands on their way to the outbox. Refuses to know what
//! becomes of them there.

use crate::journal::Entry;
use crate::record::What;
use crate::shard::Shard;
use crate::waiting::Completion;
use hub::command::Report;
use hub::feedback::{Item, Record};
use hub::identity::{DeviceId, Generation};
use hub::registry::Ids;
use std::borrow::Cow;
use store::log::Need;
use store::op::Sequence;

/// An end that goes to the log, beside the record that says what has ended.
pub(crate) struct Reporting(Item);

/// What the outbox hears of devices, in the order of each.
pub(crate) enum News {
    /// A command has ended, as this record says; 0 where nothing is kept.
    Ended(Item, Sequence),
    /// A device is gone, and its feedback with it (B2).
    Gone(DeviceId, Generation),
}

impl News {
    /// Bytes that it holds beside itself.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Ended(item, _) => {
                item.device.as_str().len() + item.report.message_id.as_ref().map_or(0, |m| m.len())
            }
            Self::Gone(device, _) => device.as_str().len(),
        }
    }
}

impl Shard {
    /// Commands of a device end: what their senders want to hear goes to the log in the same turn,
    /// and so in the same batch, as the record of the end that was just submitted.
    pub(crate) fn report_ends(
        &mut self,
        device: &DeviceId,
        generation: Generation,
        reports: Vec<Report>,
    ) {
        let Some(hub) = self.devices.hub.clone() else { return };
        let mut payload = Vec::new();
        for report in reports {
            if hub.feedback_room.take(&hub.feedback).is_none() {
                // The end itself must not wait for whoever reads no feedback.
                continue;
            }
            let item = Item { device: device.clone(), generation, report };
            if !self.perform.keeps() {
                self.reported(Reporting(item), Sequence(0));
                continue;
            }
            let record = Record::Reported(item);
            let entry = Entry::Feedback(Cow::Borrowed(&record));
            payload.clear();
            entry.encode(&mut payload);
            let kind = entry.kind();
            let Record::Reported(item) = record else { continue };
            let done = Completion::Report(Box::new(Reporting(item)));
            self.perform.write_payload((kind, &payload), What::Own, done);
        }
    }

    /// A report is a fact.
    pub(crate) fn reported(&mut self, Reporting(item): Reporting, at: Sequence) {
        let ids = Ids { device: item.device.as_str(), module: None };
        let known = self.devices.known_generation(ids);
        if known == Some(item.generation) {
            return self.tell_outbox(News::Ended(item, at));
        }
        // The device went first.
        self.not_reported();
        if at.0 > 0 {
            self.perform.need(Need::Release(at));
        }
    }

    /// It could not be made a fact, and so neither could the end: that is decided again.
    pub(crate) fn not_reported(&mut self) {
        if let Some(hub) = &self.devices.hub {
            hub.feedback_room.give_back(1);
        }
    }

    /// A device is gone.
    pub(crate) fn feedback_ends(&mut self, device: &DeviceId, generation: Generation) {
        // Where none waits anywhere there is none of this device.
        if self.devices.hub.as_ref().is_some_and(|hub| hub.feedback_room.taken() > 0) {
            self.tell_outbox(News::Gone(device.clone(), generation));
        }
    }

    fn tell_outbox(&mut self, news: News) {
        if self.homes.me == 0 {
            self.outbox_hears([news]);
        } else if let Some(batch) = self.posts.first_mut() {
            batch.feedback.push(news);
        }
    }
}
