//! Options of `tailrace mcp`.

use clap::Args;

/// `tailrace mcp`.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  claude mcp add tailrace -- tailrace mcp --env staging
  tailrace mcp --local                             a running `cargo xtask dev`

A server of the Model Context Protocol on standard input and output, for the assistant in an editor. It is not for a person \
to type at: the editor starts it. docs/tailrace.md says how to register it.

Tools: logs, trace, stats, status, and sql, which takes only statements that read. None of them changes anything, and replay \
is not one. Answers are bounded and say what they left out. What Workers logged is in the member untrusted_log_data alone.

Logs leave this machine: what a tool answers goes to the model that the assistant uses.

Exit codes: 0 the assistant has closed the connection; 1 something failed; 2 the command line cannot be used.")]
pub struct Mcp {
    /// The names of the queues and of the KV namespace.
    #[command(flatten)]
    pub names: super::QueueNames,
}
