//! SUBSCRIBE and UNSUBSCRIBE of a device (iot-hub A10, D2): what is the hub's goes no further.

use crate::durable::NO_STREAM;
use crate::journal::Subscription;
use crate::session::Session;
use crate::shard::Shard;
use broker::subscription::ReceiverOptions;
use hub::plane::Since;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::subscribe::Requested;
use store::op::Sequence;

/// What became of a filter.
pub(crate) enum Subscribed<'a> {
    /// It is the broker's.
    Elsewhere,
    /// It is granted, and the log has to know it, if the session is kept.
    Granted(QoS, Subscription<'a>),
    /// It is the hub's, and always there.
    Implicit,
    /// SUBACK says why not: the code, and one sentence.
    Refused(Reason, &'static str),
}

impl Shard {
    /// One filter of a SUBSCRIBE.
    pub(crate) fn device_subscribe<'r>(
        &mut self,
        slot: u32,
        r: &Requested<'r>,
        since: Since,
    ) -> Subscribed<'r> {
        let alone = self.devices.is_alone();
        let max = self.homes.limits.subscriptions_per_session_max;
        let Some(session) = self.homes.sessions.at_mut(slot) else { return Subscribed::Elsewhere };
        let all = session.subscriptions();
        let Some(device) = &mut session.device else { return Subscribed::Elsewhere };
        if !device.has(r.text) && !alone {
            return Subscribed::Elsewhere;
        }
        // 3.1.1 has no properties.
        let missed = match since {
            Since::Unreadable if r.text == DESIRED => {
                return Subscribed::Refused(Reason::IMPLEMENTATION_SPECIFIC_ERROR, SINCE);
            }
            Since::Version(version) if r.text == DESIRED => Some(version),
            _ => None,
        };
        let before = device.count();
        match device.subscribe(r.text, r.options.qos, max.saturating_sub(all - before)) {
            Err(reason) => Subscribed::Refused(reason, NO_FILTER),
            Ok(_) if r.text == RESPONSES => Subscribed::Implicit,
            Ok(qos) => {
                device.missed = missed.or(device.missed);
                Subscribed::Granted(qos, kept(r.text, qos))
            }
        }
    }

    /// One filter of an UNSUBSCRIBE: its code, if it is the hub's.
    pub(crate) fn device_unsubscribe(&mut self, slot: u32, filter: &str) -> Option<Reason> {
        let device = self.homes.sessions.at_mut(slot)?.device.as_mut()?;
        device.has(filter).then(|| device.unsubscribe(filter))
    }
}

impl Session {
    /// What its device hears of: filters and QoS.
    pub fn device_filters(&self) -> Vec<(String, QoS)> {
        self.device.iter().flat_map(|device| device.filters()).collect()
    }
}

/// A subscription of a device as the log has it: in no stream.
pub(crate) fn kept(filter: &str, qos: QoS) -> Subscription<'_> {
    let options = ReceiverOptions::new(qos, false, false);
    Subscription { filter, options, subscription_id: 0, stream: NO_STREAM, since: Sequence(0) }
}

const DESIRED: &str = "$iothub/twin/patch/desired";
const SINCE: &str = "since-version is one number, the $version that was seen last";
const NO_FILTER: &str = "it is no filter of the hub, or there are too many";
const RESPONSES: &str = "$iothub/responses";
