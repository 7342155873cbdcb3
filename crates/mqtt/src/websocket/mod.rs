//! MQTT over WebSocket (MQTT 5, 6; RFC 6455): the bytes of a server's connection behind the
//! handshake. Owns frames in both directions, ping and the closing handshake.
//!
//! One connection carries one stream of MQTT bytes and frame boundaries mean nothing (6.0.0-2), so
//! no frame is ever gathered: payload is unmasked where it lies. It refuses to know HTTP, sockets,
//! TLS and MQTT packets.

mod close;
mod framing;
mod incoming;
mod outgoing;

pub use close::Code;
pub use framing::{End, Framing};
pub use outgoing::Next;
