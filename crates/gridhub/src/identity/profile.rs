//! The profile that `gridhub dev` leaves in its data directory, so that client verbs in another
//! terminal find it. Holds addresses only: credentials are made from the keys beside it.

use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::directory::{Access, DataDir, write_whole};

/// Where the dev server of a data directory listens, as last started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientProfile {
    /// `host:port` of MQTT over TLS.
    pub mqtts: String,
    /// `https://host:port`.
    pub https: String,
}

impl ClientProfile {
    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn store(&self, dir: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        write_whole(&dir.join(NAME), &text, Access::Secret)
    }

    /// Reads it; `None` when no dev server ever listened here.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn load(dir: &Path) -> anyhow::Result<Option<Self>> {
        let Some(text) = DataDir::kept(dir.to_owned()).read(NAME)? else { return Ok(None) };
        serde_json::from_str(&text)
            .map(Some)
            .with_context(|| format!("{} is damaged; start `gridhub dev` again", NAME))
    }
}

const NAME: &str = "profile.json";
