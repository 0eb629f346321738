//! Options of `tailrace logs`.

use clap::Args;
use log_record::Level;

use super::global::{ArchiveReadArgs, RecordFormatArgs, ZoneArgs};
use super::values::{KINDS, LEVELS, count_or_all};
use crate::query::Kind;

/// `tailrace logs`.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  tailrace logs                                       the last 100 records
  tailrace logs --since 2h --level error              errors, two hours back
  tailrace logs --worker triggers-api --follow        new records as they arrive
  tailrace logs --grep 'timed out' --since 1d --json  as JSON lines, for jq
  tailrace logs -q 'level>=warn worker:api-* -status:4xx'
  tailrace logs -q 'order.id:42 path:/orders' -C 3    and 3 records before and after
  tailrace logs --grep 'took \\d{4} ms' -E --since 6h
  tailrace logs --since 1d -n all -o csv --fields timestamp,message,data.order.id
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

Queries: every term must hold, a,b is either, and - negates.
  level:warn, level>=warn               exactly; this level and above
  worker:api-*                          * stands for any text
  status:5xx, status:404, path:/orders  all records of such an invocation; a path by its beginning
  ms>=500, ms>=1.5s                     invocations by their wall time
  kind:exception                        or invocation, log, diagnostic
  id:0b0f2a1c                           a correlation or request id by its beginning
  correlation_id:…, request_id:…        one of these
  method:POST, outcome:exceededCpu, event_type:queue
  order.id:42, order.total>=9.5         a member of the line's data
  timeout, \"timed out\"                  a text in the message or in what the line carried
The options above are short forms of it. docs/tailrace.md has all of the language.

Text is looked for in the message and in what the line itself carried (its data, arguments and errors), as it was logged. \
D1 has no regular expressions: with -E the records that hold the longest fixed text of the expression are read, one hour \
back unless --since is given, and after 100 MB you are asked (or --yes).

Archive: where D1 keeps only rows that one searches by (ROWS=index), the other records are read from R2, and so are those from \
before the oldest row where --since asks for them. Objects that cannot hold a match, by their counts of Workers and levels, \
are not read. Before more than 300 objects or 100 MB you are asked; without a terminal that ends with exit code 2, unless \
--yes is given. With --no-archive nothing is read from R2, and what is left out is said.

Ids: an exact id wins. Else a Ray ID is found without its -XXX, and an id by its beginning of at least 4 characters.

--follow shows a record once, when it is stored, also where it arrives late or out of order. Records up to 2 minutes old \
appear within --interval seconds, records up to 30 minutes old within about 30 seconds, and records up to --late within \
about 5 minutes; older ones are not shown. With --correlation-id or --request-id all of them are, at once.

Exit codes: 0, also where no record matches; 1 something failed, a beginning fits several ids, or reading stopped at 100 MB; 2 the command line \
cannot be used, or --yes is needed.")]
pub struct Logs {
    /// Show only records that this query means, such as 'level>=warn status:5xx "timed out"'
    #[arg(long, short = 'q', value_name = "QUERY", allow_hyphen_values = true)]
    pub query: Option<String>,
    /// Show only records of this Worker, such as api or 'api-*'; repeatable
    #[arg(long, short = 'w', value_name = "NAME")]
    pub worker: Vec<String>,
    /// Show no records of this Worker; repeatable
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub exclude_worker: Vec<String>,
    /// Show only records of this level and above
    #[arg(long, short = 'l', value_parser = LEVELS)]
    pub level: Option<Level>,
    /// Show only records of this kind
    #[arg(long, value_name = "KIND", value_parser = KINDS, hide_short_help = true)]
    pub kind: Vec<Kind>,
    /// Show only records of invocations with this status, such as 503 or 5xx
    #[arg(
        long,
        value_name = "STATUS",
        value_delimiter = ',',
        hide_short_help = true
    )]
    pub status: Vec<String>,
    /// Show only records of invocations whose path begins so
    #[arg(long, value_name = "PATH", hide_short_help = true)]
    pub path: Vec<String>,
    /// Show only invocations that took at least this many milliseconds
    #[arg(long, value_name = "MS", hide_short_help = true)]
    pub min_ms: Option<u32>,
    /// Show only records of this correlation id
    #[arg(long, short = 'c', value_name = "ID")]
    pub correlation_id: Option<String>,
    /// Show only records of this invocation
    #[arg(long, short = 'r', value_name = "ID")]
    pub request_id: Option<String>,
    /// The text to look for.
    #[command(flatten)]
    pub text: TextArgs,
    /// The reading of the archive.
    #[command(flatten)]
    pub archive: ArchiveReadArgs,
    /// Show this many records before and after each match, of its invocation
    #[arg(
        long,
        short = 'C',
        value_name = "COUNT",
        conflicts_with = "follow",
        hide_short_help = true
    )]
    pub around: Option<usize>,
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
    /// The form of the results.
    #[command(flatten)]
    pub format: RecordFormatArgs,
    /// The zone of times.
    #[command(flatten)]
    pub zone: ZoneArgs,
}

/// A text to look for in the message and in what the line carried.
#[derive(Args, Debug)]
pub struct TextArgs {
    /// Show only records whose message or data hold this text
    ///
    /// A text without capitals is found in any case; a text with one only as it is.
    #[arg(long, short = 'g', value_name = "TEXT", allow_hyphen_values = true)]
    pub grep: Option<String>,
    /// With --grep: find the text in any case, in any script
    #[arg(long, short = 'i', requires = "grep", hide_short_help = true)]
    pub ignore_case: bool,
    /// With --grep: show the records without the text
    #[arg(long, short = 'v', requires = "grep", hide_short_help = true)]
    pub invert: bool,
    /// With --grep: the text is a regular expression
    #[arg(long, short = 'E', requires = "grep", hide_short_help = true)]
    pub regex: bool,
}
