//! `tailrace archive`.

use clap::{Args, Subcommand};

use super::{TableFormatArgs, ZoneArgs};

/// `tailrace archive`.
#[derive(Args, Debug)]
pub struct Archive {
    /// The command.
    #[command(subcommand)]
    pub command: ArchiveCommand,
}

/// A command on the archive.
#[derive(Debug, Subcommand)]
pub enum ArchiveCommand {
    /// List the objects of the archive, the oldest first
    Ls(ArchiveLs),
    /// Write records of the archive as JSON, one object per line
    Get(ArchiveGet),
}

/// A window of time.
#[derive(Args, Clone, Debug)]
pub struct WindowArgs {
    /// Only records at or after this time, such as 2h, yesterday or 2026-11-23T10:00
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only records before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}

/// `tailrace archive ls`.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  tailrace archive ls --since 24h
  tailrace archive ls --since yesterday --until today --json | jq -s 'map(.bytes) | add'

Lists what the catalog in D1 says: the times of the first and the last record, how many there are, the bytes in the bucket, \
and whether all of them are rows of D1 as well (all) or only those that one searches by (index). The objects of a window are \
those that hold a record of it.

Exit codes: 0 it was listed, also where there is nothing; 1 something failed; 2 the command line cannot be used.")]
pub struct ArchiveLs {
    /// The window.
    #[command(flatten)]
    pub window: WindowArgs,
    /// The zone of times.
    #[command(flatten)]
    pub zone: ZoneArgs,
    /// The form of the results.
    #[command(flatten)]
    pub format: TableFormatArgs,
}

/// `tailrace archive get`.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  tailrace archive get --since yesterday --until today > yesterday.ndjson
  tailrace archive get --since 1h | jq -c 'select(.log_level == \"error\")'
  tailrace archive get v1/dt=2026-11-25/hour=12/KEY.ndjson.gz

A window writes the records of that time in the order of the objects, each once, although the archive may hold one twice. \
Keys, as `tailrace archive ls` shows them, write what the objects hold. An object that is in the catalog and no longer in \
the bucket has expired, which is said.

Reading costs one operation an object. Where that is many (more than 300 objects or 100 MB) it has to be confirmed with --yes.

Exit codes: 0 everything was written; 1 something failed, or an object that was named is not there; 2 the command line cannot \
be used, or --yes is needed.")]
pub struct ArchiveGet {
    /// Objects
    #[arg(value_name = "KEY", required_unless_present_any = ["since", "until"], conflicts_with_all = ["since", "until"])]
    pub keys: Vec<String>,
    /// The window.
    #[command(flatten)]
    pub window: WindowArgs,
    /// Read from the R2 bucket of this name [default: tailrace-archive]
    #[arg(long, value_name = "NAME")]
    pub bucket: Option<String>,
    /// Read as much as it takes, without being asked
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// The zone of times.
    #[command(flatten)]
    pub zone: ZoneArgs,
}
