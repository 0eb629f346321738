//! The settings to try: those of the command line, then of a configuration, then of the environment.

use std::fs;
use std::path::Path;

use tail_ingest::Settings;
use toml_edit::{DocumentMut, Item, TableLike};

use super::ingest;
use crate::cli::Setting;
use crate::config::flatten_fault;
use crate::{Error, output};

/// The records that settings leave out, in the words of whoever set them.
#[derive(Debug)]
pub(super) struct Applied {
    /// As tail-ingest reads them.
    pub(super) settings: Settings,
    /// `MIN_LEVEL=warn`.
    pub(super) min_level: String,
    /// `SAMPLE_RATE=0.1`.
    pub(super) sample_rate: String,
}

/// Reads the settings; says which of them tail-ingest would not understand.
///
/// # Errors
/// [`Error::Settings`] where the configuration cannot be read.
pub(super) fn read(
    given: &[Setting],
    config: Option<&Path>,
    environment: Option<&str>,
) -> Result<Applied, Error> {
    let config = config
        .map(|path| Config::read(path, environment))
        .transpose()?;
    let (settings, malformed) = Settings::read(|name| {
        let of_command = given.iter().rev().find(|(known, _)| known == name);
        of_command
            .map(|(_, value)| value.clone())
            .or_else(|| config.as_ref()?.value(name))
            .or_else(|| std::env::var(name).ok())
    });
    for setting in malformed {
        output::note(&format!("warning: {setting}"));
    }
    Ok(Applied {
        min_level: format!("MIN_LEVEL={}", settings.min_level),
        sample_rate: format!("SAMPLE_RATE={}", settings.sample_rate),
        settings,
    })
}

/// A configuration: wrangler's (`[vars]`, `[env.NAME.vars]`) or Tailrace's own (lower-case names, `[env.NAME]`).
#[derive(Debug)]
struct Config {
    document: DocumentMut,
    environment: Option<String>,
}

impl Config {
    fn read(path: &Path, environment: Option<&str>) -> Result<Self, Error> {
        let name = path.display();
        let bad = |reason| Error::Settings {
            file: format!("--config {name}"),
            reason,
        };
        let text = fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
        if path
            .extension()
            .is_some_and(|kind| kind == "json" || kind == "jsonc")
        {
            let reason =
                "this is JSON, and only TOML is read; give its settings with --set NAME=VALUE";
            return Err(bad(reason.to_owned()));
        }
        let document: DocumentMut = text
            .parse()
            .map_err(|error: toml_edit::TomlError| bad(flatten_fault(&error.to_string())))?;
        let config = Self {
            document,
            environment: environment.map(str::to_owned),
        };
        if let Some(environment) = environment
            && config.environment().is_none()
        {
            output::note(&format!(
                "{name} has no environment \"{environment}\"; what it sets for all is used"
            ));
        }
        if !ingest::setting_names()
            .iter()
            .any(|setting| config.value(setting).is_some())
        {
            output::note(&format!(
                "{name} sets nothing that tail-ingest reads; the defaults hold"
            ));
        }
        Ok(config)
    }

    fn environment(&self) -> Option<&dyn TableLike> {
        let environments = self.document.get("env")?.as_table_like()?;
        environments
            .get(self.environment.as_deref()?)?
            .as_table_like()
    }

    /// Returns the text of a setting, the environment's before that for all.
    fn value(&self, name: &str) -> Option<String> {
        let top: &dyn TableLike = self.document.as_table();
        self.environment()
            .into_iter()
            .chain([top])
            .find_map(|table| {
                let variable = table
                    .get("vars")
                    .and_then(Item::as_table_like)
                    .and_then(|vars| vars.get(name));
                text_of(variable.or_else(|| table.get(&name.to_ascii_lowercase()))?)
            })
    }
}

/// Returns a value as a Worker's variable has it; a list as its parts with commas between.
fn text_of(item: &Item) -> Option<String> {
    if let Some(list) = item.as_array() {
        let parts: Vec<_> = list
            .iter()
            .filter_map(|part| part.as_str().map(str::to_owned))
            .collect();
        return Some(parts.join(","));
    }
    item.as_str()
        .map(str::to_owned)
        .or_else(|| item.as_integer().map(|number| number.to_string()))
        .or_else(|| item.as_float().map(|number| number.to_string()))
        .or_else(|| item.as_bool().map(|flag| flag.to_string()))
}
