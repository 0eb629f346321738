//! Two files that share no key. `tailrace.toml` in the checkout says what is deployed; it belongs to `cargo xtask deploy`,
//! which checks it. `config.toml` of the user says who looks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pipeline_settings::table;
use serde::Deserialize;
use serde_json::Value;

use crate::cli::{Format, StatusLimits};
use crate::credentials::variable;
use crate::{Error, checkout};

/// The checkout's file.
const DEPLOYED: &str = "tailrace.toml";

/// The user's file, below the folder of configurations.
const USER: &str = "tailrace/config.toml";

/// The deployment, as far as this tool asks.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Deployed {
    /// True if there is such a file.
    #[serde(skip)]
    is_there: bool,
    /// The values for every environment that has none of its own.
    #[serde(flatten)]
    all: Chosen,
    #[serde(default)]
    env: BTreeMap<String, Chosen>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
struct Chosen {
    account: Option<String>,
    /// The settings of the Workers, among other keys.
    #[serde(flatten)]
    settings: BTreeMap<String, Value>,
}

impl Deployed {
    /// Reads `file`, else the checkout's file, else nothing.
    ///
    /// # Errors
    /// [`Error::Settings`] where a file cannot be read, or `file` does not exist.
    pub fn read(file: Option<&Path>) -> Result<Self, Error> {
        let found = match file {
            Some(file) => {
                let missing = || Error::Settings {
                    file: format!("--config {}", file.display()),
                    reason: "there is no such file".to_owned(),
                };
                Some(read_toml(file)?.ok_or_else(missing)?)
            }
            None => match checkout::find() {
                Some(root) => read_toml(&root.join(DEPLOYED))?,
                None => None,
            },
        };
        let is_there = found.is_some();
        Ok(Self {
            is_there,
            ..found.unwrap_or_default()
        })
    }

    /// Returns the account that an environment is deployed to.
    #[must_use]
    pub fn account(&self, env: Option<&str>) -> Option<&str> {
        let own = env.and_then(|env| self.env.get(env)?.account.as_deref());
        own.or(self.all.account.as_deref())
    }

    /// Returns the settings that an environment is deployed with, as the Workers have them, without those that have their
    /// defaults; `None` where there is no file.
    #[must_use]
    pub fn settings(&self, env: Option<&str>) -> Option<BTreeMap<&'static str, String>> {
        if !self.is_there {
            return None;
        }
        let own = env.and_then(|env| self.env.get(env));
        let layers = [Some(&self.all), own].into_iter().flatten();
        let written = layers.flat_map(|layer| &layer.settings);
        let known =
            written.filter_map(|(key, value)| Some((table::find(key)?.name, to_text(value)?)));
        Some(known.collect())
    }
}

/// Returns a value as `cargo xtask deploy` writes it: lists become words, `true` and `false` become `on` and `off`.
fn to_text(value: &Value) -> Option<String> {
    Some(match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Bool(is_on) => if *is_on { "on" } else { "off" }.to_owned(),
        Value::Number(number) if number.is_f64() => number.as_f64()?.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Array(words) => {
            let words: Option<Vec<_>> = words.iter().map(Value::as_str).collect();
            words?.join(" ")
        }
        Value::Null | Value::Object(_) => return None,
    })
}

/// One `[context.NAME]`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// The account's id.
    pub account: Option<String>,
    /// The environment.
    pub env: Option<String>,
    /// The port of a running `cargo xtask dev`.
    pub local: Option<u16>,
    /// The form of the results.
    pub output: Option<Format>,
    /// The profile of wrangler's login.
    pub profile: Option<String>,
    /// The limits of `tailrace status`.
    #[serde(default)]
    pub status: StatusLimits,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    #[serde(default)]
    context: BTreeMap<String, Context>,
}

impl Context {
    /// Reads the context of `name`; without a name, the one called `default`, where there is one.
    ///
    /// # Errors
    /// [`Error::Settings`] where the file cannot be read, or has no such context.
    pub fn read(name: Option<&str>) -> Result<Self, Error> {
        let file = user_file();
        let user = match &file {
            Some(file) => read_toml::<User>(file)?.unwrap_or_default(),
            None => User::default(),
        };
        let mut contexts = user.context;
        match name {
            None => Ok(contexts.remove("default").unwrap_or_default()),
            Some(name) => contexts.remove(name).ok_or_else(|| {
                let known: Vec<_> = contexts.into_keys().collect();
                let known = if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                };
                let file = file.map_or_else(|| USER.to_owned(), |file| file.display().to_string());
                let reason = format!("no context \"{name}\"; there are: {known}");
                Error::Settings { file, reason }
            }),
        }
    }
}

