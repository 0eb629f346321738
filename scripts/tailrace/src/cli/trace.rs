//! Options of `tailrace trace`.

use clap::Args;

use super::global::{ArchiveReadArgs, RecordFormatArgs, ZoneArgs};

/// `tailrace trace`.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  tailrace trace 0b0f2a1c-5d1e-4c55-9a5f-0d6f1b8f9a10   by correlation id
  tailrace trace 8f2a1c0b5d1e4c55-FRA                   by request id (the cf-ray header)
  tailrace trace 0b0f2a1c                               by the beginning of either
  tailrace trace --last-error --worker triggers-api     the request behind the latest error
  tailrace trace 0b0f2a1c --follow                      and what it still causes
  tailrace trace 0b0f2a1c --json | jq .message
  tailrace trace 0b0f2a1c --since 20d --until 19d       in the archive, beyond the rows
  tailrace trace 0b0f2a1c --wrap                        with all that the lines carried

An exact id wins. Else a Ray ID is found without its -XXX, and an id by its beginning of at least 4 characters; where \
several begin so, they are listed.

Archive: records that are in R2 alone (ROWS=index) are found by the rows of the same id: the objects that hold the time of \
such a row are read, at most two an invocation where two writers work side by side. Once the rows have expired, no id leads \
anywhere: --since and --until say which part of the archive to look through. Before more than 300 objects or 100 MB you are \
asked; without a terminal that ends with exit code 2, unless --yes is given. With --no-archive nothing is read from R2, and \
what is left out is said.

What a line carried stands behind its message, cut to the width of the terminal; --wrap shows it whole. With -o logfmt, \
csv or json, or with --fields, the records are listed in the order of time.

Offsets count from the first record. The bar of an invocation shows when it ran within the whole trace.

Exit codes: 0 found; 1 nothing has this id, several begin with it, or something failed; 2 the command line cannot be \
used, or --yes is needed.")]
pub struct Trace {
    /// A correlation id, a request id, or the beginning of one
    #[arg(required_unless_present = "last_error", conflicts_with = "last_error")]
    pub id: Option<String>,
    /// Trace the request behind the latest error
    #[arg(long)]
    pub last_error: bool,
    /// With --last-error: take only errors of this Worker; repeatable
    #[arg(long, short = 'w', value_name = "NAME", requires = "last_error")]
    pub worker: Vec<String>,
    /// Look through the archive from this time on; with --last-error: take only errors from this time on
    #[arg(long, short = 's', value_name = "TIME")]
    pub since: Option<String>,
    /// Look through the archive before this time
    #[arg(long, short = 'u', value_name = "TIME", conflicts_with_all = ["last_error", "follow"])]
    pub until: Option<String>,
    /// Go on with new records until Ctrl-C, or until none came for 60 seconds
    #[arg(long, short = 'f')]
    pub follow: bool,
    /// Show at most this many records, the oldest
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 5000)]
    pub limit: usize,
    /// The reading of the archive.
    #[command(flatten)]
    pub archive: ArchiveReadArgs,
    /// The form of the results.
    #[command(flatten)]
    pub format: RecordFormatArgs,
    /// The zone of times.
    #[command(flatten)]
    pub zone: ZoneArgs,
}
