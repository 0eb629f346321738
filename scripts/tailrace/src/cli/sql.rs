//! Options of `tailrace sql`.

use clap::Args;

use super::RecordFormat;

/// `tailrace sql`.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  tailrace sql \"SELECT worker_name, count(*) FROM tail_logs WHERE timestamp >= '2026-11-23' GROUP BY 1\"
  tailrace sql - < question.sql
  tailrace sql \"EXPLAIN QUERY PLAN SELECT * FROM tail_logs WHERE request_id = '8e7b3c0d9a1f2b3c'\"
  tailrace sql --local \"SELECT name, sql FROM sqlite_master\"

A statement is sent only if it is a single SELECT or VALUES, also one that begins with WITH, or EXPLAIN of one. It is read \
with SQLite's own grammar; anything else is refused before it leaves this machine. The answer is a table on a terminal and \
JSON lines in a pipe, unless --output says otherwise.

The columns of tail_logs: log_id, worker_name, request_id, correlation_id, log_level, message, context_json, timestamp, \
execution_time_ms, created_at. Times are text in UTC (2026-11-23T10:00:00.000Z), which compares as it sorts. Members of the \
context: context_json ->> '$.status'. There are indexes for timestamp, correlation_id, request_id, worker_name with \
timestamp, and timestamp of warnings and errors.

D1 runs one statement at a time, and log-writer waits behind it. So D1 is asked for its plan first, and a plan that reads all \
of tail_logs, or all of one of its indexes, is named and needs a yes, or --yes.

Exit codes: 0 done; 1 D1 refused the statement, or something failed; 2 it is not a statement that only reads, or nobody could \
say yes to its plan.")]
pub struct Sql {
    /// The statement; - reads it from standard input
    #[arg(value_name = "STATEMENT")]
    pub statement: String,
    /// Show at most COUNT rows
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 1000)]
    pub limit: u32,
    /// Run it whatever its plan
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Print JSON, one object per line; short for --output json
    #[arg(long, conflicts_with = "output")]
    pub json: bool,
    /// Print the rows in this form [default: text, a table, on a terminal; json, one object per line, in a pipe]
    #[arg(long, short = 'o', value_name = "FORMAT")]
    pub output: Option<RecordFormat>,
}
