//! User names and passwords from the configuration, argon2, and a short memory of what was
//! verified so that a reconnect storm costs no storm of hashing. Knows nothing of permissions.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use aws_lc_rs::{hmac, rand};

use crate::config::User;

/// The users, their hashes, and the memory.
pub struct Passwords {
    hashes: HashMap<String, String>,
    /// Compared for unknown names, so that the time taken tells nobody which names exist.
    decoy: String,
    memory_key: hmac::Key,
    memory: Mutex<HashMap<[u8; 32], u64>>,
}

/// The password does not belong to the name, or there is no such name; which of them is not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongPassword;

impl Passwords {
    /// Takes the users over; hashes were checked by `config::check`.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new(users: &[User]) -> anyhow::Result<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new())
            .map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
        let hashes: HashMap<String, String> =
            users.iter().map(|user| (user.name.clone(), user.password_hash.clone())).collect();
        // The first user's hash takes as long as a real one, being one.
        let decoy = users.first().map(|user| user.password_hash.clone()).unwrap_or_default();
        Ok(Self { hashes, decoy, memory_key: key, memory: Mutex::default() })
    }

    /// Whether the configuration has any user at all.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether the name is a user's.
    pub fn knows(&self, name: &str) -> bool {
        self.hashes.contains_key(name)
    }

    /// Whether this pair was verified in the last minute; cheap.
    pub fn remembers(&self, name: &str, password: &[u8], now_ms: u64) -> bool {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.get(&self.mark(name, password)).is_some_and(|until_ms| now_ms < *until_ms)
    }

    /// Checks the pair; takes tens of milliseconds and megabytes, so not on a reactor.
    ///
    /// # Errors
    /// When they do not belong together.
    pub fn verify(&self, name: &str, password: &[u8], now_ms: u64) -> Result<(), WrongPassword> {
        let hash = self.hashes.get(name);
        let against = hash.unwrap_or(&self.decoy);
        let good = Argon2::default().verify_password(password, against.as_str()).is_ok();
        if !good || hash.is_none() {
            return Err(WrongPassword);
        }
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.len() >= MEMORY_MAX {
            memory.retain(|_, until_ms| now_ms < *until_ms);
        }
        if memory.len() < MEMORY_MAX {
            memory.insert(self.mark(name, password), now_ms.saturating_add(MEMORY_MS));
        }
        Ok(())
    }

    /// What is remembered: keyed by a secret of this process, so that a memory dump gives no
    /// quick hash to guess against.
    fn mark(&self, name: &str, password: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.memory_key);
        context.update(&(name.len() as u64).to_be_bytes());
        context.update(name.as_bytes());
        context.update(password);
        let mut mark = [0u8; 32];
        mark.copy_from_slice(context.sign().as_ref());
        mark
    }
}

/// Hashes a password for `auth.users[].password_hash`.
///
/// # Errors
/// When the system gives no random bytes.
pub fn hash(password: &[u8]) -> anyhow::Result<String> {
    let mut salt = [0u8; 16];
    rand::fill(&mut salt).map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
    let hash = Argon2::default()
        .hash_password_with_salt(password, &salt)
        .map_err(|error| anyhow::anyhow!("cannot hash the password: {error}"))?;
    Ok(hash.to_string())
}

/// Whether `text` is an argon2 hash in PHC form.
pub fn is_hash(text: &str) -> bool {
    PasswordHash::new(text)
        .is_ok_and(|hash| hash.algorithm.as_str().starts_with("argon2") && hash.hash.is_some())
}

const MEMORY_MS: u64 = 60_000;
const MEMORY_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_wrong_unknown_and_remembered() {
        let hash = hash(b"open sesame").expect("hash");
        assert!(is_hash(&hash));
        assert!(!is_hash("open sesame") && !is_hash("$2b$10$abc"));
        let users = [User { name: "ann".into(), password_hash: hash }];
        let passwords = Passwords::new(&users).expect("passwords");
        assert!(!passwords.remembers("ann", b"open sesame", 0));
        for (name, password) in [("ann", "open"), ("bob", "open sesame"), ("", "")] {
            assert_eq!(passwords.verify(name, password.as_bytes(), 0), Err(WrongPassword));
            assert!(!passwords.remembers(name, password.as_bytes(), 0));
        }
        assert_eq!(passwords.verify("ann", b"open sesame", 0), Ok(()));
        assert!(passwords.remembers("ann", b"open sesame", MEMORY_MS - 1));
        assert!(!passwords.remembers("ann", b"open sesame", MEMORY_MS));
        assert!(!passwords.remembers("ann", b"open sesam", 1));
    }
}
