//! Who somebody is: certificates, tokens, passwords, anonymous clients of the loopback port.
//! Ends in a `Principal` with compiled permissions; knows nothing of packets and sockets.

pub mod authenticator;
pub mod certificate;
pub mod outgoing;
pub mod password;
pub mod permissions;
pub mod pool;
pub mod refusal;
pub mod registry;
pub mod tls;
pub mod token;
pub mod token_cache;
pub mod token_key;

pub use authenticator::{Audience, Authenticator};
