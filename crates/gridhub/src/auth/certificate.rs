//! What a client certificate says: names and thumbprints. Reads only; trust was decided by TLS,
//! and what a name is worth is decided by `auth::registry`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aws_lc_rs::digest;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::config::NameSource;
use crate::config::registry::ValidationScheme;

/// The fields of a certificate that can name a client (event-grid 4.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateNames {
    /// First common name of the subject.
    pub common_name: Option<String>,
    /// The subject's parts in the certificate's order, such as `CN=pump1`.
    pub subject: Vec<String>,
    /// dNSName entries.
    pub dns: Vec<String>,
    /// URI entries.
    pub uris: Vec<String>,
    /// iPAddress entries in text form.
    pub ips: Vec<String>,
    /// rfc822Name entries.
    pub emails: Vec<String>,
    /// SHA-256 and SHA-1 of the certificate in lower-case hex.
    pub thumbprints: [String; 2],
}

impl CertificateNames {
    /// Reads a certificate (DER).
    ///
    /// # Errors
    /// When it is no certificate.
    pub fn read(der: &[u8]) -> Result<Self, Unreadable> {
        let (_, cert) = X509Certificate::from_der(der).map_err(|_| Unreadable)?;
        let mut names = Self { thumbprints: thumbprints(der), ..Self::default() };
        let common_name = cert.subject().iter_common_name().next();
        names.common_name = common_name.and_then(|name| name.as_str().ok()).map(str::to_owned);
        let subject = cert.subject().to_string();
        names.subject = split_subject(&subject);
        // Twice the same extension makes the whole certificate suspect.
        let san = cert.subject_alternative_name().map_err(|_| Unreadable)?;
        for name in san.iter().flat_map(|san| &san.value.general_names) {
            match name {
                GeneralName::DNSName(name) => names.dns.push((*name).to_owned()),
                GeneralName::URI(name) => names.uris.push((*name).to_owned()),
                GeneralName::RFC822Name(name) => names.emails.push((*name).to_owned()),
                GeneralName::IPAddress(bytes) => names.ips.extend(ip_text(bytes)),
                _ => {}
            }
        }
        Ok(names)
    }

    /// Whether the certificate proves `name` by `scheme` (event-grid 4.2). Thumbprints are
    /// compared with `thumbprints`, normalised by [`normal_thumbprint`].
    pub fn proves(&self, name: &str, scheme: ValidationScheme, thumbprints: &[String]) -> bool {
        match scheme {
            ValidationScheme::SubjectMatchesAuthenticationName => self.subject_is(name),
            ValidationScheme::DnsMatchesAuthenticationName => {
                self.dns.iter().any(|dns| dns.eq_ignore_ascii_case(name))
            }
            ValidationScheme::UriMatchesAuthenticationName => {
                self.uris.iter().any(|uri| uri == name)
            }
            ValidationScheme::IpMatchesAuthenticationName => {
                let wanted = name.parse::<IpAddr>().map_or(name.to_owned(), |ip| ip.to_string());
                self.ips.contains(&wanted)
            }
            ValidationScheme::EmailMatchesAuthenticationName => {
                self.emails.iter().any(|email| email == name)
            }
            ValidationScheme::ThumbprintMatch => {
                self.thumbprints.iter().any(|own| thumbprints.contains(own))
            }
        }
    }

    /// The name in a certificate field, for CONNECT without a user name (event-grid 4.3).
    pub fn name_in(&self, source: NameSource) -> Option<String> {
        let first = |names: &[String]| names.iter().find(|name| !name.is_empty()).cloned();
        match source {
            NameSource::ClientCertificateSubject => self
                .common_name
                .clone()
                .filter(|name| !name.is_empty())
                .or_else(|| (!self.subject.is_empty()).then(|| self.subject.join(", "))),
            NameSource::ClientCertificateDns => first(&self.dns),
            NameSource::ClientCertificateUri => first(&self.uris),
            NameSource::ClientCertificateIp => first(&self.ips),
            NameSource::ClientCertificateEmail => first(&self.emails),
        }
    }

    /// The common name, or the whole distinguished name in either order (tools disagree on it).
    fn subject_is(&self, name: &str) -> bool {
        if self.common_name.as_deref() == Some(name) {
            return true;
        }
        let wanted = split_subject(name);
        !self.subject.is_empty()
            && (wanted == self.subject || wanted.iter().rev().eq(self.subject.iter()))
    }
}

