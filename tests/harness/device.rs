//! A device on the MQTT 5 plane of the hub, packet by packet (iot-hub A2, A3): it signs its CONNECT
//! and sends telemetry.
use crate::raw::{Raw, connect, publish, string};
use crate::server::Server;
use crate::tls::Proof;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::time::{SystemTime, UNIX_EPOCH};

/// A connection of a device.
pub struct Device {
    /// Its packets.
    pub raw: Raw,
    last_id: u16,
}

impl Device {
    /// Connected over TLS and accepted, with a key in base64.
    #[track_caller]
    pub fn connect(server: &Server, id: &str, key: &str) -> Self {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        let expiry = (now_ms + 3_600_000).to_string();
        let key = BASE64_STANDARD.decode(key).expect("a key in base64");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let signed = format!("localhost\n{id}\n\n\n{expiry}\n");
        let mac = hmac::sign(&key, signed.as_bytes());
        let mut properties = [&[0x15][..], &string("SAS"), &[0x16, 0, 32], mac.as_ref()].concat();
        for (name, value) in [
            ("api-version", "2020-10-01-preview"),
            ("host", "localhost"),
            ("sas-expiry", expiry.as_str()),
        ] {
            properties.extend(user(name, value));
        }
        let mut raw = Raw::tls(server, &Proof::Nothing);
        raw.send(&connect(5, 0x02, id, &properties));
        let (first, body) = raw.packet();
        assert_eq!((first, body[1]), (0x20, 0), "CONNACK {body:02x?}");
        Self { raw, last_id: 0 }
    }

    /// Sends telemetry that says to be JSON in UTF-8, at QoS 1, and does not wait.
    pub fn send(&mut self, body: &str, properties: &[(&str, &str)]) {
        self.last_id += 1;
        let mut raw = [&[0x03][..], &string("application/json")].concat();
        raw.extend(user("content-encoding", "utf-8"));
        properties.iter().for_each(|(name, value)| raw.extend(user(name, value)));
        let id = self.last_id;
        self.raw.send(&publish(0x32, "$iothub/telemetry", id, Some(&raw), body.as_bytes()));
    }

    /// Waits for so many PUBACK in their order, all of success.
    #[track_caller]
    pub fn acknowledged(&mut self, count: u16) {
        for id in self.last_id + 1 - count..=self.last_id {
            let (first, body) = self.raw.packet();
            assert_eq!((first, &body[..2]), (0x40, &id.to_be_bytes()[..]), "{body:02x?}");
            assert_eq!(body.get(2).copied().unwrap_or(0), 0, "{body:02x?}");
        }
    }
}

fn user(name: &str, value: &str) -> Vec<u8> {
    [&[0x26][..], &string(name), &string(value)].concat()
}
