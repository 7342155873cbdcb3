//! PUBLISH from a client, and what it is answered (MQTT 5, 4.3).

use crate::counters::Loss;
use crate::devices::{Said, Strikes};
use crate::ingress::{Verdict, Who};
use crate::link::LinkId;
use crate::pace::Step;
use crate::shard::Shard;
use crate::source::{Raw, Source, deadline};
use crate::waiting::{Completion, Waiting};
use broker::limits::Limits;
use mqtt::error::Wrong;
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::session::AliasError;
use mqtt::wire::{AckKind, AckOut, Diagnostics, Publish, Version, encoder};

/// A whole packet as it lies in the read buffer.
#[derive(Clone, Copy)]
pub(crate) struct Packet<'a> {
    pub bytes: &'a [u8],
    /// Bytes of the fixed header.
    pub header: usize,
}

impl Shard {
    /// A PUBLISH.
    #[inline]
    pub(crate) fn on_publish(
        &mut self,
        link: u32,
        p: &Publish<'_>,
        packet: Packet<'_>,
    ) -> Result<(), Wrong> {
        if p.alias == 0 {
            return self.publish_from(link, p, p.topic, packet);
        }
        // Aliases are resolved before anybody asks for permission.
        let max = self.homes.limits.topic_alias_max;
        let Some(l) = self.homes.links.at_mut(link) else { return Ok(()) };
        if !p.topic.is_empty() {
            let before = l.aliases.bytes();
            let bytes_max = self.homes.limits.topic_alias_bytes_max;
            l.aliases.set(p.alias, p.topic, max, bytes_max).map_err(wrong_alias)?;
            let meter = &mut self.homes.meter;
            meter.alias_bytes = meter.alias_bytes - before + l.aliases.bytes();
            return self.publish_from(link, p, p.topic, packet);
        }
        let topic = l.aliases.get(p.alias, max).map_err(wrong_alias)?.to_owned();
        self.publish_from(link, p, &topic, packet)
    }

    fn publish_from(
        &mut self,
        link: u32,
        p: &Publish<'_>,
        topic: &str,
        packet: Packet<'_>,
    ) -> Result<(), Wrong> {
        let limits = &self.homes.limits;
        let (qos_max, receive_max) = (limits.maximum_qos, usize::from(limits.receive_max));
        let zero_expiry = limits.zero_expiry;
        let now_ms = self.homes.now.wall_ms;
        let id = self.homes.link_id(link);
        let Some((l, slot, session)) = self.homes.attached(link) else { return Ok(()) };
        if p.qos > qos_max {
            return Err(QOS_TOO_HIGH);
        }
        let version = l.version;
        if p.has_subscription_id {
            return Err(OWN_IDENTIFIER);
        }
        if let Some(packet_id) = p.packet_id {
            if p.qos == QoS::ExactlyOnce && session.received.contains(packet_id) {
                // A repeat before PUBREL: answered, not delivered again (4.3.3-10).
                self.answer(id, packet_id, p.qos, Reason::SUCCESS, None);
                return Ok(());
            }
            if session.received.len() + usize::from(l.uncommitted) >= receive_max {
                return Err(RECEIVE_MAXIMUM);
            }
        }
        let is_device = session.device.is_some();
        let too_fast = match self.homes.pace {
            Some(_) => self.too_fast(link, p, packet.bytes.len())?,
            None => None,
        };
        if is_device {
            let (bytes, strikes) = (packet.bytes, Strikes::May);
            if self.device_publish(&Said { link: id, slot, p, topic, bytes, too_fast, strikes }) {
                return Ok(());
            }
        }
        if let Some(why) = too_fast {
            let refused = Verdict::Refused(Reason::QUOTA_EXCEEDED, why);
            return self.after_publish(id, slot, p, topic, &refused);
        }
        let mut scratch = Vec::new();
        let properties = if p.properties.is_empty() { &[] } else { p.forward(&mut scratch).raw };
        let until = deadline(p.expiry, zero_expiry, now_ms);
        let mut source = Source::borrowed(topic, properties, p.payload, (p.qos, p.retain), until);
        if p.alias == 0 {
            let packet_id_at = packet.header + p.packet_id_at;
            source.raw = Some(Raw { version, bytes: packet.bytes, packet_id_at });
        }
        self.homes.counters.received(version, p.qos);
        let origin = self.homes.origin(slot);
        if p.properties.raw().len() > self.homes.limits.publish_property_bytes_max
            && let Some(why) = oversize(p, &self.homes.limits)
        {
            let refused = Verdict::Refused(Reason::QUOTA_EXCEEDED, why);
            return self.after_publish(id, slot, p, topic, &refused);
        }
        let done = || match p.packet_id {
            Some(packet_id) => Completion::Acknowledge { link: id, packet_id, qos: p.qos },
            None => Completion::None,
        };
        let verdict = self.publish(origin, Who::Session(slot), source, done);
        self.after_publish(id, slot, p, topic, &verdict)
    }

