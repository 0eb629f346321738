//! Output of `cargo xtask` on the terminal, and the commands it runs.

use std::error::Error;
use std::fmt;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use checkout::process;

/// An error that the command line is to blame for: the exit code is 2.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Refusal {}

/// Says what happens next.
pub(crate) fn say(text: impl AsRef<str>) {
    eprintln!("==> {}", text.as_ref());
}

/// Says what a step is doing, for whoever waits for it.
pub(crate) fn detail(text: impl AsRef<str>) {
    eprintln!("    {}", text.as_ref());
}

/// Says why the command ends.
pub(crate) fn failed(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}

/// Runs `command` with its output on the terminal, and ends it and what it has started if this process ends first.
///
/// # Errors
/// Fails if it cannot be started or fails.
pub(crate) fn execute(command: &mut Command) -> Result<()> {
    let status = process::run(command)?;
    if !status.success() {
        bail!("{} failed ({status})", shown(command));
    }
    Ok(())
}

/// Returns what `command` prints, or `None` where it cannot be started or fails.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Cargo. It is not told of the package that it runs this in: build scripts that look at such variables would be run again,
/// and what they build compiled again, each time that cargo is called from here and then by hand.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new("cargo");
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let program = program.rsplit('/').next().unwrap_or(&program);
    command
        .get_args()
        .fold(program.to_owned(), |text, argument| {
            text + " " + &argument.to_string_lossy()
        })
}
