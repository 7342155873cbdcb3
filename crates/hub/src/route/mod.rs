//! Message routing (iot-hub B5): which endpoints a message goes to, and what is added to it there.
//!
//! Owns the rules of a configuration ([`Routing`]), its evaluation ([`Targets`]) and enrichments.
//! Refuses to know what endpoints are, whether they are well, and how a message gets there.

mod enrichment;
mod limits;
mod name;
mod routing;
mod source;
mod target;

pub use enrichment::{Added, TooLarge, WantedEnrichment};
pub use limits::*;
pub use name::Name;
pub use routing::{Refused, Routing, Switch, Wanted, WantedRoute};
pub use source::Source;
pub use target::{Target, Targets};
