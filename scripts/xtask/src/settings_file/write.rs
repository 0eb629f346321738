//! Writes the file: once as a template, and later the archive's switch alone.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use pipeline_settings::SETTINGS;
use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use super::chosen::{ARCHIVE, NAME};
use crate::environment::Environment;

/// Writes a commented file with every default, for `deploy --init`.
///
/// # Errors
/// Fails if there is one already.
pub(crate) fn init(path: &Path) -> Result<()> {
    if path.exists() {
        bail!(
            "{} exists already and is left as it is\nhint: edit it, or move it away first",
            path.display()
        );
    }
    fs::write(path, template()).with_context(|| format!("{} cannot be written", path.display()))
}

fn template() -> String {
    let mut text = "\
# Settings of your own for `cargo xtask deploy` and `cargo xtask dev`; git does not track this file.
# What is not set here has its default. docs/configuration.md says what each setting does.

# account = \"0123456789abcdef0123456789abcdef\" # its id, from the address of the dashboard
# archive = false # whether every record is kept in R2 as well; `deploy --archive` sets it
"
    .to_owned();
    for setting in SETTINGS {
        let values = setting.values.to_markdown().replace('`', "");
        let name = setting.name.to_lowercase();
        let default = match setting.default.parse::<u32>() {
            Ok(number) => number.to_string(),
            Err(_) => format!("{:?}", setting.default),
        };
        // Writing to a String does not fail.
        let _ = write!(text, "\n# {name} = {default} # {values}");
    }
    text + "

# For one environment, `cargo xtask deploy --env staging`; what is above holds for it as well:
# [env.staging]
# retention_days = 1

# For `cargo xtask dev`; nothing else of this file holds there:
# [dev]
# min_level = \"info\"
"
}

/// Turns the archive on or off in the file, for one environment or at the top; everything else in it stays.
///
/// # Errors
/// Fails if the file cannot be read or written.
pub(crate) fn switch_archive(path: &Path, environment: &Environment, is_on: bool) -> Result<()> {
    let problem = || format!("{} cannot be written", path.display());
    let text = if path.exists() {
        fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?
    } else {
        template()
    };
    let text = with_archive(&text, environment, is_on)?;
    // Put in its place whole, so that a kill in between leaves one of the two.
    let new = path.with_extension("toml.new");
    fs::write(&new, text).with_context(problem)?;
    fs::rename(&new, path).with_context(problem)
}

fn with_archive(text: &str, environment: &Environment, is_on: bool) -> Result<String> {
    let mut document: DocumentMut = text
        .parse()
        .with_context(|| format!("{NAME} is not TOML"))?;
    match environment.suffix() {
        None => set(document.as_table_mut(), is_on),
        Some(name) => {
            let mut parent = Table::new();
            parent.set_implicit(true);
            let environments = document.entry("env").or_insert(Item::Table(parent));
            let environments = environments
                .as_table_like_mut()
                .with_context(|| format!("{NAME}: env is not a table"))?;
            let own = environments.entry(name).or_insert(toml_edit::table());
            let own = own
                .as_table_like_mut()
                .with_context(|| format!("{NAME}: env.{name} is not a table"))?;
            set(own, is_on);
        }
    }
    Ok(document.to_string())
}

/// Sets the switch; a comment after it stays.
fn set(table: &mut dyn TableLike, is_on: bool) {
    match table.get_mut(ARCHIVE).and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = is_on.into();
            *old.decor_mut() = decor;
        }
        None => {
            table.insert(ARCHIVE, value(is_on));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::chosen::Chosen;
    use super::super::read::SettingsFile;
    use super::*;

    fn main() -> Environment {
        Environment::default()
    }

    /// The comments are what holds without the file.
    #[test]
    fn the_template_holds_every_default() {
        let text = template();
        let chosen = SettingsFile::parse(&text).unwrap().for_environment(&main());
        assert_eq!(chosen, Chosen::default());
        for setting in SETTINGS {
            let name = format!("{} = ", setting.name.to_lowercase());
            let (_, rest) = text.split_once(&format!("# {name}")).unwrap();
            let active = format!("{name}{}", rest.lines().next().unwrap());
            let file = SettingsFile::parse(&active).unwrap();
            let chosen = file.for_environment(&main());
            assert_eq!(chosen.vars[setting.name], setting.default);
        }
    }

    #[test]
    fn the_archive_is_switched_and_all_else_stays() {
        let text = "# mine\nretention_days = 3 # few\n\n[env.a]\narchive = true # yes\n";
        let on = with_archive(text, &main(), true).unwrap();
        let a = "a".parse().unwrap();
        let off = with_archive(&on, &a, false).unwrap();
        for part in [
            "# mine\nretention_days = 3 # few\n",
            "[env.a]\narchive = false # yes\n",
        ] {
            assert!(off.contains(part), "{off}");
        }
        let file = SettingsFile::parse(&off).unwrap();
        assert!(file.for_environment(&main()).has_archive());
        assert!(!file.for_environment(&a).has_archive());
        // A new environment, in a file of comments alone.
        let new = with_archive(&template(), &"b".parse().unwrap(), true).unwrap();
        let file = SettingsFile::parse(&new).unwrap();
        assert!(!file.for_environment(&main()).has_archive());
        assert!(file.for_environment(&"b".parse().unwrap()).has_archive());
        assert!(new.contains("# retention_days = 7 "), "{new}");
    }
}
