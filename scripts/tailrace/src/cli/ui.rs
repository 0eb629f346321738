//! Options of `tailrace ui`.

use clap::Args;

/// `tailrace ui`.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  tailrace ui                                     the account's logs and traces
  tailrace ui --local                             those of a running `cargo xtask dev`
  tailrace ui --env staging --no-browser          print the address alone
  ssh -L 8799:127.0.0.1:8799 HOST                 reach a page that another machine serves

The page is served on this machine alone, until Ctrl-C, to whoever has the address that is printed: it holds a secret that is \
made anew at each start. The API token stays in this process. The page only reads.

D1 runs one statement at a time and log-writer waits in the same line: the page asks one short question at a time, however \
many tabs are open.

Exit codes: 0 stopped by Ctrl-C; 1 something failed; 2 the command line cannot be used.")]
pub struct Ui {
    /// Listen on this address; where its port is taken, on a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8799")]
    pub listen: String,
    /// Print the address and open no browser
    #[arg(long)]
    pub no_browser: bool,
}
