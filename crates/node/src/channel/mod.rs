//! The built-in telemetry channel (iot-hub B4 to B6): what devices send, in partitions, for
//! readers that come and go, and what goes to endpoints of the hub's own beside it.
//!
//! Owns the way of a message from its sender into the log and what the log keeps of it.
//! [`taking`] judges, stamps and routes it on the sender's reactor, [`routed`] is the part of that
//! which routes need, [`events`] makes messages of what happens to devices. A partition is an index
//! stream of the log, an offset the place of a message there; where nothing is kept, [`ring`] has
//! the latest. What goes to an endpoint is a stream more ([`outlet`]). [`shared`] is what all
//! reactors, the log's threads and readers know of it, [`marks`] how far it reaches back. Reactor 0
//! keeps it: [`keeping`] lets old messages go, [`groups`] has the positions of consumer groups,
//! [`outlets`] those of endpoints. [`beginning`] is a start, [`reading`] what readers call, on
//! threads of theirs. Refuses to know protocols and HTTP.

mod beginning;
mod events;
mod groups;
mod keeping;
mod marks;
mod outlet;
mod outlets;
mod reading;
mod ring;
mod routed;
mod shared;
mod taking;

pub use beginning::{BeginError, Forgotten, begin};
pub(crate) use groups::Keeper;
pub use groups::{GroupAsk, NotCommitted, Offsets};
pub(crate) use keeping::Kept;
pub use outlet::Outlet;
pub use outlets::Taken;
pub use reading::{KeptIn, Page, Portion};
pub(crate) use shared::Enqueued;
pub use shared::{Channel, ChannelSettings};
pub(crate) use taking::{NotTaken, Sent};