fn user_file() -> Option<PathBuf> {
    let folder = variable("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
        .or_else(|| Some(PathBuf::from(variable("HOME")?).join(".config")))?;
    Some(folder.join(USER))
}

/// Returns what a parser of TOML says, on one line: without its drawing of the place, which it names as well.
pub(crate) fn flatten_fault(text: &str) -> String {
    let is_drawn = |line: &str| {
        line.split_once('|').is_some_and(|(margin, _)| {
            margin
                .chars()
                .all(|c| c.is_ascii_digit() || c.is_whitespace())
        })
    };
    let lines: Vec<_> = text.lines().filter(|line| !is_drawn(line)).collect();
    lines.join(": ")
}

/// Reads a TOML file; `None` where there is none.
fn read_toml<T: for<'de> Deserialize<'de>>(file: &Path) -> Result<Option<T>, Error> {
    let bad = |error: &dyn std::fmt::Display| Error::Settings {
        file: file.display().to_string(),
        reason: flatten_fault(&error.to_string()),
    };
    match std::fs::read_to_string(file) {
        Ok(text) => toml_edit::de::from_str(&text)
            .map(Some)
            .map_err(|error| bad(&error)),
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(bad(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checkouts_file_may_hold_more_than_this_tool_reads() {
        let text = "account = \"main\"\nretention_days = 7\narchive = true\n[dev]\nretention_days = 1\n\
            [env.staging]\naccount = \"other\"\nrows = \"index\"\n[env.test]\nretention_days = 2\n";
        let deployed: Deployed = toml_edit::de::from_str(text).unwrap();
        for (env, expected) in [
            (None, "main"),
            (Some("staging"), "other"),
            (Some("test"), "main"),
            (Some("unknown"), "main"),
        ] {
            assert_eq!(deployed.account(env), Some(expected), "{env:?}");
        }
    }

    #[test]
    fn settings_are_those_of_the_environment() {
        let text = "account = \"main\"\nretention_days = 7\narchive = true\nsample_rate = 0.50\nredact_fields = false\n\
            excluded_workers = [\"noisy\", \"test-*\"]\n[dev]\nretention_days = 1\n[env.staging]\nretention_days = 3\n";
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(DEPLOYED);
        std::fs::write(&file, text).unwrap();
        let deployed = Deployed::read(Some(&file)).unwrap();
        let settings = deployed.settings(None).unwrap();
        let settings: Vec<_> = settings
            .iter()
            .map(|(name, text)| (*name, text.as_str()))
            .collect();
        assert_eq!(
            settings,
            [
                ("EXCLUDED_WORKERS", "noisy test-*"),
                ("REDACT_FIELDS", "off"),
                ("RETENTION_DAYS", "7"),
                ("SAMPLE_RATE", "0.5"),
            ]
        );
        assert_eq!(
            deployed.settings(Some("staging")).unwrap()["RETENTION_DAYS"],
            "3"
        );
        assert_eq!(Deployed::default().settings(None), None);
    }

    #[test]
    fn a_misspelt_key_of_a_context_is_refused() {
        assert!(toml_edit::de::from_str::<User>("[context.a]\nacount = \"x\"\n").is_err());
        assert!(toml_edit::de::from_str::<User>("account = \"x\"\n").is_err());
        let user: User =
            toml_edit::de::from_str("[context.a]\nlocal = 9000\noutput = \"json\"\n").unwrap();
        assert_eq!(user.context["a"].local, Some(9000));
        assert_eq!(user.context["a"].output, Some(Format::Json));
    }

    #[test]
    fn a_fault_of_toml_is_one_line_with_its_place() {
        let fault = toml_edit::de::from_str::<User>("[context.a]\nlocal = 9000\nx = 1\n").err();
        let fault = flatten_fault(&fault.unwrap().to_string());
        assert!(
            fault.starts_with("TOML parse error at line 3, column 1: unknown field `x`"),
            "{fault}"
        );
        assert!(!fault.contains(['|', '\n']), "{fault}");
    }

    #[test]
    fn the_limits_of_status_are_keys_of_a_context() {
        let text = "[context.a.status]\nmax_dead_letters = 3\nexpect_rows = \"1h30m\"\nmax_database = 50\n";
        let user: User = toml_edit::de::from_str(text).unwrap();
        let limits = &user.context["a"].status;
        assert_eq!(limits.max_dead_letters, Some(3));
        assert_eq!(limits.max_database, Some(50));
        assert_eq!(
            limits.expect_rows.map(crate::time::Age::seconds),
            Some(5_400)
        );
        for bad in ["expect_rows = \"soon\"", "max_letters = 3"] {
            let text = format!("[context.a.status]\n{bad}\n");
            assert!(toml_edit::de::from_str::<User>(&text).is_err(), "{bad}");
        }
    }
}
