//! Principals of tokens verified before, by a hash of the token: HTTP sends the same one with
//! every request. Bounded; never outlives a token. Knows nothing of how tokens are verified.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::digest::{SHA256, digest};
use broker::access::Principal;

/// SHA-256 of a token.
type Mark = [u8; 32];

/// Verified tokens.
#[derive(Default)]
pub struct TokenCache {
    known: RwLock<HashMap<Mark, Arc<Principal>>>,
}

impl TokenCache {
    /// The principal of a token verified before that is not over yet.
    pub fn get(&self, token: &str, now_ms: u64) -> Option<Arc<Principal>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let principal = known.get(&mark(token))?;
        (!principal.expired(now_ms)).then(|| Arc::clone(principal))
    }

    /// Remembers a verified token. At the bound tokens that are over go first, then all: they
    /// only cost another verification.
    pub fn insert(&self, token: &str, principal: &Arc<Principal>, now_ms: u64) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= TOKENS_MAX {
            known.retain(|_, principal| !principal.expired(now_ms));
        }
        if known.len() >= TOKENS_MAX {
            known.clear();
        }
        known.insert(mark(token), Arc::clone(principal));
    }
}

fn mark(token: &str) -> Mark {
    let mut mark = [0; 32];
    mark.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    mark
}

const TOKENS_MAX: usize = 10_000;
