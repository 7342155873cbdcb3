//! What a signature proves, until when, and why it does not. Refuses to know what was signed.

use super::key::KeySlot;

/// When a signature is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    /// The domain clock, Unix milliseconds.
    pub now_ms: u64,
    /// By how much the signer's clock may be behind; iot-hub A3 finds five minutes reasonable.
    pub skew_ms: u64,
}

impl When {
    /// What a signature is good for that names `expiry_ms`. The skew lets in whose clock is behind;
    /// who needs none lapses at the time that he has named (iot-hub A3).
    pub(super) fn judge(self, expiry_ms: u64, by: KeySlot) -> Result<Proof, SignatureError> {
        if self.now_ms < expiry_ms {
            return Ok(Proof { expires_at_ms: expiry_ms, by });
        }
        let expires_at_ms = expiry_ms.saturating_add(self.skew_ms);
        if self.now_ms >= expires_at_ms {
            return Err(SignatureError::Expired { since_ms: self.now_ms - expiry_ms });
        }
        Ok(Proof { expires_at_ms, by })
    }
}

/// A signature that was found good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// From this domain time on it is good no more; Unix milliseconds. The skew is included where
    /// it was needed.
    pub expires_at_ms: u64,
    /// Which key made it.
    pub by: KeySlot,
}

/// Why a signature is not believed. Callers hear of no difference (iot-hub A5); logs do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Neither key made it over this text.
    #[error("the signature was made by another key or over another text")]
    Wrong,
    /// `sas-expiry` is no decimal number of milliseconds (iot-hub A12, `time`).
    #[error("sas-expiry is no time in milliseconds")]
    NoTime,
    /// It was good once.
    #[error("the signature expired {since_ms} ms ago")]
    Expired {
        /// Time since the expiry that it names, in milliseconds.
        since_ms: u64,
    },
    /// It is good, for something else.
    #[error("the token's resource does not cover what is asked for")]
    Resource,
}
