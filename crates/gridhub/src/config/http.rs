//! `[http]`: rates, versions and bounds of the HTTPS side. Owns their spelling, defaults and what
//! is refused; knows nothing of requests.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Profile;
use super::duration::HumanDuration;
use super::mistake::Mistake;

/// How HTTP behaves. The defaults fit `gridhub dev`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Messages a second and principal; 0 = no limit, absent = the profile's.
    pub publish_per_second_max: Option<u32>,
    /// Payload bytes a second and principal; 0 = no limit.
    pub publish_bytes_per_second_max: u32,
    /// Values of `api-version` besides the published ones (event-grid 2.9).
    pub api_versions: Vec<String>,
    /// Connections of one listener at once.
    pub connections_max: usize,
    /// From accept to the end of the TLS handshake.
    pub handshake_time: HumanDuration,
    /// For a request's head, and how long a connection may idle.
    pub idle_time: HumanDuration,
    /// From one piece of a body to the next.
    pub body_idle_time: HumanDuration,
    /// For a whole body.
    pub body_time: HumanDuration,
    /// Bytes of all bodies in memory together.
    pub bodies_bytes_max: usize,
    /// Absent = the profile's.
    pub client_certificates: Option<ClientCertificates>,
}

/// Whether clients are asked for a certificate. A browser that is asked gives up a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificates {
    /// They are not.
    #[default]
    Never,
    /// They are, and need not have one.
    Optional,
}

impl HttpConfig {
    /// As written, with the profile's rate filled in; where all who come are devices, they are
    /// asked for certificates.
    pub fn effective(&self, profile: Profile) -> Self {
        let of_profile = match profile {
            Profile::Open | Profile::IotHub => 0,
            Profile::EventGrid => EVENT_GRID_PER_SECOND,
        };
        let rate = self.publish_per_second_max.unwrap_or(of_profile);
        let of_profile = match profile {
            Profile::IotHub => ClientCertificates::Optional,
            Profile::Open | Profile::EventGrid => ClientCertificates::Never,
        };
        let client_certificates = Some(self.client_certificates.unwrap_or(of_profile));
        Self { publish_per_second_max: Some(rate), client_certificates, ..self.clone() }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        let seconds = |s| HumanDuration::new(Duration::from_secs(s));
        Self {
            publish_per_second_max: None,
            publish_bytes_per_second_max: 0,
            api_versions: Vec::new(),
            connections_max: 10_000,
            handshake_time: seconds(30),
            idle_time: seconds(60),
            body_idle_time: seconds(15),
            body_time: seconds(60),
            bodies_bytes_max: 256 * 1024 * 1024,
            client_certificates: None,
        }
    }
}

/// Values that no client could live with. `body_bytes_max` is the largest single body.
pub fn check(config: &HttpConfig, body_bytes_max: usize, mistakes: &mut Vec<Mistake>) {
    let mut refuse = |key: &str, message: String| {
        mistakes.push(Mistake::new(format!("http.{key}"), message));
    };
    if !(1..=CONNECTIONS_MAX).contains(&config.connections_max) {
        refuse("connections_max", format!("must be 1 to {CONNECTIONS_MAX}"));
    }
    for (key, time) in [
        ("handshake_time", config.handshake_time),
        ("idle_time", config.idle_time),
        ("body_idle_time", config.body_idle_time),
        ("body_time", config.body_time),
    ] {
        if time.get().is_zero() || time.get() > TIME_MAX {
            refuse(key, "must be above 0s and at most 1d".into());
        }
    }
    if config.bodies_bytes_max < body_bytes_max {
        let message = "must be at least limits.http_body_bytes_max, or the largest body never fits";
        refuse("bodies_bytes_max", message.into());
    }
    for (at, version) in config.api_versions.iter().enumerate() {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
        if version.is_empty() || !version.bytes().all(plain) {
            let message = format!("'{version}' must be letters, digits, '-' or '.'");
            refuse(&format!("api_versions[{at}]"), message);
        }
    }
}

/// Event-grid 10, inbound HTTP publish of one session.
const EVENT_GRID_PER_SECOND: u32 = 500;
/// More than a machine has ports and descriptors for; a larger number is a slip.
const CONNECTIONS_MAX: usize = 1_000_000;
const TIME_MAX: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_gives_the_rate_where_none_is_written() {
        let rate = |written, profile| {
            let config = HttpConfig { publish_per_second_max: written, ..HttpConfig::default() };
            config.effective(profile).publish_per_second_max
        };
        assert_eq!(rate(None, Profile::Open), Some(0));
        assert_eq!(rate(None, Profile::EventGrid), Some(500));
        assert_eq!(rate(Some(0), Profile::EventGrid), Some(0));
        assert_eq!(rate(Some(7), Profile::Open), Some(7));
    }

    #[test]
    fn devices_are_asked_for_certificates_and_browsers_are_not() {
        use ClientCertificates::{Never, Optional};
        let asked = |text: &str, profile| {
            let config: HttpConfig = toml::from_str(text).expect("readable");
            config.effective(profile).client_certificates
        };
        assert_eq!(asked("", Profile::Open), Some(Never));
        assert_eq!(asked("", Profile::IotHub), Some(Optional));
        let never = "client_certificates = \"never\"";
        assert_eq!(asked(never, Profile::IotHub), Some(Never));
        let optional = "client_certificates = \"optional\"";
        assert_eq!(asked(optional, Profile::Open), Some(Optional));
    }

    #[test]
    fn what_cannot_work_is_refused_at_its_key() {
        let rows = [
            ("", None),
            ("connections_max = 0", Some("http.connections_max")),
            ("connections_max = 10000000", Some("http.connections_max")),
            ("idle_time = \"0s\"", Some("http.idle_time")),
            ("body_time = \"2d\"", Some("http.body_time")),
            ("bodies_bytes_max = 1000", Some("http.bodies_bytes_max")),
            ("api_versions = [\"2026-01-01\"]", None),
            ("api_versions = [\"2026-01-01\", \"a b\"]", Some("http.api_versions[1]")),
        ];
        for (text, path) in rows {
            let config: HttpConfig = toml::from_str(text).expect("readable");
            let mut mistakes = Vec::new();
            check(&config, 512 * 1024, &mut mistakes);
            let paths: Vec<&str> = mistakes.iter().map(|mistake| &*mistake.path).collect();
            assert_eq!(paths, path.into_iter().collect::<Vec<_>>(), "{text}");
        }
    }
}
