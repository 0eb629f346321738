//! The `tailrace` binary: reads the command line, runs the command, says what went wrong and what to do about it.

use std::io::Write;
use std::process::ExitCode;

use tailrace::{cli, commands};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = cli::parse();
    match commands::run(cli).await {
        Ok(code) => code,
        Err(error) => {
            // Nothing can be done where even stderr is gone.
            let _ = writeln!(anstream::stderr(), "{}", error.report());
            error.exit_code()
        }
    }
}
