//! The `tailrace` binary: reads the command line, runs the command, says what went wrong and what to do about it.

use std::process::ExitCode;

use tailrace::{cli, commands, output};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = cli::parse();
    match commands::run(cli).await {
        Ok(code) => code,
        Err(error) => {
            output::say_line(&commands::report(&error));
            error.exit_code()
        }
    }
}
