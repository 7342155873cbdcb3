//! Feedback: what the senders of commands are told of their ends (iot-hub B2, C6).
//!
//! Owns the ends that nobody has read yet ([`Outbox`]), how many there may be ([`Room`]), their
//! batches, the body of one, their bytes in the log ([`Record`]) and what those add up to. Refuses
//! to know queues, HTTP, and where the time and the tokens of locks come from.
//!
//! As in [`command`](crate::command), what is decided is a record and [`Outbox::heard`] makes it a
//! fact. An end, an abandon and the end of a batch are durable; which ends are a batch is not, so
//! after a crash they may come in other company.

mod batch;
mod outbox;
mod record;
mod replay;
mod room;
mod settings;

pub use outbox::{CONTENT_TYPE, Delivery, Outbox};
pub use record::{Item, Record};
pub use replay::Replay;
pub use room::Room;
pub use settings::Settings;
