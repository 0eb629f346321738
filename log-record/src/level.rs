//! The four levels a stored record can have.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The importance of a record, ascending. `tail_logs.log_level` holds [`Level::as_str`] and checks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Detail for whoever debugs the Worker.
    Debug,
    /// Something that happened; `console.log` and `console.info`.
    Info,
    /// Something odd that was coped with; a 4xx answer or a canceled request.
    Warn,
    /// Something failed; exceptions, 5xx answers and outcomes other than `ok`.
    Error,
}

impl Level {
    /// Every level, ascending.
    pub const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// Returns the stored form: `debug`, `info`, `warn` or `error`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// Reads the names that loggers use, in any case: those of [`ALIASES`]. `None` for any other text.
    #[must_use]
    pub fn from_alias(text: &str) -> Option<Self> {
        let text = text.trim();
        ALIASES
            .iter()
            .find(|(alias, _)| alias.eq_ignore_ascii_case(text))
            .map(|(_, level)| *level)
    }
}

/// The names that loggers give their levels, the usual ones first: `console`, pino, bunyan, winston (npm, cli and syslog
/// levels), consola, tslog, `LogTape`, zap, logrus, log15, Rust's slog, Serilog, .NET, java.util.logging, Python, structlog,
/// syslog, Google Cloud.
pub const ALIASES: [(&str, Level); 57] = [
    ("info", Level::Info),
    ("error", Level::Error),
    ("warn", Level::Warn),
    ("debug", Level::Debug),
    ("log", Level::Info),
    ("warning", Level::Warn),
    ("trace", Level::Debug),
    ("fatal", Level::Error),
    ("verbose", Level::Debug),
    ("silly", Level::Debug),
    ("fine", Level::Debug),
    ("finer", Level::Debug),
    ("finest", Level::Debug),
    ("config", Level::Debug), // java.util.logging: below INFO
    ("dbg", Level::Debug),
    ("dbug", Level::Debug),
    ("debg", Level::Debug),
    ("trc", Level::Debug),
    ("trce", Level::Debug),
    ("vrb", Level::Debug),
    ("d", Level::Debug),
    ("t", Level::Debug),
    ("v", Level::Debug),
    ("inf", Level::Info),
    ("information", Level::Info),
    ("informational", Level::Info),
    ("notice", Level::Info),
    ("default", Level::Info),
    ("http", Level::Info),
    ("help", Level::Info),
    ("data", Level::Info),
    ("prompt", Level::Info),
    ("success", Level::Info),
    ("fail", Level::Info), // consola counts it among its info types
    ("ready", Level::Info),
    ("start", Level::Info),
    ("box", Level::Info),
    ("i", Level::Info),
    ("wrn", Level::Warn),
    ("w", Level::Warn),
    ("err", Level::Error),
    ("eror", Level::Error),
    ("erro", Level::Error),
    ("exception", Level::Error),
    ("critical", Level::Error),
    ("crit", Level::Error),
    ("severe", Level::Error),
    ("alert", Level::Error),
    ("emergency", Level::Error),
    ("emerg", Level::Error),
    ("panic", Level::Error),
    ("dpanic", Level::Error),
    ("ftl", Level::Error),
    ("fata", Level::Error),
    ("e", Level::Error),
    ("f", Level::Error),
    ("c", Level::Error),
];

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
        assert_eq!(Level::from_alias("E"), Some(Level::Error));
        assert_eq!(Level::from_alias("loud"), None);
        assert_eq!(Level::from_alias(""), None);
        for level in Level::ALL {
            assert_eq!(Level::from_alias(level.as_str()), Some(level));
        }
    }
}
