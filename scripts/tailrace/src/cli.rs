//! Commands, options and their help. Nothing is checked here beyond its form; `commands` does the rest. `global` holds the
//! options of every command, `values` reads options that take one of a few words.

mod archive;
mod global;
mod logs;
mod mcp;
mod normalize;
mod sql;
mod stats;
mod status;
mod trace;
mod ui;
mod values;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use log_record::Reason;

pub use archive::{Archive, ArchiveCommand, ArchiveGet, ArchiveLs, WindowArgs};
pub use global::{
    ArchiveReadArgs, Color, Format, FormatArgs, GlobalArgs, QueueNames, RecordFormat,
    RecordFormatArgs, TableFormatArgs, ZoneArgs,
};
pub use logs::Logs;
pub use mcp::Mcp;
pub use normalize::{Normalize, Setting};
pub use sql::Sql;
pub use stats::Stats;
pub use status::{PartName, Status, StatusLimits};
pub use trace::Trace;
pub use ui::Ui;
use values::REASONS;

const EXAMPLES: &str = "\
Examples:
  tailrace logs --since 15m --level warn          what went wrong lately
  tailrace logs --follow --worker triggers-api    new lines as they arrive
  tailrace trace 0b0f2a1c                         one request across Workers
  tailrace stats --since 24h                      latency and error rates
  tailrace status                                 is the pipeline well?
  tailrace replay --dry-run                       count dead letters
  tailrace logs --local                           the same against a running `cargo xtask dev`";

const MORE: &str = "\
Examples:
  tailrace logs --since 15m --level warn          what went wrong lately
  tailrace logs --follow --worker triggers-api    new lines as they arrive
  tailrace trace 0b0f2a1c                         one request across Workers
  tailrace stats --since 24h                      latency and error rates
  tailrace status                                 is the pipeline well?
  tailrace sql \"SELECT … FROM tail_logs …\"        any question
  tailrace replay --dry-run                       count dead letters
  tailrace logs --local                           the same against a running `cargo xtask dev`

Environment:
  CLOUDFLARE_API_TOKEN   a token: D1 read; for `replay` Queues edit, and Workers
                         KV edit for the fallback; for `status` Queues, Workers
                         KV and Workers Scripts read. Without one, the login of
                         wrangler (`wrangler auth token`) is used
  CLOUDFLARE_ACCOUNT_ID  the account; without one, the only one that the token
                         sees
  TAILRACE_WRANGLER      the wrangler to ask; else the checkout's, else the one
                         on PATH
  TAILRACE_CONTEXT, TAILRACE_ENV, TAILRACE_DATABASE, TAILRACE_QUEUE,
  TAILRACE_DEAD_LETTER_QUEUE, TAILRACE_FALLBACK
                         the options of these names, where they are not given
  HTTPS_PROXY, NO_PROXY  a proxy; this machine is never asked through one
  SSL_CERT_FILE          certificates to trust instead of the system's
  NO_COLOR               no colours, as --color never

Configuration:
  ~/.config/tailrace/config.toml says who looks. Each key may be left out:
    [context.staging]
    account = \"0123456789abcdef0123456789abcdef\"
    env = \"staging\"
    profile = \"work\"      the profile of wrangler's login
    local = 8787            the port of `cargo xtask dev`, instead of an account
    output = \"json\"
  tailrace.toml in the checkout says what is deployed; its account is used
  where nothing else names one.
  The command line wins, with a context that it names; then the environment,
  the context, and tailrace.toml. A name that stands below an --env is not used
  with it.

Exit codes:
  0  everything asked for was done; for `replay`: and nothing was left behind
  1  something failed or was left behind; for `trace`: nothing has this id; for
     `status`: something is red
  2  the command line, a configuration or an input file cannot be used
  3  for `status`: a part could not be looked at, and nothing seen is red
  130  for `replay`: stopped at once by a second Ctrl-C";

/// Search, trace, measure and replay what Tailrace keeps.
#[derive(Debug, Parser)]
#[command(name = "tailrace", version = env!("TAILRACE_VERSION"), after_help = EXAMPLES, after_long_help = MORE, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show records, the newest last
    Logs(Box<Logs>),
    /// Show everything one request caused, across Workers
    Trace(Trace),
    /// Measure Workers: error rates, latency, CPU time, log volume, exceptions
    Stats(Stats),
    /// Open a page of logs and traces in the browser
    Ui(Ui),
    /// Say whether the pipeline is well
    Status(Status),
    /// Ask D1 a question in SQL; nothing is ever changed
    Sql(Sql),
    /// Answer an assistant, over the Model Context Protocol
    Mcp(Mcp),
    /// Bring dead letters back into the pipeline
    Replay(Replay),
    /// List what is kept in R2, and write its records
    Archive(Archive),
    /// Show what would be stored for trace events, without storing anything
    Normalize(Normalize),
    /// Write a completion script for a shell
    #[command(after_long_help = "\
Examples:
  tailrace completions bash > ~/.local/share/bash-completion/completions/tailrace
  tailrace completions zsh > ~/.zfunc/_tailrace
  tailrace completions fish > ~/.config/fish/completions/tailrace.fish
  source <(tailrace completions bash)    for the bash that runs

The folders are those that the shells look into by default; make the one you use where it is missing.

Exit codes: 0 done; 2 the shell is not one of these.")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// The place that dead letters are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// The dead-letter queue.
    Queue,
    /// The KV fallback: what the queues refused.
    Kv,
}

/// `tailrace replay`.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  tailrace replay --dry-run                       count the first 100 by reason, age and Worker
  tailrace replay                                 bring everything back that can be stored now
  tailrace replay --reason retries_exhausted      only what D1 did not take in time
  tailrace replay --dry-run --all --export letters.ndjson
  tailrace replay --message ID                    one dead letter, whatever its reason
  tailrace replay --from kv                       what lies in the KV fallback
  tailrace replay --json | jq .left               how many were left behind, by why
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

With -o json the summary is one object: how many dead letters were seen, replayed and left (by why), the groups that \
--dry-run shows, and under letters, by id, the reason of each, its records, its state (gone; published, where nobody has \
confirmed that it was taken away; stays; requeued) and why it stays. With --export - the summary is text, on standard error.

A pull is a delivery, and the platform deletes a message that was delivered too often (as `cargo xtask deploy` sets the \
consumer up, after 100). So replay looks at the head of the queue first, which is not a delivery, and pulls only where \
something would be replayed, or with --dry-run --all. A message that stays with few deliveries left (10, or half of them \
where there are fewer than 20) is given back at once and named in the summary: --message takes it. One that stays on its very \
last delivery is put back as a new message: see docs/runbook.md.

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
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub message: Option<String>,
    /// Take at most COUNT dead letters
    #[arg(long, short = 'n', value_name = "COUNT")]
    pub limit: Option<NonZeroUsize>,
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
    /// The form of the summary.
    #[command(flatten)]
    pub format: FormatArgs,
    /// The names of the queues and of the KV namespace.
    #[command(flatten)]
    pub names: QueueNames,
}

/// Reads the command line; does not return where clap has to say something.
#[must_use]
pub fn parse() -> Cli {
    Cli::parse_from(join_local_port(std::env::args_os()))
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
            assert_eq!(parsed(line).unwrap().global.local, port, "{line}");
        }
    }

    #[test]
    fn an_environment_without_a_name_is_refused() {
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
