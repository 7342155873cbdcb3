//! The properties of a received PUBLISH or will as they are passed on. It refuses to know to
//! whom: aliases and subscription identifiers are added per receiver by the encoder.

use crate::wire::property::{Properties, Property};

/// Raw properties to pass on, unchanged and in order (MQTT 5, 3.3.2-4, -15 to -18, -20).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forward<'a> {
    /// A property block without its length, topic alias, subscription identifiers and will delay.
    pub raw: &'a [u8],
    /// Offset in `raw` of the four bytes of the Message Expiry value.
    pub expiry_at: Option<usize>,
}

/// What to pass on of a PUBLISH's or will's properties. Borrows when nothing has to go; else the
/// rest is built in `scratch`, whose old content is dropped.
pub fn publish_forward<'a>(properties: Properties<'a>, scratch: &'a mut Vec<u8>) -> Forward<'a> {
    if properties.is_empty() {
        return Forward::default();
    }
    let raw = if properties.iter().all(|property| passes(&property)) {
        properties.raw()
    } else {
        scratch.clear();
        properties.write_if(scratch, passes);
        scratch.as_slice()
    };
    Forward { raw, expiry_at: Properties::trusted(raw).expiry_at() }
}

fn passes(property: &Property<'_>) -> bool {
    !matches!(
        property,
        Property::TopicAlias(_) | Property::SubscriptionId(_) | Property::WillDelay(_)
    )
}