/// The bytes are no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// SHA-256 and SHA-1 in lower-case hex.
pub fn thumbprints(der: &[u8]) -> [String; 2] {
    [&digest::SHA256, &digest::SHA1_FOR_LEGACY_USE_ONLY].map(|algorithm| {
        let hash = digest::digest(algorithm, der);
        hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    })
}

/// A thumbprint as lower-case hex without separators; `None` when it is neither SHA-256 nor
/// SHA-1 in hex (event-grid 4.2).
pub fn normal_thumbprint(text: &str) -> Option<String> {
    let hex: String = text.chars().filter(|c| *c != ':').collect::<String>().to_ascii_lowercase();
    let digits = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    (digits && matches!(hex.len(), 40 | 64)).then_some(hex)
}

/// Text form of an iPAddress entry.
pub fn ip_text(bytes: &[u8]) -> Option<String> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(v4).to_string());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| Ipv6Addr::from(v6).to_string())
}

fn split_subject(text: &str) -> Vec<String> {
    text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

    fn certificate() -> Vec<u8> {
        let mut dn = DistinguishedName::new();
        dn.push(DnType::OrganizationName, "Plant");
        dn.push(DnType::CommonName, "pump1");
        let mut params = CertificateParams::default();
        params.distinguished_name = dn;
        params.subject_alt_names = vec![
            SanType::DnsName("Pump1.example".try_into().expect("dns")),
            SanType::URI("urn:pump:1".try_into().expect("uri")),
            SanType::IpAddress("10.0.0.7".parse().expect("ip")),
            SanType::IpAddress("fd00::7".parse().expect("ip")),
            SanType::Rfc822Name("pump1@example.com".try_into().expect("mail")),
        ];
        let key = KeyPair::generate().expect("key");
        params.self_signed(&key).expect("certificate").der().to_vec()
    }

    #[test]
    fn each_scheme_reads_its_field_and_no_other() {
        use ValidationScheme as V;
        let der = certificate();
        let names = CertificateNames::read(&der).expect("readable");
        let [sha256, sha1] = thumbprints(&der);
        let rows = [
            (V::SubjectMatchesAuthenticationName, "pump1", true),
            (V::SubjectMatchesAuthenticationName, "O=Plant, CN=pump1", true),
            (V::SubjectMatchesAuthenticationName, "CN=pump1,O=Plant", true),
            (V::SubjectMatchesAuthenticationName, "Pump1", false),
            (V::SubjectMatchesAuthenticationName, "pump1.example", false),
            (V::DnsMatchesAuthenticationName, "pump1.example", true),
            (V::DnsMatchesAuthenticationName, "pump1", false),
            (V::UriMatchesAuthenticationName, "urn:pump:1", true),
            (V::UriMatchesAuthenticationName, "urn:pump:2", false),
            (V::IpMatchesAuthenticationName, "10.0.0.7", true),
            (V::IpMatchesAuthenticationName, "fd00:0:0:0:0:0:0:7", true),
            (V::IpMatchesAuthenticationName, "10.0.0.8", false),
            (V::EmailMatchesAuthenticationName, "pump1@example.com", true),
            (V::EmailMatchesAuthenticationName, "pump1", false),
            (V::ThumbprintMatch, "pump1", false),
        ];
        for (scheme, name, want) in rows {
            assert_eq!(names.proves(name, scheme, &[]), want, "{scheme:?} {name}");
        }
        for print in [sha256.to_uppercase(), sha1] {
            let print = normal_thumbprint(&print).expect("hex");
            assert!(names.proves("whoever", V::ThumbprintMatch, &[print]));
        }
    }

    #[test]
    fn names_without_a_user_name_come_from_the_listed_field() {
        let names = CertificateNames::read(&certificate()).expect("readable");
        for (source, want) in [
            (NameSource::ClientCertificateSubject, "pump1"),
            (NameSource::ClientCertificateDns, "Pump1.example"),
            (NameSource::ClientCertificateUri, "urn:pump:1"),
            (NameSource::ClientCertificateIp, "10.0.0.7"),
            (NameSource::ClientCertificateEmail, "pump1@example.com"),
        ] {
            assert_eq!(names.name_in(source).as_deref(), Some(want), "{source:?}");
        }
    }

    #[test]
    fn rubbish_is_no_certificate() {
        assert_eq!(CertificateNames::read(b"\x30\x03abc"), Err(Unreadable));
        assert_eq!(normal_thumbprint("AB:CD"), None);
        assert_eq!(normal_thumbprint(&"AB:".repeat(20)), Some("ab".repeat(20)));
    }
}
