//! The broker assembled without IO: bytes of connections in, bytes of connections out.
//!
//! A [`Shard`](shard::Shard) is everything one reactor decides: the sessions at home there, the
//! connections they use, the door for every publish, the fan-out. It opens no socket, reads no
//! clock and draws no randomness; production and simulator run it unchanged.

mod acks;
mod assigned;
pub mod auth;
mod backlog;
pub mod channel;
pub mod counters;
pub mod devices;
pub mod door;
pub mod effect;
pub mod feedback;
pub mod inspect;
pub mod jobs;
pub mod journal;
pub mod keys;
pub mod meter;
pub mod now;
pub mod post;
pub mod record;
pub mod shard;

mod connect;
mod deliver;
mod detach;
mod durable;
mod facts;
mod fanout;
mod frames;
mod gate;
mod handover;
mod holds;
mod homes;
mod ingress;
mod link;
mod losses;
mod measured;
mod opening;
mod output;
mod pace;
mod packets;
mod perform;
mod pressure;
mod publish;
mod requests;
mod resend;
mod resume;
mod seldom;
mod session;
mod settings;
mod share;
mod slots;
mod source;
mod subscribe;
mod sweep;
mod tally;
mod timers;
mod waiting;
mod will;

pub use durable::{Found, ReadAnswer, ReadJob, Restored, answer};
pub use link::{LinkId, PAUSES, Pause};
pub use resume::resume;
pub use settings::Settings;
pub use shard::Shard;
