//! Reads the file and checks all of it, with the line of each complaint.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Error, Result, anyhow};
use pipeline_settings::{Setting, table};
use toml_edit::{Document, Item, TableLike, Value};

use super::chosen::{ACCOUNT, ARCHIVE, Chosen, HINT, NAME};
use crate::environment::Environment;

/// The checked contents of the file; empty where there is none.
#[derive(Debug, Default)]
pub(crate) struct SettingsFile {
    all: Chosen,
    environments: BTreeMap<String, Chosen>,
    dev: Chosen,
}

/// The keys that a table may have besides the settings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// Those of a deployment.
    Deployment,
    /// None.
    Settings,
}

impl SettingsFile {
    /// Reads the file at `path`, if there is one, and checks all of it.
    ///
    /// # Errors
    /// Fails if a name is unknown, or a value is not one that the setting takes, in whatever table.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        Self::parse(&text)
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let document = Document::parse(text).with_context(|| format!("{NAME} is not TOML"))?;
        let reader = Reader { text };
        let mut file = Self::default();
        for (key, item) in document.iter() {
            match key {
                "dev" => {
                    let table = reader.table(document.as_table(), key)?;
                    file.dev = reader.read_table(table, Keys::Settings)?;
                }
                "env" => {
                    let environments = reader.table(document.as_table(), key)?;
                    for (name, _) in environments.iter() {
                        if let Err(problem) = name.parse::<Environment>() {
                            let line = reader.line(environments, name);
                            return Err(complaint(line, &format!("[env.{name}]: {problem}")));
                        }
                        let table = reader.table(environments, name)?;
                        let chosen = reader.read_table(table, Keys::Deployment)?;
                        file.environments.insert(name.to_owned(), chosen);
                    }
                }
                _ => reader.read_key(
                    document.as_table(),
                    key,
                    item,
                    Keys::Deployment,
                    &mut file.all,
                )?,
            }
        }
        Ok(file)
    }

    /// Returns what holds for an environment, or for the main deployment.
    pub(crate) fn for_environment(&self, environment: &Environment) -> Chosen {
        let mut chosen = self.all.clone();
        if let Some(own) = environment
            .suffix()
            .and_then(|name| self.environments.get(name))
        {
            chosen.overlay(own);
        }
        chosen
    }

    /// Returns what holds for `cargo xtask dev`: the table `[dev]` alone.
    pub(crate) fn for_dev(&self) -> Chosen {
        self.dev.clone()
    }
}

/// Reads tables, and knows their lines.
struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn table<'t>(&self, parent: &'t dyn TableLike, key: &str) -> Result<&'t dyn TableLike> {
        parent
            .get(key)
            .and_then(Item::as_table_like)
            .ok_or_else(|| complaint(self.line(parent, key), &format!("{key} is not a table")))
    }

    fn read_table(&self, table: &dyn TableLike, keys: Keys) -> Result<Chosen> {
        let mut chosen = Chosen::default();
        for (key, item) in table.iter() {
            self.read_key(table, key, item, keys, &mut chosen)?;
        }
        Ok(chosen)
    }

    fn read_key(
        &self,
        table: &dyn TableLike,
        key: &str,
        item: &Item,
        keys: Keys,
        chosen: &mut Chosen,
    ) -> Result<()> {
        let line = self.line(table, key);
        let shown = item.to_string();
        let refuse = |wanted: &str| {
            let shown = shown.trim();
            complaint(line, &format!("{key} = {shown} is not {wanted}"))
        };
        match key {
            ACCOUNT if keys == Keys::Deployment => {
                let id = item.as_str().unwrap_or_default();
                if !is_account_id(id) {
                    return Err(refuse("an account id of 32 hexadecimal digits"));
                }
                chosen.account = Some(id.to_owned());
            }
            ARCHIVE if keys == Keys::Deployment => {
                let switch = item.as_bool().ok_or_else(|| refuse("true or false"))?;
                chosen.archive = Some(switch);
            }
            _ => {
                let setting = find(key).ok_or_else(|| unknown(line, key))?;
                let text = to_text(item)
                    .filter(|text| is_taken(setting, text))
                    .ok_or_else(|| refuse(&setting.values.describe()))?;
                chosen.vars.insert(setting.name, text);
            }
        }
        Ok(())
    }

    /// Returns the number of the line that `key` is on.
    fn line(&self, table: &dyn TableLike, key: &str) -> usize {
        let span = table
            .key(key)
            .and_then(toml_edit::Key::span)
            .or_else(|| table.get(key)?.span());
        let start = span.map_or(0, |span| span.start);
        let before = self.text.get(..start).unwrap_or_default();
        before.matches('\n').count() + 1
    }
}

