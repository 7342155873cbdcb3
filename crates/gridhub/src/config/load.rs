//! Reads a configuration in layers: file, then `GRIDHUB__A__B` variables, then `--set A.B=V`.
//! Owns the order and the blame; the meaning of values is checked by `config::check`.

use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::mistake::{Located, Mistakes, Place, explain, locate, locate_parse};
use super::{Config, check};

/// One value laid over the file's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// As the user wrote it, for errors: `GRIDHUB__LOG__LEVEL` or `--set log.level`.
    pub source: String,
    /// Key path.
    pub path: Vec<String>,
    /// A TOML value, or bare text.
    pub value: String,
}

/// Reads, layers and checks the file; relative paths in it are relative to its directory.
///
/// # Errors
/// Everything that is wrong, each with its place.
pub fn load(file: &Path, overrides: &[Override]) -> Result<Config, Mistakes> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let place = Place::File { path: file.to_owned(), line_column: None };
        let message = format!("cannot read the configuration: {error}");
        Mistakes(vec![Located { place, message }])
    })?;
    parse(file, &text, overrides)
}

/// As [`load`], from text already read; `file` names it in errors.
///
/// # Errors
/// Everything that is wrong, each with its place.
pub fn parse(file: &Path, text: &str, overrides: &[Override]) -> Result<Config, Mistakes> {
    // The file alone comes first: only here do errors carry their line.
    let mut config: Config =
        toml::from_str(text).map_err(|error| Mistakes(vec![locate_parse(&error, file, text)]))?;
    if !overrides.is_empty() {
        let mut table: Table = toml::from_str(text)
            .map_err(|error| Mistakes(vec![locate_parse(&error, file, text)]))?;
        for over in overrides {
            config = apply(&mut table, over).map_err(|message| {
                Mistakes(vec![Located { place: Place::Override(over.source.clone()), message }])
            })?;
        }
    }
    config.name_data();
    config.resolve_paths(file.parent().unwrap_or(Path::new("")));
    let mistakes = check::check(&config);
    if mistakes.is_empty() {
        return Ok(config);
    }
    Err(Mistakes(mistakes.iter().map(|mistake| locate(mistake, file, text)).collect()))
}

/// The `GRIDHUB__A__B` variables among `vars`, in the order of their names.
pub fn from_env(vars: impl Iterator<Item = (String, String)>) -> Vec<Override> {
    let mut found: Vec<Override> = vars
        .filter_map(|(name, value)| {
            let path = name.strip_prefix(ENV_PREFIX)?;
            let path = path.split("__").map(str::to_lowercase).collect();
            Some(Override { source: name, path, value })
        })
        .collect();
    found.sort_by(|a, b| a.source.cmp(&b.source));
    found
}

/// Reads one `--set KEY=VALUE`.
///
/// # Errors
/// When there is no `=` or no key.
pub fn from_flag(text: &str) -> Result<Override, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok(Override {
            source: format!("--set {}", key.trim()),
            path: key.trim().split('.').map(str::to_owned).collect(),
            value: value.trim().to_owned(),
        }),
        _ => Err(format!("'{text}' is not KEY=VALUE; write for example log.level=warn")),
    }
}

/// Lays one value over `table` and reads the whole again, so that blame falls on this value.
fn apply(table: &mut Table, over: &Override) -> Result<Config, String> {
    let typed = toml::from_str::<Table>(&format!("v = {}", over.value))
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("v"));
    let text = Value::String(over.value.clone());
    let mut first_error = None;
    for value in typed.into_iter().chain([text]) {
        let mut candidate = table.clone();
        insert(&mut candidate, &over.path, value)?;
        match Config::deserialize(candidate.clone()) {
            Ok(config) => {
                *table = candidate;
                return Ok(config);
            }
            Err(error) => {
                first_error.get_or_insert_with(|| explain(error.message()));
            }
        }
    }
    Err(first_error.unwrap_or_default())
}

fn insert(table: &mut Table, path: &[String], value: Value) -> Result<(), String> {
    let Some((last, above)) = path.split_last() else {
        return Err("names no key".into());
    };
    let mut here = table;
    for step in above {
        let entry = here.entry(step.clone()).or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(next) = entry else {
            return Err(format!("'{step}' is not a table; only values in tables can be laid over"));
        };
        here = next;
    }
    here.insert(last.clone(), value);
    Ok(())
}

