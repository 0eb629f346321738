//! Output of `cargo xtask` on the terminal, and the commands it runs.

use std::error::Error;
use std::fmt;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use checkout::lock::Lock;
use checkout::{Workspace, process};

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
    print_line(&format!("==> {}\n", text.as_ref()));
}

/// Says what a step is doing, for whoever waits for it.
pub(crate) fn detail(text: impl AsRef<str>) {
    print_line(&format!("    {}\n", text.as_ref()));
}

/// Writes a line at once, so that those of other programs come before or after it.
fn print_line(line: &str) {
    eprint!("{line}");
}

/// Says why the command ends.
pub(crate) fn failed(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}

/// Waits until no other command of this checkout installs or compiles what this one is about to.
///
/// # Errors
/// Fails if the checkout cannot be written.
pub(crate) fn take_turn(workspace: &Workspace) -> Result<Lock> {
    let path = workspace.state_dir().join("build.lock");
    let owner = format!("process {}", std::process::id());
    Lock::wait(&path, &owner, |other| {
        say(format!(
            "waiting for another command that builds in this checkout ({other})"
        ));
    })
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

fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let program = program.rsplit('/').next().unwrap_or(&program);
    command
        .get_args()
        .fold(program.to_owned(), |text, argument| {
            text + " " + &argument.to_string_lossy()
        })
}
