//! Which installation is meant: an account's or a local one, and by what names.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

/// The port of `cargo xtask dev` unless it was told another.
const LOCAL_PORT: &str = "8787";

/// Which installation is meant.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Where")]
pub struct Place {
    /// A running `cargo xtask dev` on this machine, instead of the account
    #[arg(long, global = true, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = LOCAL_PORT)]
    pub local: Option<u16>,
    /// The environment it was deployed to with `cargo xtask deploy --env`: adds -NAME to the names below
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub env: Option<String>,
    /// The D1 database [default: tailrace]
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub database: Option<String>,
    /// The queue that records are replayed to [default: tail-logs]
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub queue: Option<String>,
    /// The dead-letter queue [default: tail-logs-dlq]
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub dead_letter_queue: Option<String>,
    /// The KV namespace of the fallback, by its title [default: tailrace-fallback]
    #[arg(long, global = true, value_name = "TITLE", value_parser = NonEmptyStringValueParser::new())]
    pub fallback: Option<String>,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Place {
    /// Takes from the environment what the command line does not name.
    pub(super) fn fill(&mut self, variable: impl Fn(&str) -> Option<String>) {
        for (name, option) in [
            ("TAILRACE_ENV", &mut self.env),
            ("TAILRACE_DATABASE", &mut self.database),
            ("TAILRACE_QUEUE", &mut self.queue),
            ("TAILRACE_DEAD_LETTER_QUEUE", &mut self.dead_letter_queue),
            ("TAILRACE_FALLBACK", &mut self.fallback),
        ] {
            if option.is_none() {
                *option = variable(name);
            }
        }
    }

    fn named(&self, given: Option<&String>, default: &str) -> String {
        match (given, &self.env) {
            (Some(name), _) => name.clone(),
            (None, Some(env)) => format!("{default}-{env}"),
            (None, None) => default.to_owned(),
        }
    }

    /// The database's name.
    #[must_use]
    pub fn database(&self) -> String {
        self.named(self.database.as_ref(), "tailrace")
    }

    /// The queue's name.
    #[must_use]
    pub fn queue(&self) -> String {
        self.named(self.queue.as_ref(), "tail-logs")
    }

    /// The dead-letter queue's name.
    #[must_use]
    pub fn dead_letter_queue(&self) -> String {
        self.named(self.dead_letter_queue.as_ref(), "tail-logs-dlq")
    }

    /// The fallback namespace's title.
    #[must_use]
    pub fn fallback(&self) -> String {
        self.named(self.fallback.as_ref(), "tailrace-fallback")
    }
}
