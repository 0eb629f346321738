//! `tailrace normalize`.

use std::path::PathBuf;

use clap::Args;

use super::values::setting;

/// A setting and its value.
pub type Setting = (String, String);

/// `tailrace normalize`.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  tailrace normalize events.json
  npx wrangler tail my-worker --format json | tailrace normalize -
  tailrace normalize --set MIN_LEVEL=warn --set SAMPLE_RATE=0.1 events.json
  tailrace normalize --config wrangler/tail-ingest.toml logpush/*.log.gz
  tailrace normalize events.json | jq 'select(.log_level == \"error\")'

Reads trace events: as `npx wrangler tail NAME --format json` prints them, one after the other, one per line, in arrays, \
or as Logpush's Workers Trace Events has them; plain or gzip, in UTF-8. Each event becomes its records as soon as it has \
arrived, by the code of tail-ingest; nothing is sent or stored. What cannot be read, or is not a trace event, is named on \
standard error with its place, and the rest is read; so is what the settings would drop.

Settings are those of --set, then of --config, then of the environment (MIN_LEVEL=warn tailrace normalize …). Ctrl-C \
shows what has arrived and ends; a second one ends at once.

Exit codes: 0 every event was read; 1 an event could not be read, or something is not a trace event; 2 the command line, \
the configuration or an input cannot be used; 130 stopped by Ctrl-C before the end of the input.")]
pub struct Normalize {
    /// Files, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Indent the JSON
    #[arg(long)]
    pub pretty: bool,
    /// Try a setting of tail-ingest; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    pub set: Vec<Setting>,
    /// Try the settings of a configuration: wrangler's TOML (its vars) or tailrace.toml, with --env of an environment
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}
