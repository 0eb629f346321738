//! Commands, options and their help. Nothing is checked here beyond its form; `commands` does the rest. [`place`] says
//! which installation is meant, `values` reads words of which there are few.

mod normalize;
pub mod place;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use log_record::{Level, Reason};

use crate::credentials::variable;

pub use normalize::Normalize;
pub use place::{Color, Place};
use values::{LEVELS, REASONS};

const EXAMPLES: &str = "\
Examples:
  tailrace logs --since 15m --level warn          what went wrong lately
  tailrace logs --follow --worker triggers-api    new lines as they arrive
  tailrace trace 0b0f2a1c-…                       one request across Workers
  tailrace stats --since 24h                      latency and error rates
  tailrace replay --dry-run                       what lies in the dead-letter queue
  tailrace logs --local                           the same against a running `cargo xtask dev`

Environment:
  CLOUDFLARE_API_TOKEN   a token (else wrangler's login is used): D1 read; for
                         `replay` Queues edit, and Workers KV edit for the fallback
  CLOUDFLARE_ACCOUNT_ID  the account (else the only one the token can see)
  TAILRACE_ENV, TAILRACE_DATABASE, TAILRACE_QUEUE, TAILRACE_DEAD_LETTER_QUEUE,
  TAILRACE_FALLBACK      the options of these names, where they are not given
  NO_COLOR               no colours, as --color never

Exit codes:
  0  everything asked for was done; for `replay`: and nothing was left behind
  1  something failed or was left behind; for `trace`: nothing has this id
  2  the command line or an input file cannot be used
  130  for `replay`: stopped at once by a second Ctrl-C";

/// Search, trace, measure and replay what Tailrace keeps.
#[derive(Debug, Parser)]
#[command(name = "tailrace", version, after_help = EXAMPLES, max_term_width = 110)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Where.
    #[command(flatten)]
    pub place: Place,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show records, the newest last
    Logs(Logs),
    /// Show everything one request caused, across Workers
    Trace(Trace),
    /// Measure Workers: invocations, error rates, latency, CPU time, log volume, exceptions
    Stats(Stats),
    /// Bring dead letters back into the pipeline
    Replay(Replay),
    /// Show what would be stored for trace events, without storing anything
    Normalize(Normalize),
    /// Write a completion script for a shell
    #[command(after_help = "\
Examples:
  tailrace completions bash > ~/.local/share/bash-completion/completions/tailrace
  tailrace completions zsh > ~/.zfunc/_tailrace
  tailrace completions fish > ~/.config/fish/completions/tailrace.fish
  source <(tailrace completions bash)    for the bash that runs

The folders are those that the shells look into by default; make the one you use where it is missing.

Exit codes: 0 done; 2 the shell is not one of these.")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// `tailrace logs`.
#[allow(clippy::struct_excessive_bools)] // flags
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tailrace logs                                       the last 100 records
  tailrace logs --since 2h --level error              errors, two hours back
  tailrace logs --worker triggers-api --follow        new records as they arrive
  tailrace logs --grep 'timed out' --since 1d --json  as JSON lines, for jq
  tailrace logs --since 2026-11-23T10:00 --until 2026-11-23T10:15 --utc

Exit codes: 0, also where no record matches; 1 something failed; 2 the command line cannot be used.

--follow looks for what was stored since it last looked, by the database's own clock, so a record that arrives late or \
out of order is shown once, when it arrives. Records up to 2 minutes old appear within --interval seconds, records up to \
30 minutes old within 30 seconds, and records up to --late within 5 minutes; older ones (a replay of last week's, say) \
are not shown. With --correlation-id or --request-id all of them are, at once.")]
pub struct Logs {
    /// Only this Worker's; may be given several times
    #[arg(long, short = 'w', value_name = "NAME")]
    pub worker: Vec<String>,
    /// This level and above
    #[arg(long, short = 'l', value_parser = LEVELS)]
    pub level: Option<Level>,
    /// Only what one request caused
    #[arg(long, short = 'c', value_name = "ID")]
    pub correlation_id: Option<String>,
    /// Only one invocation's
    #[arg(long, short = 'r', value_name = "ID")]
    pub request_id: Option<String>,
    /// Only messages that hold this text; capitals matter only if it has one
    #[arg(long, short = 'g', value_name = "TEXT")]
    pub grep: Option<String>,
    /// From this time on: an age (45s, 15m, 2h, 7d) or a time (2026-11-23, 2026-11-23T10:00)
    #[arg(long, short = 's', value_name = "WHEN")]
    pub since: Option<String>,
    /// Before this time
    #[arg(long, short = 'u', value_name = "WHEN", conflicts_with = "follow")]
    pub until: Option<String>,
    /// At most so many records, the newest ones
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 100)]
    pub limit: usize,
    /// Go on with new records as they arrive, until Ctrl-C
    #[arg(long, short = 'f')]
    pub follow: bool,
    /// Seconds between two looks with --follow
    #[arg(long, value_name = "SECONDS", default_value_t = 2, requires = "follow", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub interval: u64,
    /// How late a record may arrive and still be noticed by --follow: an age, such as 6h
    #[arg(long, value_name = "AGE", default_value = "6h", requires = "follow")]
    pub late: String,
    /// One JSON object per line
    #[arg(long)]
    pub json: bool,
    /// Read and show times in UTC instead of local time
    #[arg(long)]
    pub utc: bool,
    /// On a terminal show messages and ids whole, wrapped, instead of cutting them
    #[arg(long)]
    pub wrap: bool,
}

