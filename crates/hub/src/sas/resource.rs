//! The resource of a token, and whether it covers what is asked for (iot-hub C2). Refuses to know
//! which paths exist.

use crate::percent;

/// A decoded `sr`: a host, perhaps with a port, and segments of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    text: Box<str>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The hub's names, without port.
    pub hosts: &'a [&'a str],
    /// The decoded segments: `["devices", "D1"]`, `["devices", "D1", "modules", "M"]`,
    /// `["twins", "D1"]`; none for the hub itself.
    pub path: &'a [&'a str],
}

impl Resource {
    /// Reads the decoded text; `None` when it has no host.
    pub(super) fn parse(text: String) -> Option<Self> {
        let resource = Self { text: text.into_boxed_str() };
        let host = resource.host();
        if host.is_empty() { None } else { Some(resource) }
    }

    /// The decoded text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is the target or a prefix of it, segment by segment: `/a/b` covers `/a/b/c` and
    /// not `/a/bc`. Case does not count in hosts and fixed segments, and counts in ids.
    ///
    /// With `Ids::MayBeEncoded` an id may stand in its percent-encoded form.
    pub(super) fn covers(&self, target: &Target<'_>, ids: Ids) -> bool {
        let host = self.host();
        if !target.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
            return false;
        }
        let mut asked = target.path.iter();
        self.path().enumerate().all(|(at, segment)| {
            let Some(asked) = asked.next() else { return false };
            match at % 2 {
                0 => asked.eq_ignore_ascii_case(segment),
                _ if *asked == segment => true,
                _ => ids == Ids::MayBeEncoded && percent::decode(segment).as_deref() == Some(asked),
            }
        })
    }

    /// Without port, which need not be the one that the client dialled.
    fn host(&self) -> &str {
        let host = self.text.split('/').next().unwrap_or_default();
        match host.rsplit_once(':') {
            Some((name, port)) if is_port(port) => name,
            _ => host,
        }
    }

    /// The segments of the path; one empty segment at its end is a slash too many.
    fn path(&self) -> impl Iterator<Item = &str> {
        let path = self.text.split_once('/').map_or("", |(_, path)| path);
        let path = path.strip_suffix('/').unwrap_or(path);
        path.split('/').filter(move |_| !path.is_empty())
    }
}

/// How ids may stand in a resource. Some clients encode an id and then the whole resource again.
/// What a policy has signed is taken literally all the same: the device `%41` must not pass for
/// `A`. With a device's own key it passes for nobody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ids {
    Literal,
    MayBeEncoded,
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_a_prefix_by_segments() {
        let device: &[&str] = &["devices", "D1"];
        let module: &[&str] = &["devices", "D1", "modules", "m"];
        let rows: [(&str, &[&str], bool); 21] = [
            ("h.net", &[], true),
            ("h.net", device, true),
            ("h.net/", module, true),
            ("H.NET/devices/D1", device, true),
            ("h.net:8444/devices/D1", device, true),
            ("h.net/Devices/D1", device, true),
            ("h.net/devices/D1/", device, true),
            ("h.net/devices/D1", module, true),
            ("h.net/devices", module, true),
            ("h.net/devices/D1/MODULES/m", module, true),
            ("alias:443", device, true),
            ("h.net/devices/d1", device, false),
            ("h.net/devices/D", device, false),
            ("h.net/devices/D12", device, false),
            ("h.net/devices/D1//", device, false),
            ("h.net//devices/D1", device, false),
            ("h.net/devices/D1/modules/m", device, false),
            ("h.net/devices/D1/modules/M", module, false),
            ("h.net/twins/D1", device, false),
            ("h.net.evil/devices/D1", device, false),
            ("h.net:99x/devices/D1", device, false),
        ];
        for (text, path, covered) in rows {
            let resource = Resource::parse(text.into()).unwrap();
            let target = Target { hosts: &["h.net", "alias"], path };
            assert_eq!(resource.covers(&target, Ids::Literal), covered, "{text} {path:?}");
            assert_eq!(resource.covers(&target, Ids::MayBeEncoded), covered, "{text} {path:?}");
        }
    }

    #[test]
    fn an_encoded_id_counts_only_where_it_can_be_nobody_elses() {
        let resource = Resource::parse("h/devices/a%2Bb".into()).unwrap();
        let plus = Target { hosts: &["h"], path: &["devices", "a+b"] };
        let literal = Target { hosts: &["h"], path: &["devices", "a%2Bb"] };
        assert!(!resource.covers(&plus, Ids::Literal));
        assert!(resource.covers(&plus, Ids::MayBeEncoded));
        assert!(resource.covers(&literal, Ids::Literal));
    }

    #[test]
    fn a_resource_has_a_host() {
        for text in ["", "/devices/D1", ":443/devices/D1"] {
            assert_eq!(Resource::parse(text.into()), None, "{text}");
        }
    }
}
