//! The MQTT 5 plane (iot-hub A): what packets under `$iothub/` mean, and what they are answered.
//!
//! Owns the topics and filters, the user properties of each operation, the outcomes, and the
//! table of what a mistake leads to. Pure decisions on values: refuses to know connections,
//! sessions' numbers, identities' state and the time.
//!
//! [`Operation::read`] is the way in for a PUBLISH, [`Hello::read`] for a CONNECT,
//! [`Renewal::read`] for an AUTH, [`Filter::of`] for a SUBSCRIBE, [`Settlement::of`] for the
//! PUBACK to a command; [`ToClient`] is the way out.

mod claim;
mod connack;
mod connect;
mod connect_refused;
mod correlation;
mod filter;
mod limits;
mod operation;
mod property;
mod renewal;
mod response;
mod settlement;
mod since;
mod status;
mod subscriptions;
mod telemetry;
mod to_client;
mod told;
mod topic;
mod typed;
mod violation;
mod will;

pub use claim::{Claim, Method, Signature};
pub use connack::{Announced, KeepAlive, SessionExpiry, keep_alive, session_expiry};
pub use connect::{AbsentExpiry, ApiVersions, Hello, Leniency, OtherProperties, is_for_hub};
pub use connect_refused::ConnectRefused;
pub use correlation::{Correlation, NoCorrelation};
pub use filter::{Filter, Subscription};
pub use limits::*;
pub use operation::Operation;
pub use property::{PropertyError, PropertyRule};
pub use renewal::{NotRenewed, Renewal};
pub use response::{Answer, Response};
pub use settlement::Settlement;
pub use since::Since;
pub use status::{Class, Status};
pub use subscriptions::Subscriptions;
pub use telemetry::{NoTelemetry, telemetry};
pub use to_client::{Command, Oversize, ToClient};
pub use told::{Packet, ProblemInformation, Told, fitting};
pub use topic::Topic;
pub(crate) use typed::{i32 as parse_i32, u64 as parse_u64};
pub use violation::{Interaction, Mistake, Verdict, Violation, failure};
pub use will::{WillRefused, will};
