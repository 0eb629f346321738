//! The four levels a stored record can have.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a record matters, ascending. `tail_logs.log_level` holds [`Level::as_str`] and checks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Detail for whoever debugs the Worker.
    Debug,
    /// What happened; `console.log` and `console.info`.
    Info,
    /// Something odd that was coped with; a 4xx answer or a canceled request.
    Warn,
    /// Something failed; exceptions, 5xx answers and outcomes other than `ok`.
    Error,
}

impl Level {
    /// Every level, ascending.
    pub const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// The stored form: `debug`, `info`, `warn` or `error`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// Reads the spellings that loggers use, in any case: `trace` and `verbose` are debug; `log` and `notice` are info;
    /// `warning` is warn; `err`, `fatal`, `critical`, `alert`, `emergency` and `panic` are error. `None` for any other.
    #[must_use]
    pub fn from_alias(text: &str) -> Option<Self> {
        const ALIASES: [(&str, Level); 17] = [
            ("info", Level::Info),
            ("error", Level::Error),
            ("warn", Level::Warn),
            ("debug", Level::Debug),
            ("warning", Level::Warn),
            ("log", Level::Info),
            ("trace", Level::Debug),
            ("verbose", Level::Debug),
            ("silly", Level::Debug),
            ("notice", Level::Info),
            ("information", Level::Info),
            ("err", Level::Error),
            ("fatal", Level::Error),
            ("critical", Level::Error),
            ("alert", Level::Error),
            ("emergency", Level::Error),
            ("panic", Level::Error),
        ];
        let text = text.trim();
        ALIASES
            .iter()
            .find(|(alias, _)| alias.eq_ignore_ascii_case(text))
            .map(|(_, level)| *level)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_order_by_how_much_they_matter() {
        assert!(Level::ALL.is_sorted());
    }

    #[test]
    fn aliases_are_read_in_any_case_and_nothing_else_is() {
        assert_eq!(Level::from_alias("WARNING"), Some(Level::Warn));
        assert_eq!(Level::from_alias(" Fatal "), Some(Level::Error));
        assert_eq!(Level::from_alias("trace"), Some(Level::Debug));
        assert_eq!(Level::from_alias("loud"), None);
        assert_eq!(Level::from_alias(""), None);
        for level in Level::ALL {
            assert_eq!(Level::from_alias(level.as_str()), Some(level));
        }
    }
}
