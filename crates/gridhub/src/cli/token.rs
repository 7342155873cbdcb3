//! `gridhub token`: a bearer token, made offline with the data directory's key.

use clap::Args;

use super::connection::DataFlag;
use crate::config::duration::HumanDuration;
use crate::identity::signing::{TokenRequest, TokenRole};

/// Make a bearer token.
#[derive(Args)]
pub struct Token {
    /// Name of the principal
    #[arg(long, value_name = "N", default_value = "dev")]
    name: String,
    /// What it may do; may be repeated [default: publisher, subscriber and contributor]
    #[arg(long, value_enum, value_name = "ROLE")]
    role: Vec<TokenRole>,
    /// How long it is good, such as 30s or 1h
    #[arg(long, default_value = "1h")]
    ttl: HumanDuration,
    #[command(flatten)]
    data: DataFlag,
}

impl Token {
    /// Prints the token on stdout.
    pub fn run(self) -> anyhow::Result<()> {
        let count = self.name.chars().count();
        if count == 0 || count > 128 || self.name.chars().any(char::is_control) {
            anyhow::bail!("--name must be 1 to 128 characters without control characters");
        }
        let roles = if self.role.is_empty() { TokenRole::ALL.to_vec() } else { self.role };
        let identity = self.data.identity()?;
        let token = identity.signing().token(&TokenRequest {
            name: self.name,
            roles,
            now_s: super::wall_s(),
            ttl_s: self.ttl.get().as_secs(),
        })?;
        println!("{token}");
        Ok(())
    }
}
