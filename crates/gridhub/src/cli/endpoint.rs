//! Addresses as users write and read them. Knows nothing of sockets.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use crate::identity::profile::ClientProfile;

/// An address to listen on: `127.0.0.1:8883`, `[::1]:8883`, `localhost:8883` or `:8883`; the last
/// two mean IPv4 loopback. Port 0 takes any free one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress(pub SocketAddr);

/// An address, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionalAddress {
    /// No listener.
    Off,
    /// A listener.
    On(ListenAddress),
}

/// Where an MQTT server is: host, which its certificate must name, and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttsEndpoint {
    /// Host name or address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// Where the HTTPS listener is: host, which its certificate must name, and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpsEndpoint {
    /// Host name or address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// Where a client verb goes: each kind of verb knows one kind of address.
pub trait Endpoint: FromStr<Err = String> + Clone + Send + Sync + 'static {
    /// What `--help` says of the flag.
    const HELP: &'static str;

    /// Host and port.
    fn address(&self) -> (&str, u16);

    /// The address of this kind as a server left it.
    fn told_by(profile: &ClientProfile) -> &str;
}

/// What clients on this machine call an address: `localhost` where that reaches it.
pub fn for_clients(address: SocketAddr) -> String {
    if address.ip().is_loopback() || address.ip().is_unspecified() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self(address));
        }
        let port = text.strip_prefix("localhost").unwrap_or(text).strip_prefix(':');
        match port.map(str::parse) {
            Some(Ok(port)) => Ok(Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))),
            _ => Err("write an address with a port, such as 127.0.0.1:8883 or :0".into()),
        }
    }
}

impl FromStr for OptionalAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            _ => text.parse().map(Self::On).map_err(|why| format!("{why}, or off")),
        }
    }
}

impl FromStr for MqttsEndpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("'{text}' is no MQTT endpoint; write mqtts://HOST:PORT (MQTT over TLS)");
        let (host, port) = host_and_port(text, "mqtts", MQTTS_PORT).ok_or_else(wrong)?;
        Ok(Self { host, port })
    }
}

impl FromStr for HttpsEndpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no HTTPS endpoint; write https://HOST:PORT");
        let (host, port) = host_and_port(text, "https", HTTPS_PORT).ok_or_else(wrong)?;
        Ok(Self { host, port })
    }
}

impl Endpoint for MqttsEndpoint {
    const HELP: &'static str = "Server, such as mqtts://localhost:8883";

    fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    fn told_by(profile: &ClientProfile) -> &str {
        &profile.mqtts
    }
}

impl Endpoint for HttpsEndpoint {
    const HELP: &'static str = "Server, such as https://localhost:8443";

    fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    fn told_by(profile: &ClientProfile) -> &str {
        &profile.https
    }
}

/// The parts of `SCHEME://HOST:PORT`; the scheme and the port may be left out.
fn host_and_port(text: &str, scheme: &str, default_port: u16) -> Option<(String, u16)> {
    let rest = match text.split_once("://") {
        Some((given, rest)) if given == scheme => rest.trim_end_matches('/'),
        Some(_) => return None,
        None => text,
    };
    let (host, port) = match rest.strip_prefix('[') {
        Some(v6) => {
            let (host, tail) = v6.split_once(']')?;
            (host, tail.strip_prefix(':'))
        }
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let port = port.map_or(Some(default_port), |port| port.parse().ok())?;
    let is_plain = !host.is_empty() && !host.contains(['/', '@', '?']);
    is_plain.then(|| (host.to_owned(), port))
}

const MQTTS_PORT: u16 = 8883;
const HTTPS_PORT: u16 = 443;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses() {
        for (text, want) in [
            ("127.0.0.1:0", Some("127.0.0.1:0")),
            ("localhost:8883", Some("127.0.0.1:8883")),
            (":1", Some("127.0.0.1:1")),
            ("[::1]:5", Some("[::1]:5")),
            ("8883", None),
            ("host:1", None),
            (":99999", None),
        ] {
            let parsed = text.parse::<ListenAddress>().ok().map(|address| address.0.to_string());
            assert_eq!(parsed.as_deref(), want, "{text}");
        }
        assert_eq!("off".parse(), Ok(OptionalAddress::Off));
    }

    #[test]
    fn endpoints() {
        for (text, want) in [
            ("mqtts://localhost:1234", Some(("localhost", 1234))),
            ("mqtts://h/", Some(("h", 8883))),
            ("h:1", Some(("h", 1))),
            ("mqtts://[::1]:7", Some(("::1", 7))),
            ("https://h:1", None),
            ("mqtts://:1", None),
            ("h:x", None),
        ] {
            let parsed = text.parse::<MqttsEndpoint>().ok();
            let parsed = parsed.as_ref().map(|endpoint| (endpoint.host.as_str(), endpoint.port));
            assert_eq!(parsed, want, "{text}");
        }
    }
    #[test]
    fn https_endpoints() {
        for (text, want) in [
            ("https://localhost:1234", Some(("localhost", 1234))),
            ("https://h/", Some(("h", 443))),
            ("[::1]:7", Some(("::1", 7))),
            ("mqtts://h:1", None),
            ("http://h:1", None),
            ("https://h:1/admin", None),
        ] {
            let parsed = text.parse::<HttpsEndpoint>().ok();
            assert_eq!(parsed.as_ref().map(Endpoint::address), want, "{text}");
        }
    }
}