    /// Why a publish comes too fast for this connection, if it does (event-grid 3.5).
    fn too_fast(
        &mut self,
        link: u32,
        p: &Publish<'_>,
        bytes: usize,
    ) -> Result<Option<&'static str>, Wrong> {
        let (now_ms, pace) = (self.homes.now.mono_ms, self.homes.pace);
        let (Some(pace), Some(l)) = (pace, self.homes.links.at_mut(link)) else { return Ok(None) };
        match pace.step(&mut l.extra.get_or_insert_default().paced, bytes, now_ms) {
            Step::Passes => return Ok(None),
            Step::TooFast => {}
            Step::TooLong => return Err(FAR_TOO_FAST),
        }
        self.homes.counters.publishes_throttled.add(1);
        if p.qos == QoS::AtMostOnce {
            self.homes.counters.lose(Loss::Throttled);
        }
        Ok(Some("the connection publishes faster than this namespace takes; send more slowly"))
    }

    /// Acknowledges, or says why not.
    fn after_publish(
        &mut self,
        id: LinkId,
        slot: u32,
        p: &Publish<'_>,
        topic: &str,
        verdict: &Verdict,
    ) -> Result<(), Wrong> {
        let (reason, rule, why) = match verdict {
            Verdict::Told { heard } => {
                let heard = *heard;
                if let Some(packet_id) = p.packet_id {
                    if p.qos == QoS::ExactlyOnce
                        && let Some(s) = self.homes.sessions.at_mut(slot)
                    {
                        s.received.insert(packet_id);
                    }
                    let reason =
                        if heard { Reason::SUCCESS } else { Reason::NO_MATCHING_SUBSCRIBERS };
                    self.acknowledge_now(id.slot, packet_id, p.qos, reason);
                }
                return Ok(());
            }
            Verdict::Waits => {
                self.holds_acknowledgement(id.slot, p);
                return Ok(());
            }
            Verdict::Denied(denied) => {
                self.homes.counters.publishes_denied.add(1);
                let name = self.name_of(slot);
                (denied.reason(), denied.rule(), denied.why(&name, topic))
            }
            Verdict::Refused(reason, why) => {
                self.homes.counters.publishes_refused.add(1);
                (*reason, "bound", (*why).to_owned())
            }
        };
        self.refuse_publish(id, p, reason, rule, &why)
    }

    /// Until it is acknowledged a publish counts against the Receive Maximum of CONNACK.
    fn holds_acknowledgement(&mut self, link: u32, p: &Publish<'_>) {
        let Some((l, _, session)) = self.homes.attached(link) else { return };
        match (p.qos, p.packet_id) {
            (QoS::ExactlyOnce, Some(packet_id)) => session.received.insert(packet_id),
            (QoS::AtLeastOnce, _) => l.uncommitted += 1,
            _ => {}
        }
    }

    fn refuse_publish(
        &mut self,
        id: LinkId,
        p: &Publish<'_>,
        reason: Reason,
        rule: &'static str,
        why: &str,
    ) -> Result<(), Wrong> {
        let client = self.homes.client_of(id.slot);
        self.homes.refused(&client, reason, rule, why.to_owned());
        let Some(l) = self.homes.links.at(id.slot) else { return Ok(()) };
        if l.version == Version::V311 {
            // 3.1.1 has no negative acknowledgement (event-grid 3.5).
            return Err(Wrong::new(reason, "event-grid 3.5", "the publish was refused"));
        }
        let why = (!l.flags.terse).then_some(why);
        if let Some(packet_id) = p.packet_id {
            self.answer(id, packet_id, p.qos, reason, why);
        }
        Ok(())
    }

    /// Answers behind what waits for the log, or at once.
    fn answer(
        &mut self,
        link: LinkId,
        packet_id: PacketId,
        qos: QoS,
        reason: Reason,
        why: Option<&str>,
    ) {
        let Some((l, slot, _)) = self.homes.attached(link.slot) else { return };
        // Counted as every acknowledgement that is owed.
        l.uncommitted += u16::from(qos == QoS::AtLeastOnce);
        let origin = self.homes.origin(slot);
        if !self.perform.holds(origin) {
            return self.acknowledge(link, packet_id, qos, reason, why);
        }
        let why = why.map(Into::into);
        let completion = Completion::Answer { link, packet_id, qos, reason, why };
        self.perform.keep_place(Waiting::answer(origin, completion));
    }

    /// An acknowledgement whose step has become a fact.
    pub(crate) fn acknowledge(
        &mut self,
        id: LinkId,
        packet_id: PacketId,
        qos: QoS,
        reason: Reason,
        why: Option<&str>,
    ) {
        let Some(l) = self.homes.links.get_mut(id.slot, id.generation) else { return };
        if l.session().is_none() {
            // It was closed while this waited, and nothing follows a DISCONNECT (3.14.4-1).
            return;
        }
        l.uncommitted -= u16::from(qos == QoS::AtLeastOnce && l.uncommitted > 0);
        let version = l.version;
        if why.is_none() {
            return self.acknowledge_now(id.slot, packet_id, qos, reason);
        }
        let diagnostics = Diagnostics { reason_string: why, user: &[] };
        let max = self.packet_max(id.slot);
        if let Some(out) = self.homes.output(id.slot) {
            let ack = AckOut { packet_id, reason, diagnostics };
            let _ = ack.encode(answer_to(qos), version, max, out);
        }
    }

    #[inline]
    fn acknowledge_now(&mut self, link: u32, packet_id: PacketId, qos: QoS, reason: Reason) {
        let Some(version) = self.homes.links.at(link).map(|l| l.version) else { return };
        if let Some(out) = self.homes.output(link) {
            encoder::ack(out, version, answer_to(qos), packet_id, reason);
        }
    }
}

