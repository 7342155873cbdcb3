//! What a packet means, apart from how it was written: the order of unlike properties and the
//! defaults that may be left out do not matter. Refuses to know bytes.

use mqtt::wire::{Packet, Properties, Property};

/// A packet's meaning, comparable.
#[derive(Debug, PartialEq)]
pub struct Meaning<'a> {
    /// Everything but the properties.
    bare: Packet<'a>,
    /// Sorted by identifier; like ones keep their order (MQTT 5, 3.1.3-10, 3.3.2-17).
    properties: Vec<Property<'a>>,
    will: Vec<Property<'a>>,
}

impl<'a> Meaning<'a> {
    /// The meaning of a decoded packet.
    pub fn of(packet: &Packet<'a>) -> Self {
        let mut bare = *packet;
        let mut will = Vec::new();
        let place = match &mut bare {
            Packet::Connect(p) => {
                if let Some(w) = &mut p.will {
                    will = sorted(std::mem::take(&mut w.properties));
                }
                Some(&mut p.properties)
            }
            Packet::ConnAck(p) => Some(&mut p.properties),
            Packet::Publish(p) => {
                // Says where bytes lay, not what they mean.
                p.packet_id_at = 0;
                Some(&mut p.properties)
            }
            Packet::PubAck(p) | Packet::PubRec(p) | Packet::PubRel(p) | Packet::PubComp(p) => {
                Some(&mut p.properties)
            }
            Packet::Subscribe(p) => Some(&mut p.properties),
            Packet::SubAck(p) => Some(&mut p.properties),
            Packet::Unsubscribe(p) => Some(&mut p.properties),
            Packet::UnsubAck(p) => Some(&mut p.properties),
            Packet::Disconnect(p) => Some(&mut p.properties),
            Packet::Auth(p) => Some(&mut p.properties),
            Packet::PingReq | Packet::PingResp => None,
        };
        let properties = place.map(std::mem::take).map(sorted).unwrap_or_default();
        Self { bare, properties, will }
    }

    /// How many properties it has, its will's included.
    pub fn property_count(&self) -> usize {
        self.properties.len() + self.will.len()
    }
}

/// Sorted, without those that say what their absence says in the packets that may carry them.
fn sorted(properties: Properties<'_>) -> Vec<Property<'_>> {
    let mut all: Vec<_> = properties.iter().filter(|p| !is_default(p)).collect();
    all.sort_by_key(Property::id);
    all
}

/// Encoders write from fields, which do not tell an absent value from its default
/// (MQTT 5, 3.1.2.11.6, 3.1.2.11.7, 3.1.3.2.2).
fn is_default(property: &Property<'_>) -> bool {
    matches!(
        property,
        Property::WillDelay(0)
            | Property::RequestProblemInformation(true)
            | Property::RequestResponseInformation(false)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt::wire::{Place, Version, decode, frame};

    #[test]
    fn order_of_unlike_properties_does_not_matter_and_that_of_like_ones_does() {
        let block = |raw| Properties::parse(raw, Place::Publish).expect("valid");
        let like =
            [&b"\x26\0\x01k\0\x01v\x26\0\x01k\0\x01w"[..], b"\x26\0\x01k\0\x01w\x26\0\x01k\0\x01v"];
        assert_ne!(sorted(block(like[0])), sorted(block(like[1])));
        let unlike = [&b"\x01\x01\x23\0\x01"[..], b"\x23\0\x01\x01\x01"];
        assert_eq!(sorted(block(unlike[0])), sorted(block(unlike[1])));
    }

    #[test]
    fn another_topic_is_another_meaning() {
        let packet = |bytes| {
            let f = frame(bytes, 100).expect("a frame").expect("whole");
            Meaning::of(&decode(f, Version::V311).expect("valid"))
        };
        assert_ne!(packet(b"\x30\x03\0\x01a"), packet(b"\x30\x03\0\x01b"));
    }
}