/// `tailrace trace`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tailrace trace 0b0f2a1c-5d1e-4c55-9a5f-0d6f1b8f9a10   by correlation id
  tailrace trace 8f2a1c0b5d1e4c55-FRA                   by request id (the cf-ray header)
  tailrace trace 0b0f2a1c-… --json | jq .message

Offsets count from the first record. The bar of an invocation shows when it ran within the whole trace.

Exit codes: 0 found; 1 nothing has this id, or something failed; 2 the command line cannot be used.")]
pub struct Trace {
    /// A correlation id, or a request id
    pub id: String,
    /// At most so many records, the oldest ones
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 5000)]
    pub limit: usize,
    /// One JSON object per record and line
    #[arg(long)]
    pub json: bool,
    /// Show times in UTC instead of local time
    #[arg(long)]
    pub utc: bool,
}

/// `tailrace stats`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tailrace stats                                   the last 24 hours
  tailrace stats --since 1h --worker triggers-api
  tailrace stats --since 7d --json

Exit codes: 0, also where there are no records; 1 something failed; 2 the command line cannot be used.

Definitions:
  invocations  invocation records in the window
  errors       of these, the ones of level error: an outcome that is not ok
               (canceled aside), or a 5xx answer
  latency      wall time (latency_ms) of the invocations, in whole milliseconds
  cpu          CPU time (cpu_time_ms) of the invocations, in whole milliseconds
  p50 p95 p99  nearest rank: the smallest value that 50, 95, 99 percent of the
               invocations do not exceed
  records      all stored records by level, invocation records and exceptions
               included
  exceptions   exception records by Worker, name and the first 200 characters
               of the message

D1 counts and groups; this tool merges the counts of slices of time and holds one number per distinct millisecond, so \
its memory does not grow with the number of invocations.")]
pub struct Stats {
    /// Only this Worker; may be given several times
    #[arg(long, short = 'w', value_name = "NAME")]
    pub worker: Vec<String>,
    /// From this time on: an age (45s, 15m, 2h, 7d) or a time (2026-11-23, 2026-11-23T10:00)
    #[arg(long, short = 's', value_name = "WHEN", default_value = "24h")]
    pub since: String,
    /// Before this time
    #[arg(long, short = 'u', value_name = "WHEN")]
    pub until: Option<String>,
    /// How many exceptions to list
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    pub exceptions: usize,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
    /// Read and show times in UTC instead of local time
    #[arg(long)]
    pub utc: bool,
}

/// Where dead letters are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// The dead-letter queue.
    Queue,
    /// The KV fallback: what the queues refused.
    Kv,
}

/// `tailrace replay`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  tailrace replay --dry-run                       count the first 100 by reason, age and Worker
  tailrace replay                                 bring everything back that can be stored now
  tailrace replay --reason retries_exhausted      only what D1 did not take in time
  tailrace replay --dry-run --all --export letters.ndjson
  tailrace replay --message ID                    one dead letter, whatever its reason
  tailrace replay --from kv                       what lies in the KV fallback
  tailrace replay --local                         dead letters of a running `cargo xtask dev`

Exit codes: 0 nothing was left behind, or a --dry-run has seen all there is; 1 something was left behind (beyond --limit, of \
another --reason or beside --message, too) or not seen, or failed, or the export lacks a body; 2 the command line cannot be \
used; 130 stopped by a second Ctrl-C. They are the same where nobody reads the summary.

A message is acknowledged only after its records were published; what was published twice is stored once, because every \
record keeps its id. Messages with a body that is not an envelope are left where they are unless --reason or --message names \
them: sent as they came, they would be dead letters again. Letters that come (back) to the queue after the replay began are \
left as well.

A line of --export holds what the letter does: records by name, or else the body as it came (body), in base64 where it is \
not text (body_base64). A body too large for a dead letter is in KV, under the key in body_key; it is read from there and \
exported as well. Where that fails, the line holds the key alone: the letter stays, and the summary, of a --dry-run too, \
says how many bodies the export lacks.

