//! Shared access signatures: keys, the signature in an MQTT 5 CONNECT (iot-hub A3), tokens (C2,
//! D1) and connection strings.
//!
//! Owns what is signed, how it is spelled and until when it holds. Refuses to know who is
//! registered, which rights a policy has, and where the time comes from.

mod connection_string;
mod key;
mod resource;
mod signature;
mod signed_connect;
mod token;

pub use connection_string::{ConnectionString, ConnectionStringError, Credential, Subject};
pub use key::{Key, KeyError, KeySlot, SymmetricKeys};
pub use resource::{Resource, Target};
pub use signature::{Proof, SignatureError, When};
pub use signed_connect::SignedConnect;
pub use token::{Token, TokenError};
