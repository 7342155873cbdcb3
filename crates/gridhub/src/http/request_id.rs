//! Request ids: one for every answer, in the shape of a UUID.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::header::HeaderValue;

/// Makes ids that do not repeat within a process and hardly ever between processes. They are names
/// for a log, not secrets.
#[derive(Debug)]
pub struct RequestIds {
    process: u64,
    next: AtomicU64,
}

impl RequestIds {
    /// A source with a random start.
    pub fn new() -> Self {
        let random = RandomState::new();
        RequestIds { process: random.hash_one(1), next: AtomicU64::new(random.hash_one(2)) }
    }

    /// The next id, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`.
    pub fn next(&self) -> HeaderValue {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        // An odd factor permutes the 64-bit numbers: neighbours look different, none repeats.
        let low = count.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut text = [b'-'; 36];
        let digits = (0..16).map(|i| self.process >> (60 - 4 * i) & 15);
        let digits = digits.chain((0..16).map(|i| low >> (60 - 4 * i) & 15));
        let places = (0..36).filter(|i| ![8, 13, 18, 23].contains(i));
        for (place, digit) in places.zip(digits) {
            text[place] = b"0123456789abcdef"[digit as usize];
        }
        HeaderValue::from_bytes(&text).expect("hexadecimal digits are a header value")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_look_like_uuids() {
        let ids = RequestIds::new();
        let seen: std::collections::HashSet<String> =
            (0..1000).map(|_| ids.next().to_str().unwrap().to_owned()).collect();
        assert_eq!(seen.len(), 1000);
        let id = seen.iter().next().unwrap();
        assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    }
}
