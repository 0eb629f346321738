//! Two files that share no key. `tailrace.toml` in the checkout says what is deployed; it belongs to `cargo xtask deploy`,
//! which checks it, and only the account is read from it here. `config.toml` of the user says who looks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

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
    /// The account of every environment that names none.
    account: Option<String>,
    #[serde(default)]
    env: BTreeMap<String, DeployedEnv>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
struct DeployedEnv {
    account: Option<String>,
}

impl Deployed {
    /// Reads `file`, else the checkout's file, else nothing.
    ///
    /// # Errors
    /// [`Error::Usage`] where a file cannot be read, or `file` does not exist.
    pub fn read(file: Option<&Path>) -> Result<Self, Error> {
        match file {
            Some(file) => read_toml(file)?
                .ok_or_else(|| Error::Usage(format!("--config: there is no {}", file.display()))),
            None => match checkout::find() {
                Some(root) => Ok(read_toml(&root.join(DEPLOYED))?.unwrap_or_default()),
                None => Ok(Self::default()),
            },
        }
    }

    /// Returns the account that an environment is deployed to.
    #[must_use]
    pub fn account(&self, env: Option<&str>) -> Option<&str> {
        let own = env.and_then(|env| self.env.get(env)?.account.as_deref());
        own.or(self.account.as_deref())
    }
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
    /// [`Error::Usage`] where the file cannot be read, or has no such context.
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
                Error::Usage(format!(
                    "no context \"{name}\" in {file}; there are: {known}"
                ))
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

/// Reads a TOML file; `None` where there is none.
fn read_toml<T: for<'de> Deserialize<'de>>(file: &Path) -> Result<Option<T>, Error> {
    let bad = |error: &dyn std::fmt::Display| {
        let error = error.to_string();
        Error::Usage(format!("{}: {}", file.display(), error.trim_end()))
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
    fn a_misspelt_key_of_a_context_is_refused() {
        assert!(toml_edit::de::from_str::<User>("[context.a]\nacount = \"x\"\n").is_err());
        assert!(toml_edit::de::from_str::<User>("account = \"x\"\n").is_err());
        let user: User =
            toml_edit::de::from_str("[context.a]\nlocal = 9000\noutput = \"json\"\n").unwrap();
        assert_eq!(user.context["a"].local, Some(9000));
        assert_eq!(user.context["a"].output, Some(Format::Json));
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
