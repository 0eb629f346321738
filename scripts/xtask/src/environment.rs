//! The names of resources. `--env NAME` is a suffix to every name: a second system in the same account shares nothing with
//! the first.

use std::str::FromStr;

/// A deployment's name: none for the main one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Environment(Option<String>);

/// The longest environment name: `event-workflow-` and this stay below what names of Workers, queues and workers.dev
/// addresses may have (63 characters).
const MAX_LENGTH: usize = 24;

impl FromStr for Environment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.is_empty()
            || text.len() > MAX_LENGTH
            || !text.chars().all(plain)
            || text.starts_with('-')
            || text.ends_with('-')
            || text == "main"
        {
            return Err(format!(
                "a name has 1 to {MAX_LENGTH} lower-case letters, digits and inner hyphens, such as staging; main is the one without --env"
            ));
        }
        Ok(Self(Some(text.to_owned())))
    }
}

impl Environment {
    /// Returns what the resource called `base` in the main deployment is called here.
    pub(crate) fn name(&self, base: &str) -> String {
        match &self.0 {
            Some(suffix) => format!("{base}-{suffix}"),
            None => base.to_owned(),
        }
    }

    /// Returns the environment's name for a person.
    pub(crate) fn title(&self) -> &str {
        self.suffix().unwrap_or("main")
    }

    /// Returns the options of a command for this environment.
    pub(crate) fn option(&self) -> String {
        let name = self.suffix().map(|name| format!(" --env {name}"));
        name.unwrap_or_default()
    }

    /// Returns the name given with `--env`.
    pub(crate) fn suffix(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// Returns the folder for rendered configurations. The main one's cannot be an environment's: it starts with an underscore.
    pub(crate) fn folder(&self) -> &str {
        self.suffix().unwrap_or("_main")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_suffix_to_every_resource() {
        assert_eq!(Environment::default().name("tail-logs"), "tail-logs");
        let staging: Environment = "staging".parse().unwrap();
        assert_eq!(staging.name("tail-logs"), "tail-logs-staging");
    }

    #[test]
    fn a_name_that_no_worker_could_have_is_refused() {
        for name in [
            "",
            "Staging",
            "a_b",
            "-a",
            "a-",
            "../x",
            "a b",
            "main",
            &"a".repeat(MAX_LENGTH + 1),
        ] {
            assert!(name.parse::<Environment>().is_err(), "{name}");
        }
    }
}
