//! Options of every command: which installation is meant, and colours.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use super::values::zone;
use crate::archive::Permission;
use crate::time::Zone;

/// The port of `cargo xtask dev` unless it was told another.
const LOCAL_PORT: &str = "8787";

/// The reading of the archive.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct ArchiveReadArgs {
    /// Leave out what is in the archive alone
    #[arg(long)]
    pub no_archive: bool,
    /// Read as much as it takes, without asking: more than 300 objects or 100 MB of the archive, or 100 MB of rows
    #[arg(long, short = 'y')]
    pub yes: bool,
}

impl ArchiveReadArgs {
    /// Returns the reading that is allowed.
    #[must_use]
    pub fn permission(self) -> Permission {
        match self {
            Self {
                no_archive: true, ..
            } => Permission::Nothing,
            Self { yes: true, .. } => Permission::Unlimited,
            Self { .. } => Permission::Asking,
        }
    }
}

/// Options of every command.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Where")]
pub struct GlobalArgs {
    /// Use a running `cargo xtask dev` on this machine instead of the account [default port: 8787]
    #[arg(long, global = true, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = LOCAL_PORT)]
    pub local: Option<u16>,
    /// Use the environment that `cargo xtask deploy --env NAME` made
    ///
    /// The names of its database, queues and KV namespace end in -NAME.
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub env: Option<String>,
    /// Use a context of the user's configuration
    ///
    /// Reads `[context.NAME]` of ~/.config/tailrace/config.toml (below `XDG_CONFIG_HOME`, where it is set). Without the option,
    /// `TAILRACE_CONTEXT` names it, else it is `[context.default]`, where there is one.
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub context: Option<String>,
    /// Read this tailrace.toml instead of the checkout's
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub config: Option<PathBuf>,
    /// Use the D1 database of this name [default: tailrace]
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    pub database: Option<String>,
    /// Use colours: auto is on a terminal, unless `NO_COLOR` is set
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_short_help = true
    )]
    pub color: Color,
}

/// The names of the queues and of the KV namespace, for the commands that use them.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Where")]
pub struct QueueNames {
    /// The queue of log records has this name [default: tail-logs]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    pub queue: Option<String>,
    /// The dead-letter queue has this name [default: tail-logs-dlq]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    pub dead_letter_queue: Option<String>,
    /// The KV fallback has this title [default: tailrace-fallback]
    #[arg(long, value_name = "TITLE", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    pub fallback: Option<String>,
}

/// The zone in which times are read and shown.
#[derive(Args, Clone, Debug)]
pub struct ZoneArgs {
    /// Read and show times in UTC instead of local time
    #[arg(long)]
    pub utc: bool,
    /// Read and show times in this zone, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", value_parser = zone, conflicts_with = "utc", hide_short_help = true)]
    pub tz: Option<Zone>,
}

impl ZoneArgs {
    /// Returns the zone.
    #[must_use]
    pub fn zone(&self) -> Zone {
        match &self.tz {
            _ if self.utc => Zone::Utc,
            Some(zone) => zone.clone(),
            None => Zone::Local,
        }
    }
}

/// The form of the results.
#[derive(Args, Clone, Copy, Debug)]
pub struct FormatArgs {
    /// Print JSON, one object per line; short for --output json
    #[arg(long, conflicts_with = "output")]
    pub json: bool,
    /// Print the results as text or as JSON [default: text]
    #[arg(long, short = 'o', value_name = "FORMAT", hide_short_help = true)]
    pub output: Option<Format>,
}

impl FormatArgs {
    /// Returns whether JSON is meant, where `default` is what is configured.
    #[must_use]
    pub fn is_json(&self, default: Option<Format>) -> bool {
        self.json || self.output.or(default) == Some(Format::Json)
    }
}

/// The form of rows of figures.
#[derive(Args, Clone, Copy, Debug)]
pub struct TableFormatArgs {
    /// Print JSON; short for --output json
    #[arg(long, conflicts_with = "output")]
    pub json: bool,
    /// Print the results in this form [default: text]
    #[arg(long, short = 'o', value_name = "FORMAT")]
    pub output: Option<RecordFormat>,
}

impl TableFormatArgs {
    /// Returns the form that is meant, where `default` is what is configured.
    #[must_use]
    pub fn format(&self, default: Option<Format>) -> RecordFormat {
        choose_format(self.json, self.output, default)
    }
}

/// The form of records.
#[derive(Args, Clone, Debug)]
pub struct RecordFormatArgs {
    /// Print JSON, one object per line; short for --output json
    #[arg(long, conflicts_with = "output")]
    pub json: bool,
    /// Print the records in this form [default: text]
    #[arg(long, short = 'o', value_name = "FORMAT")]
    pub output: Option<RecordFormat>,
    /// Print these fields alone, by the names that JSON has, such as timestamp,message,data.order.id
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        hide_short_help = true
    )]
    pub fields: Vec<String>,
    /// Wrap long messages, ids and stacks instead of cutting them
    #[arg(long, hide_short_help = true)]
    pub wrap: bool,
}

impl RecordFormatArgs {
    /// Returns the form that is meant, where `default` is what is configured.
    #[must_use]
    pub fn format(&self, default: Option<Format>) -> RecordFormat {
        choose_format(self.json, self.output, default)
    }
}

fn choose_format(
    json: bool,
    output: Option<RecordFormat>,
    default: Option<Format>,
) -> RecordFormat {
    match (output, default) {
        _ if json => RecordFormat::Json,
        (Some(format), _) => format,
        (None, Some(Format::Json)) => RecordFormat::Json,
        (None, Some(Format::Text) | None) => RecordFormat::Text,
    }
}

/// The form of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RecordFormat {
    /// Lines for a person.
    Text,
    /// JSON, one object per line.
    Json,
    /// `name=value`, one record per line.
    Logfmt,
    /// A table with a header.
    Csv,
}

/// The form of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Lines for a person.
    Text,
    /// JSON, for programs.
    Json,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}
