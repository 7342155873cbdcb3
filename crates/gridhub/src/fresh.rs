//! Fresh numbers and keys from the system's chance. Refuses to know what becomes of them.

use aws_lc_rs::rand;
use hub::Etag;
use hub::identity::{Fresh, Generation};

/// What a new state of an identity may need, at `now_ms` of the domain clock; `None` = the system
/// gives no random bytes.
pub fn fresh(now_ms: u64) -> Option<Fresh> {
    let (mut primary, mut secondary) = ([0; 32], [0; 32]);
    rand::fill(&mut primary).ok()?;
    rand::fill(&mut secondary).ok()?;
    let [etag, chance] = seed()?;
    // Short as the cloud's, and rarely one that the identity had in another life.
    let etag = Etag(etag >> ETAG_UNUSED_BITS);
    let generation = Generation::beginning(now_ms, chance);
    Some(Fresh { generation, etag, primary, secondary, now_ms })
}

/// Unpredictable bits; `None` as above.
pub fn seed() -> Option<[u64; 2]> {
    let mut words = [[0; 8]; 2];
    words.iter_mut().try_for_each(|bytes| rand::fill(bytes)).ok()?;
    Some(words.map(u64::from_be_bytes))
}

const ETAG_UNUSED_BITS: u32 = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_comes_twice() {
        let (a, b) = (fresh(1).expect("chance"), fresh(1).expect("chance"));
        assert_eq!(a.generation.begun_ms(), 1);
        assert!(a.primary != a.secondary && a.primary != b.primary && a.etag != b.etag);
    }
}