/// The packet that answers a PUBLISH (3.3.4-1).
#[inline]
fn answer_to(qos: QoS) -> AckKind {
    if qos == QoS::ExactlyOnce { AckKind::PubRec } else { AckKind::PubAck }
}

/// The property that is larger than the namespace takes (event-grid 10).
fn oversize(p: &Publish<'_>, limits: &Limits) -> Option<&'static str> {
    let max = limits.publish_property_bytes_max;
    let user: usize = p.properties.user().map(|(name, value)| name.len() + value.len()).sum();
    if p.properties.response_topic().is_some_and(|t| t.len() > max) {
        return Some("the response topic is longer than this namespace takes");
    }
    if p.properties.content_type().is_some_and(|t| t.len() > max) {
        return Some("the content type is longer than this namespace takes");
    }
    if p.properties.correlation_data().is_some_and(|d| d.len() > max) {
        return Some("the correlation data is larger than this namespace takes");
    }
    (user > limits.user_properties_bytes_max)
        .then_some("the user properties are larger than this namespace takes")
}

fn wrong_alias(e: AliasError) -> Wrong {
    match e {
        AliasError::OutOfRange => {
            Wrong::alias("MQTT 5, 3.3.2-9", "the topic alias is above Topic Alias Maximum")
        }
        AliasError::TooManyBytes => ALIAS_BYTES,
        AliasError::Unknown => {
            Wrong::protocol("MQTT 5, 3.3.2-7", "the topic alias was not set on this connection")
        }
    }
}

const ALIAS_BYTES: Wrong = Wrong::new(
    Reason::QUOTA_EXCEEDED,
    "limits.topic_alias_bytes_max",
    "the topics behind this connection's aliases hold more bytes than they may",
);
const FAR_TOO_FAST: Wrong = Wrong::new(
    Reason::MESSAGE_RATE_TOO_HIGH,
    "event-grid 3.5",
    "the connection goes on publishing faster than this namespace takes",
);
const QOS_TOO_HIGH: Wrong = Wrong::new(
    Reason::QOS_NOT_SUPPORTED,
    "MQTT 5, 3.2.2-11",
    "the QoS is above the Maximum QoS of CONNACK",
);
const OWN_IDENTIFIER: Wrong =
    Wrong::protocol("MQTT 5, 3.3.4-6", "a PUBLISH of a client carries no subscription identifier");
const RECEIVE_MAXIMUM: Wrong = Wrong::new(
    Reason::RECEIVE_MAXIMUM_EXCEEDED,
    "MQTT 5, 3.3.4-7",
    "more unacknowledged publishes than the Receive Maximum of CONNACK",
);
