//! Options of `tailrace logs`.

use clap::Args;
use log_record::Level;

use super::global::{FormatArgs, ZoneArgs};
use super::values::{LEVELS, count_or_all};

/// `tailrace logs`.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  tailrace logs                                       the last 100 records
  tailrace logs --since 2h --level error              errors, two hours back
  tailrace logs --worker triggers-api --follow        new records as they arrive
  tailrace logs --grep 'timed out' --since 1d --json  as JSON lines, for jq
  tailrace logs --since 10:00 --until 10:15           a quarter of an hour
  tailrace logs --since yesterday --until today --tz America/New_York

Times:
  15m, 1h30m, 2 hours ago, 7d           an age; a day is 24 hours
  10:15, 10:15:30                       the latest 10:15 that has passed
  today, yesterday                      at midnight
  2026-11-23, 2026-11-23T10:00          local, or in the zone of --tz or --utc
  2026-11-23T10:00Z, …T10:00+01:00      with an offset of its own
  1795456800, 1795456800000             seconds or milliseconds since 1970
Where clocks go back, a local time that occurs twice is the earlier one for --since and the later one for --until.

Ids: an exact id wins. Else a Ray ID is found without its -XXX, and an id by its beginning of at least 4 characters.

--follow shows a record once, when it is stored, also where it arrives late or out of order. Records up to 2 minutes old \
appear within --interval seconds, records up to 30 minutes old within about 30 seconds, and records up to --late within \
about 5 minutes; older ones are not shown. With --correlation-id or --request-id all of them are, at once.

Exit codes: 0, also where no record matches; 1 something failed, or a beginning fits several ids; 2 the command line \
cannot be used.")]
pub struct Logs {
    /// Show only records of this Worker; repeatable
    #[arg(long, short = 'w', value_name = "NAME")]
    pub worker: Vec<String>,
    /// Show only records of this level and above
    #[arg(long, short = 'l', value_parser = LEVELS)]
    pub level: Option<Level>,
    /// Show only records of this correlation id
    #[arg(long, short = 'c', value_name = "ID")]
    pub correlation_id: Option<String>,
    /// Show only records of this invocation
    #[arg(long, short = 'r', value_name = "ID")]
    pub request_id: Option<String>,
    /// Show only messages that hold this text
    ///
    /// A text without capitals is found in any case; a text with one only as it is.
    #[arg(long, short = 'g', value_name = "TEXT")]
    pub grep: Option<String>,
    /// Start at this time: 15m, 1h30m, yesterday, 10:15, 2026-11-23T10:00
    #[arg(long, short = 's', value_name = "TIME")]
    pub since: Option<String>,
    /// Stop before this time
    #[arg(long, short = 'u', value_name = "TIME", conflicts_with = "follow")]
    pub until: Option<String>,
    /// Show at most this many records, the newest, or all [default: 100; --since with --follow: all]
    #[arg(long, short = 'n', value_name = "COUNT", value_parser = count_or_all)]
    pub limit: Option<usize>,
    /// Go on with new records as they arrive, until Ctrl-C
    #[arg(long, short = 'f')]
    pub follow: bool,
    /// Look for new records every this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 2, requires = "follow", hide_short_help = true, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub interval: u64,
    /// Show records that arrive up to this late
    #[arg(
        long,
        value_name = "AGE",
        default_value = "6h",
        requires = "follow",
        hide_short_help = true
    )]
    pub late: String,
    /// Wrap long messages and ids instead of cutting them
    #[arg(long, hide_short_help = true)]
    pub wrap: bool,
    /// The form of the results.
    #[command(flatten)]
    pub format: FormatArgs,
    /// The zone of times.
    #[command(flatten)]
    pub zone: ZoneArgs,
}
