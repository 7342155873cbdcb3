//! Direct methods: a service asks, a device answers at once or not at all (iot-hub B3, C5, A14.5,
//! D2).
//!
//! Owns the request, what waits for an answer ([`Calls`]), both forms of an answer and what the
//! service is told ([`Outcome`]). Nothing of it is durable. Refuses to know connections, HTTP, and
//! where correlations and the time come from.

mod answer;
mod calls;
mod limits;
mod name;
mod outcome;
mod request;
mod rid;

pub use answer::Answer;
pub use calls::{Calls, Online, Sent};
pub use limits::*;
pub use name::MethodName;
pub use outcome::{Failed, Outcome, Reply};
pub use request::Request;
pub use rid::Rid;
