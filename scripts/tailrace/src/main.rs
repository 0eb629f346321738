//! The `tailrace` binary: reads the command line, runs the command, says what went wrong and what to do about it.

use std::io::Write;
use std::process::ExitCode;

use tailrace::{Error, cli, commands, output};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = cli::parse();
    match commands::run(cli).await {
        Ok(code) => code,
        Err(error) => {
            report(&error);
            error.exit_code()
        }
    }
}

/// Says what went wrong, and the next step.
fn report(error: &Error) {
    // Nothing can be done where even stderr is gone.
    let mut stderr = anstream::stderr();
    let _ = writeln!(stderr, "error: {}", output::safe(&error.to_string()));
    if let Some(step) = error.next_step() {
        let _ = writeln!(stderr, "hint: {}", output::safe(&step));
    }
}
