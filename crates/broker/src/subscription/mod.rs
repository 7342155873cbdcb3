//! Who hears a publish.
//!
//! [`index`] answers it for the sessions of one reactor, [`interest`] for which reactors to tell
//! at all, and, by its [`streams`], for whom the log has to keep it. All are derived from the
//! sessions' subscriptions; none knows a permission, a queue or a shared group's cursor.

pub mod index;
pub mod interest;
mod level;
pub mod receivers;
mod restoring;
mod shard;
mod slab;
pub mod streams;
mod tree;

pub use index::{FilterId, Index, Subscribed, Subscription, Unsubscribed};
pub use interest::Interest;
pub use receivers::{Receiver, ReceiverOptions, SessionRef};
pub use restoring::Restoring;
pub use shard::{Shard, Stamp};
pub use streams::{HeldFilter, NumbersSpent, RESERVED_FROM, Text};
