//! The hub from outside: a device on its MQTT 5 plane or in MQTT 3.1.1, and what signs for it.
//! Crate `hub` is not used, so that a mistake there is no mistake here too. Refuses to know what is
//! proven with it.

pub mod classic;
pub mod device;
pub mod plane;
pub mod signing;

/// Percent-encodes what may stand in a path, a query or a token: all but letters, digits and
/// `-._~`.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// Where an identity lies below `/devices/` and `/twins/`, by its client identifier.
pub fn path(id: &str) -> String {
    id.replacen('/', "/modules/", 1)
}

/// The version of the service API that we speak.
pub const API: &str = "api-version=2021-04-12";
/// Lines of configuration that make a server a hub.
pub const CONFIGURATION: [&str; 2] = ["namespace.hostname = \"localhost\"", "hub.fallback = true"];
/// What a server is called: tokens and signatures are for it.
pub const HOST: &str = "localhost";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_separates() {
        assert_eq!((&*path("d"), &*path("d/m")), ("d", "d/modules/m"));
        assert_eq!(escaped("a-b_c.d~e/f g+h%"), "a-b_c.d~e%2Ff%20g%2Bh%25");
    }
}
