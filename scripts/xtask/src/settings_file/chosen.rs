//! The settings of one deployment, and whether they go together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use checkout::Workspace;
use pipeline_settings::{Setting, table};

/// The file's name, in the checkout's top folder.
pub(crate) const NAME: &str = "tailrace.toml";

/// The key of the account.
pub(super) const ACCOUNT: &str = "account";

/// The key of the archive's switch.
pub(super) const ARCHIVE: &str = "archive";

/// The end of every error.
pub(super) const HINT: &str = "hint: docs/configuration.md lists every setting";

/// Returns the path of the file: `given`, else the checkout's.
///
/// # Errors
/// Fails if `given` does not exist.
pub(crate) fn find_path(workspace: &Workspace, given: Option<&Path>) -> Result<PathBuf> {
    match given {
        Some(given) if !given.exists() => bail!(
            "there is no file {}\nhint: `cargo xtask deploy --init` writes {NAME}",
            given.display()
        ),
        Some(given) => Ok(given.to_owned()),
        None => Ok(workspace.root().join(NAME)),
    }
}

/// The settings of one deployment, or of local development.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// The account's id.
    pub(crate) account: Option<String>,
    /// The archive's switch; off where it is not set.
    pub(crate) archive: Option<bool>,
    /// Texts of `vars`, by their names.
    pub(crate) vars: BTreeMap<&'static str, String>,
}

impl Chosen {
    /// Returns whether the deployment has an archive.
    pub(crate) fn has_archive(&self) -> bool {
        self.archive.unwrap_or_default()
    }

    /// Returns the text of a setting; its default where the file does not set it.
    pub(crate) fn value(&self, setting: &'static Setting) -> &str {
        self.vars
            .get(setting.name)
            .map_or(setting.default, String::as_str)
    }

    /// Returns the number that a setting has.
    pub(crate) fn number(&self, setting: &'static Setting) -> u32 {
        let number = setting.values.read_number(self.value(setting));
        number.unwrap_or_default()
    }

    /// Returns how many days the archive keeps an object: as log-writer reads it.
    pub(crate) fn archive_days(&self) -> u32 {
        let retention = self.number(&table::RETENTION_DAYS);
        self.number(&table::ARCHIVE_DAYS).max(retention)
    }

    /// Makes sure that the settings go together.
    ///
    /// # Errors
    /// Fails if one of them contradicts another.
    pub(crate) fn check(&self) -> Result<()> {
        let (retention, archive) = (&table::RETENTION_DAYS, &table::ARCHIVE_DAYS);
        if self.vars.contains_key(archive.name) && self.number(archive) < self.number(retention) {
            bail!(
                "archive_days = {} is less than retention_days = {}: rows would lead to objects that are gone\n\
                 hint: set archive_days to {} or more",
                self.number(archive),
                self.number(retention),
                self.number(retention)
            );
        }
        let (base, most) = (&table::RETRY_BASE_SECONDS, &table::RETRY_MAX_SECONDS);
        if self.number(base) > self.number(most) {
            bail!(
                "retry_base_seconds = {} is more than retry_max_seconds = {}\n\
                 hint: the first delay cannot be longer than the longest",
                self.number(base),
                self.number(most)
            );
        }
        if self.value(&table::ROWS) == "index" && !self.has_archive() {
            bail!(
                "rows = \"index\" without archive = true would drop every line that is not a row\n\
                 hint: turn the archive on with `cargo xtask deploy --archive`, or set rows = \"all\""
            );
        }
        Ok(())
    }

    /// Takes over what `other` says.
    pub(super) fn overlay(&mut self, other: &Self) {
        if other.account.is_some() {
            self.account.clone_from(&other.account);
        }
        self.archive = other.archive.or(self.archive);
        self.vars.extend(other.vars.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(archive: bool, vars: &[(&'static Setting, &str)]) -> Chosen {
        Chosen {
            account: None,
            archive: Some(archive),
            vars: vars
                .iter()
                .map(|(setting, text)| (setting.name, (*text).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        let index = (&table::ROWS, "index");
        for (chosen, complaint) in [
            (chosen(false, &[index]), "without archive = true"),
            (
                chosen(true, &[(&table::ARCHIVE_DAYS, "6")]),
                "archive_days = 6 is less than retention_days = 7",
            ),
            (
                chosen(true, &[(&table::RETRY_MAX_SECONDS, "9")]),
                "retry_base_seconds = 10 is more than",
            ),
        ] {
            let error = chosen.check().unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
            assert!(error.contains("\nhint: "), "{error}");
        }
        assert!(Chosen::default().check().is_ok());
        assert!(chosen(true, &[index]).check().is_ok());
    }

    #[test]
    fn the_archive_keeps_objects_as_long_as_rows_lead_to_them() {
        assert_eq!(Chosen::default().archive_days(), 30);
        let long = chosen(true, &[(&table::RETENTION_DAYS, "60")]);
        assert!(long.check().is_ok());
        assert_eq!(long.archive_days(), 60);
    }
}