const ENV_PREFIX: &str = "GRIDHUB__";

#[cfg(test)]
mod tests {
    use super::super::Durability;
    use super::*;

    const BASE: &str = "[listeners]\nmqtt = [\"127.0.0.1:0\"]\n";

    fn errors(text: &str, overrides: &[Override]) -> String {
        parse(Path::new("g.toml"), text, overrides).expect_err("must be refused").to_string()
    }

    #[test]
    fn an_unknown_key_names_its_place_and_the_nearest_key() {
        let text = format!("{BASE}\n[namespace]\nhostnmae = \"x\"\n");
        assert_eq!(
            errors(&text, &[]),
            "g.toml:5:1: unknown key 'hostnmae'; did you mean 'hostname'?"
        );
    }

    #[test]
    fn a_wrong_value_names_its_place() {
        let text = format!("{BASE}\n[log]\nlevel = \"wran\"\n");
        assert_eq!(errors(&text, &[]), "g.toml:5:9: unknown value 'wran'; did you mean 'warn'?");
        let text = format!("{BASE}\n[sys]\ninterval = \"10\"\n");
        assert!(errors(&text, &[]).starts_with("g.toml:5:12: '10' is not a duration"));
    }

    #[test]
    fn a_mistake_of_meaning_names_its_place_too() {
        let text = format!("reactors = 65\n{BASE}");
        assert!(errors(&text, &[]).starts_with("g.toml:1:1: reactors: "));
    }

    #[test]
    fn a_policy_of_the_hub_has_its_line_and_a_suggestion() {
        let policy = |rights, key| {
            format!(
                "{BASE}\n[[hub.policies]]\nname = \"service\"\nrights = [\"{rights}\"]\n\
                 primaryKey = \"{key}\"\nsecondaryKey = \"c2VjcmV0c2VjcmV0c2VjcmV0\"\n"
            )
        };
        assert_eq!(
            errors(&policy("ServiceConect", "x"), &[]),
            "g.toml:6:11: unknown value 'ServiceConect'; did you mean 'ServiceConnect'?"
        );
        let wrong = errors(&policy("ServiceConnect", "x"), &[]);
        assert!(wrong.starts_with("g.toml:7:1: hub.policies[0].primaryKey: "), "{wrong}");
    }

    #[test]
    fn layers_lie_in_order_and_take_the_blame() {
        let env = from_env(
            [
                ("GRIDHUB__LOG__LEVEL", "warn"),
                ("GRIDHUB__NAMESPACE__NAME", "plant-7"),
                ("GRIDHUB_TOKEN", "not one of ours"),
                ("GRIDHUB__REACTORS", "2"),
            ]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into_iter(),
        );
        let mut all = env;
        all.push(from_flag("namespace.name=plant-8").expect("flag"));
        all.push(from_flag("listeners.mqtt=[\"127.0.0.1:1\"]").expect("flag"));
        let config = parse(Path::new("g.toml"), BASE, &all).expect("config");
        assert_eq!(config.log.level.as_str(), "warn");
        assert_eq!(config.reactors, Some(2));
        assert_eq!(config.namespace.name, "plant-8");
        assert_eq!(config.listeners.mqtt[0].port(), 1);
        let wrong = from_flag("log.levle=warn").expect("flag");
        assert_eq!(
            errors(BASE, &[wrong]),
            "--set log.levle: unknown key 'levle'; did you mean 'level'?"
        );
    }

    #[test]
    fn relative_paths_are_relative_to_the_file() {
        let mut config = Config { data: Some("d".into()), ..Config::default() };
        config.resolve_paths(Path::new("/etc/g"));
        assert_eq!(config.data.as_deref(), Some(Path::new("/etc/g/d")));
    }

    #[test]
    fn what_is_kept_has_a_directory_beside_the_file() {
        for (durability, data) in [
            (Durability::Disk, Some(Path::new("/etc/g/gridhub-data"))),
            (Durability::Os, Some(Path::new("/etc/g/gridhub-data"))),
            (Durability::Memory, None),
        ] {
            let mut config = Config { durability, ..Config::default() };
            config.name_data();
            config.resolve_paths(Path::new("/etc/g"));
            assert_eq!(config.data.as_deref(), data);
        }
        assert_eq!(Config::default().durability, Durability::Disk);
    }
}
