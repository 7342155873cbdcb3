//! What devices mean: identities, twins, commands, methods and telemetry of an IoT hub, as
//! decisions without IO. Records, input and the time come as arguments; what follows goes out as
//! values. Refuses to know connections, the log and HTTP.

pub mod channel;
pub mod classic;
pub mod command;
pub mod errors;
pub mod event;
pub mod fault;
pub mod feedback;
pub mod identity;
pub mod job;
pub mod json;
pub mod method;
pub mod plane;
pub mod query;
pub mod registry;
pub mod route;
pub mod sas;
pub mod telemetry;
pub mod twin;

mod bytes;
#[cfg(test)]
mod chance;
mod etag;
mod if_match;
mod lists;
mod lock_token;
mod moment;
mod out_of_range;
mod percent;
mod short_text;

pub use bytes::BadRecord;
pub use etag::Etag;
pub use if_match::IfMatch;
pub use lists::Lists;
pub use lock_token::LockToken;
pub use moment::Moment;
pub use out_of_range::OutOfRange;
pub use short_text::ShortText;
