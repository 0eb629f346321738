//! Options of `tailrace stats`.

use clap::Args;

use super::global::{TableFormatArgs, ZoneArgs};

/// `tailrace stats`.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  tailrace stats                                   the last 24 hours
  tailrace stats --since 1h --worker triggers-api
  tailrace stats --since yesterday --until today
  tailrace stats --since 7d --json

Definitions:
  invocations  invocation records in the window
  errors       the invocations of level error: an outcome that is not ok
               (canceled aside), or a 5xx answer
  latency      wall time (latency_ms) of the invocations, in whole milliseconds
  cpu          CPU time (cpu_time_ms) of the invocations, in whole milliseconds
  p50 p95 p99  nearest rank: the smallest value that 50, 95, 99 percent of the
               invocations do not exceed
  records      all stored records by level, invocation records and exceptions
               included; of hours in which D1 has only some of the lines
               (ROWS=index), debug and info are the counts of the archive's
               objects, each of them whole
  exceptions   exception records that have the same fingerprint: the name; the
               message's first 200 characters, with ids and numbers replaced;
               function and file of the top frame, without line and column

D1 counts and groups; this tool merges the counts of slices of time and holds one number per distinct millisecond, so \
its memory does not grow with the number of invocations.

Logfmt and CSV hold a line for each Worker, by the names that JSON has; the exceptions are in text and JSON.

Exit codes: 0, also where there are no records; 1 something failed; 2 the command line cannot be used.")]
pub struct Stats {
    /// Measure only this Worker; repeatable
    #[arg(long, short = 'w', value_name = "NAME")]
    pub worker: Vec<String>,
    /// Start at this time: 15m, 1h30m, yesterday, 10:15, 2026-11-23T10:00
    #[arg(long, short = 's', value_name = "TIME", default_value = "24h")]
    pub since: String,
    /// Stop before this time
    #[arg(long, short = 'u', value_name = "TIME")]
    pub until: Option<String>,
    /// List this many exceptions
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    pub exceptions: usize,
    /// The form of the results.
    #[command(flatten)]
    pub format: TableFormatArgs,
    /// The zone of times.
    #[command(flatten)]
    pub zone: ZoneArgs,
}