A pull is a delivery, and the platform deletes a message that was delivered too often (as `cargo xtask deploy` sets the \
consumer up, after 100). So replay looks at the head of the queue first, which is not a delivery, and pulls only where \
something would be replayed, or with --dry-run --all. A message that stays with few deliveries left (10, or half of them \
where there are fewer than 20) is given back at once and named in the summary: --message takes it. One that stays on its very \
last delivery is put back as a new message: see docs/operations.md.

With --local there is no queue to publish to: records go straight into the local database, with the statement that \
log-writer itself uses.

Ctrl-C finishes the batch in hand. A second one stops at once: what is leased comes back to the queue by itself when \
--lease is over. Only messages on their last delivery, which would not come back, are published or put back first; a third \
Ctrl-C does not wait for that.")]
pub struct Replay {
    /// Count by reason, age and Worker; everything stays where it is
    #[arg(long)]
    pub dry_run: bool,
    /// With --dry-run, lease every dead letter of the queue (a delivery of each) instead of a look at the first 100
    #[arg(long, requires = "dry_run")]
    pub all: bool,
    /// Take the dead letter of this id alone (of --from kv: this key), whatever its reason
    #[arg(long, value_name = "ID")]
    pub message: Option<String>,
    /// Take at most COUNT dead letters
    #[arg(long, short = 'n', value_name = "COUNT")]
    pub limit: Option<usize>,
    /// Only letters of this reason; may be given several times
    #[arg(long, value_name = "REASON", value_parser = REASONS)]
    pub reason: Vec<Reason>,
    /// Also write every letter seen (with --reason, those of it) to this file, with its body where that is in KV, one JSON
    /// object per line (- is standard output)
    #[arg(long, value_name = "FILE")]
    pub export: Option<PathBuf>,
    /// Where to take dead letters from [default: queue, with --local kv]
    #[arg(long, value_name = "SOURCE")]
    pub from: Option<Source>,
    /// Work on COUNT hundreds of messages at once
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=32))]
    pub concurrency: u16,
    /// Seconds that pulled messages are leased for
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(10..=43_200))]
    pub lease: u64,
}

/// The command line; does not return where clap has to say something.
#[must_use]
pub fn parse() -> Cli {
    let mut cli = Cli::parse_from(join_local_port(std::env::args_os()));
    cli.place.fill(variable);
    cli
}

/// `--local 8788` as `--local=8788`. To clap an option with an optional value takes whatever follows it, so that
/// `tailrace trace --local ID` would read the id as a port; here only a number is one.
fn join_local_port(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::new();
    let mut literal = false;
    for argument in arguments {
        let is_port = argument
            .to_str()
            .is_some_and(|text| text.parse::<u16>().is_ok());
        match joined.last_mut() {
            Some(last) if !literal && is_port && last == "--local" => {
                last.push("=");
                last.push(argument);
            }
            _ => {
                literal |= argument == "--";
                joined.push(argument);
            }
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parsed(line: &str) -> Result<Cli, clap::Error> {
        let words = line.split(' ').map(OsString::from);
        Cli::try_parse_from(join_local_port(words))
    }

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_local_port_is_optional_wherever_it_stands() {
        for (line, port) in [
            ("tailrace logs", None),
            ("tailrace --local logs", Some(8787)),
            ("tailrace logs --local", Some(8787)),
            ("tailrace logs --local 9000", Some(9000)),
            ("tailrace logs --local=9000", Some(9000)),
            ("tailrace --local 9000 logs --follow", Some(9000)),
            ("tailrace trace --local abc-def", Some(8787)),
            ("tailrace trace --local 9000 abc-def", Some(9000)),
            ("tailrace trace --local -- 1234", Some(8787)),
        ] {
            assert_eq!(parsed(line).unwrap().place.local, port, "{line}");
        }
    }

    #[test]
    fn an_environment_adds_to_every_name_that_is_not_given() {
        let place = parsed("tailrace logs --env staging --queue other")
            .unwrap()
            .place;
        assert_eq!(place.database(), "tailrace-staging");
        assert_eq!(place.queue(), "other");
        assert_eq!(place.dead_letter_queue(), "tail-logs-dlq-staging");
    }

    #[test]
    fn the_environment_names_what_the_command_line_does_not() {
        let mut place = parsed("tailrace logs --queue given").unwrap().place;
        place.fill(|name| Some(format!("from {name}")));
        assert_eq!(place.queue(), "given");
        assert_eq!(place.database(), "from TAILRACE_DATABASE");
        assert_eq!(place.env.as_deref(), Some("from TAILRACE_ENV"));
    }

    #[test]
    fn an_environment_without_a_name_is_refused_rather_than_taken_for_the_main_one() {
        let words = ["tailrace", "logs", "--env", ""].map(OsString::from);
        assert!(Cli::try_parse_from(words).is_err());
    }

    #[test]
    fn a_token_cannot_be_given_as_a_flag() {
        for line in ["tailrace logs --token x", "tailrace logs --api-token x"] {
            assert!(parsed(line).is_err());
        }
    }
}