/// Returns whether `text` is the id of an account.
pub(crate) fn is_account_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn complaint(line: usize, problem: &str) -> Error {
    anyhow!("{NAME}, line {line}: {problem}\n{HINT}")
}

fn unknown(line: usize, key: &str) -> Error {
    match table::find(key) {
        Some(setting) => anyhow!(
            "{NAME}, line {line}: there is no setting {key}\nhint: it is written {} here",
            setting.name.to_lowercase()
        ),
        None => complaint(line, &format!("there is no setting {key}")),
    }
}

/// Returns the setting that the file calls `key`: its name in lower case.
fn find(key: &str) -> Option<&'static Setting> {
    table::find(key).filter(|_| !key.bytes().any(|byte| byte.is_ascii_uppercase()))
}

/// Returns whether a setting takes `text`; nothing, where that is its default.
fn is_taken(setting: &Setting, text: &str) -> bool {
    text == setting.default || setting.values.contains(text)
}

/// Returns a value as the text of a `var`: lists become words, `true` and `false` become `on` and `off`.
fn to_text(item: &Item) -> Option<String> {
    match item.as_value()? {
        Value::String(text) => Some(text.value().trim().to_owned()),
        Value::Integer(number) => Some(number.value().to_string()),
        Value::Float(number) => Some(number.value().to_string()),
        Value::Boolean(switch) => Some(if *switch.value() { "on" } else { "off" }.to_owned()),
        Value::Array(words) => {
            let words: Option<Vec<&str>> = words.iter().map(Value::as_str).collect();
            Some(words?.join(" "))
        }
        Value::Datetime(_) | Value::InlineTable(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
account = "0123456789abcdef0123456789abcdef"
retention_days = 30
excluded_workers = ["noisy", "test-*"]
redact = ""

[env.staging]
retention_days = "1"
redact_shapes = false
archive = true

[dev]
min_level = "warn"
"#;

    fn environment(name: &str) -> Environment {
        name.parse().unwrap()
    }

    #[test]
    fn an_environment_has_what_is_at_the_top_and_its_own() {
        let file = SettingsFile::parse(FILE).unwrap();
        let main = file.for_environment(&Environment::default());
        assert_eq!(main.vars["RETENTION_DAYS"], "30");
        assert_eq!(main.vars["EXCLUDED_WORKERS"], "noisy test-*");
        assert_eq!((main.vars.len(), main.has_archive()), (3, false));
        let staging = file.for_environment(&environment("staging"));
        assert_eq!(staging.vars["RETENTION_DAYS"], "1");
        assert_eq!(staging.vars["REDACT_SHAPES"], "off");
        assert_eq!(staging.vars["EXCLUDED_WORKERS"], "noisy test-*");
        assert!(staging.has_archive());
        assert_eq!(staging.account, main.account);
        assert_eq!(file.for_environment(&environment("other")), main);
    }

    #[test]
    fn dev_has_its_own_table_alone() {
        let dev = SettingsFile::parse(FILE).unwrap().for_dev();
        assert_eq!(dev.account, None);
        assert_eq!(dev.vars, BTreeMap::from([("MIN_LEVEL", "warn".to_owned())]));
    }

    #[test]
    fn what_is_unknown_or_bad_is_refused_with_its_line() {
        for (text, wanted) in [
            (
                "\nretention_day = 7",
                "line 2: there is no setting retention_day",
            ),
            ("RETENTION_DAYS = 7", "it is written retention_days here"),
            (
                "retention_days = 0",
                "line 1: retention_days = 0 is not a whole number from 1 to 365",
            ),
            ("retention_days = 7.5", "from 1 to 365"),
            ("account = \"mine\"", "32 hexadecimal digits"),
            ("archive = \"on\"", "archive = \"on\" is not true or false"),
            ("env = 3", "env is not a table"),
            ("env.staging = 3", "staging is not a table"),
            (
                "# one\n[env.a]\n\nmin_level = \"loud\"",
                "line 4: min_level = \"loud\" is not debug, info, warn or error",
            ),
            ("[env.Staging]\nrows = \"all\"", "[env.Staging]: a name has"),
            (
                "[dev]\naccount = \"a\"",
                "line 2: there is no setting account",
            ),
            (
                "[dev]\narchive = true",
                "line 2: there is no setting archive",
            ),
            (
                "[production]\nretention_days = 7",
                "line 1: there is no setting production",
            ),
            ("a = ", "is not TOML"),
        ] {
            let error = format!("{:#}", SettingsFile::parse(text).unwrap_err());
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
