//! MQTT 3.1.1 and 5: bytes to packets and back, topics, identifiers and one client's protocol
//! state. It refuses to know sockets, clocks, files, JSON and every other crate of gridhub.

pub mod client_id;
pub mod error;
pub mod limits;
pub mod message;
pub mod packet_id;
pub mod qos;
pub mod reason;
pub mod session;
pub mod topic;
pub mod websocket;
pub mod wire;
