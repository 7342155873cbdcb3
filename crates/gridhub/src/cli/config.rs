//! `gridhub config check|show|hash-password`.

use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use crate::auth::tls::{ClientAuth, TlsConfigs};
use crate::auth::{Authenticator, password};
use crate::config::load::{self, Override};
use crate::config::{Config, show};

/// Verbs about configuration files.
#[derive(Subcommand)]
pub enum ConfigVerb {
    /// Tell what is wrong with a file, with line and suggestion; exit 0 when nothing is
    Check(File),
    /// Print what is in force: file, environment, flags and defaults, secrets masked
    Show(File),
    /// Read a password from stdin and print its hash for auth.users
    HashPassword,
}

/// A configuration file with values laid over it.
#[derive(Args)]
pub struct File {
    /// The configuration (docs/config.md)
    file: PathBuf,
    /// Lay a value over the file's, such as log.level=warn; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl ConfigVerb {
    /// Runs the verb.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Check(file) => {
                let config = file.load()?;
                check_files(&config)?;
                eprintln!("{}: no mistakes", file.file.display());
                Ok(())
            }
            Self::Show(file) => {
                let config = file.load()?;
                let text = show::show(&config).map_err(anyhow::Error::msg)?;
                std::io::stdout().write_all(text.as_bytes()).context("cannot write to stdout")
            }
            Self::HashPassword => hash_password(),
        }
    }
}

impl File {
    fn load(&self) -> anyhow::Result<Config> {
        Ok(load::load(&self.file, &overrides(&self.set)?)?)
    }
}

/// The layers above the file: environment, then flags.
pub fn overrides(flags: &[String]) -> anyhow::Result<Vec<Override>> {
    let vars = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut all = load::from_env(vars);
    for flag in flags {
        all.push(load::from_flag(flag).map_err(anyhow::Error::msg)?);
    }
    Ok(all)
}

/// Reads the files that a configuration names, as serving would.
fn check_files(config: &Config) -> anyhow::Result<()> {
    if config.tls.cert_file.is_some() {
        TlsConfigs::build(&config.tls, &config.clients, ClientAuth::of(config)).context("tls")?;
    }
    Authenticator::new(config, Arc::new(|| 0)).context("auth")?;
    Ok(())
}

fn hash_password() -> anyhow::Result<()> {
    if std::io::stdin().is_terminal() {
        eprintln!("Type the password, then Enter and Ctrl-D (it is shown):");
    }
    let mut text = Vec::new();
    std::io::stdin().take(4096).read_to_end(&mut text).context("cannot read stdin")?;
    // One line end belongs to the terminal or to echo, not to the password.
    if text.ends_with(b"\n") {
        text.pop();
    }
    if text.ends_with(b"\r") {
        text.pop();
    }
    if text.is_empty() {
        bail!("the password is empty");
    }
    println!("{}", password::hash(&text)?);
    Ok(())
}
