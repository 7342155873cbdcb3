//! The command line. Refuses to know how a proof is carried out.

use crate::crash::{Durability, Mishap, Part, Settings};
use crate::proof::Size;
use crate::soak::Extra;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;

/// What was asked for.
#[derive(Debug)]
pub struct Options {
    /// Which run.
    pub what: What,
    /// Of the measured part, if not the usual.
    pub seconds: Option<u64>,
    /// Whole or short.
    pub size: Size,
    /// The page to write the result to.
    pub record: Option<PathBuf>,
    /// Where a figure's server keeps its data.
    pub folder: Option<PathBuf>,
    /// What the soak has beside the usual.
    pub extras: Vec<Extra>,
    binary: Option<PathBuf>,
}

/// The runs there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// One proof by name.
    Proof(String),
    /// The names.
    List,
    /// The soak.
    Soak,
    /// The crash proof.
    Crash(Settings),
    /// One figure of the bench by name.
    Figure(String),
}

impl Options {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn parse(words: &[String]) -> Result<Self> {
        let mut words = words.iter().map(String::as_str);
        let what = match words.next() {
            Some("proof") => match words.next() {
                Some("--list") | None => What::List,
                Some(name) => What::Proof(name.to_owned()),
            },
            Some("figure") => What::Figure(words.next().context("which figure?")?.to_owned()),
            Some("soak") => What::Soak,
            Some("crash") => What::Crash(Settings::new()),
            other => {
                bail!("load proof NAME, load soak, load crash or load figure NAME, not {other:?}")
            }
        };
        let (size, binary) = (Size::Full, std::env::var_os("GRIDHUB_BIN").map(PathBuf::from));
        let extras = Vec::new();
        let (record, folder) = (None, None);
        let mut options = Self { what, seconds: None, size, record, folder, extras, binary };
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value"));
            match word {
                "--seconds" => options.seconds = Some(number(value()?)?),
                "--minutes" => options.seconds = Some(60 * number(value()?)?),
                "--smoke" => options.size = Size::Smoke,
                "--with" => options.extras.push(extra(value()?)?),
                "--folder" => options.folder = Some(value()?.into()),
                "--record" => options.record = Some(value()?.into()),
                "--binary" => options.binary = Some(value()?.into()),
                other => match &mut options.what {
                    What::Crash(settings) => crash(settings, other, value)?,
                    _ => bail!("there is no option '{other}'"),
                },
            }
        }
        let sized = options.seconds.is_some() || options.size == Size::Smoke;
        let other = options.seconds.is_some() || options.record.is_some();
        match (&options.what, &options.folder) {
            (What::Figure(_), None) => {
                bail!("--folder DIR: where a figure's server keeps its data")
            }
            (What::Figure(_), _) if other || !options.extras.is_empty() => {
                bail!("figure has --folder and --smoke, and no other option");
            }
            (What::Figure(_), _) | (_, None) => {}
            _ => bail!("only figure has --folder"),
        }
        if matches!(options.what, What::Crash(_)) && (sized || !options.extras.is_empty()) {
            bail!("crash has --rounds, and no --seconds, --minutes, --smoke or --with");
        }
        Ok(options)
    }

    /// The server to prove, as an absolute path: it is started elsewhere.
    ///
    /// # Errors
    /// When none is named or there is none.
    pub fn binary(&self) -> Result<PathBuf> {
        let path = self.binary.as_ref().context("no server: --binary FILE or GRIDHUB_BIN")?;
        path.canonicalize().with_context(|| path.display().to_string())
    }

    /// The command that repeats it.
    pub fn command(&self) -> String {
        let mut command = match &self.what {
            What::Proof(name) => format!("cargo xtask proof {name}"),
            What::List => "cargo xtask proof --list".to_owned(),
            What::Soak => "cargo xtask soak".to_owned(),
            What::Crash(settings) => settings.command(),
            What::Figure(name) => format!("cargo xtask bench {name}"),
        };
        if let Some(seconds) = self.seconds {
            command.push_str(&format!(" --seconds {seconds}"));
        }
        for extra in &self.extras {
            command.push_str(match extra {
                Extra::WebSocket => " --with websocket",
            });
        }
        if self.size == Size::Smoke {
            command.push_str(" --smoke");
        }
        command
    }
}

/// One option of the crash proof.
fn crash<'a>(
    settings: &mut Settings,
    word: &str,
    mut value: impl FnMut() -> Result<&'a str>,
) -> Result<()> {
    match word {
        "--rounds" => settings.rounds = number(value()?)?,
        "--seed" => settings.seed = value()?.parse().context("--seed is a number")?,
        "--durability" => settings.durability = Durability::parse(value()?)?,
        "--power-loss" => settings.mishap = Mishap::PowerLoss,
        "--disconnect" => settings.mishap = Mishap::Disconnect,
        "--without" => settings.without.push(Part::parse(value()?)?),
        other => bail!("there is no option '{other}'"),
    }
    Ok(())
}

fn extra(text: &str) -> Result<Extra> {
    match text {
        "websocket" => Ok(Extra::WebSocket),
        other => bail!("--with is websocket, not '{other}'"),
    }
}

fn number(text: &str) -> Result<u64> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => bail!("'{text}' is no number above zero"),
    }
}
