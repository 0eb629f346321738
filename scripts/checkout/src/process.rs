//! Child processes that take their whole process group with them: wrangler starts workerd and esbuild, cargo starts rustc
//! and tests, and none of them may outlive the command that started them, however that ends.
//!
//! Each group is led by a guard: a shell that does nothing until its standard input ends, which happens when this
//! process ends, even by SIGKILL; then it ends its group. As long as it is there, the group's id is nobody else's.
//!
//! Each group has a folder of its own for temporary files, and whatever it leaves there goes with it.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::registry::{self, Running};
use crate::{Scratch, group, interrupt, poll};

/// The time that a server gets to end by itself once asked to.
const GRACE: Duration = Duration::from_secs(5);

/// The time that a command gets that may itself have servers to end.
const COMMAND_GRACE: Duration = Duration::from_secs(15);

/// The guard. The signals that end its group do not end it, nor its `sleep`.
const GUARD: &str =
    "trap '' INT TERM HUP; while read -r _; do :; done; kill -TERM 0; sleep 2; kill -KILL 0";

/// A running process group; dropping it ends it.
#[derive(Debug)]
pub struct ProcessGroup {
    child: Child,
    guard: Child,
    running: Running,
    is_stopped: bool,
    /// Removed last, when nobody writes into it any more.
    _temporary: Scratch,
}

impl ProcessGroup {
    /// Starts `command` in a new process group.
    ///
    /// # Errors
    /// Fails if the program, or the shell that guards it, cannot be started.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        Self::start(command, GRACE)
    }

    fn start(command: &mut Command, grace: Duration) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        interrupt::watch();
        let temporary = Scratch::new()?;
        command.env("TMPDIR", temporary.path());
        let mut registry = registry::lock();
        let mut guard = Command::new("sh")
            .args(["-c", GUARD])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("sh did not start")?;
        let id = i32::try_from(guard.id()).context("a process id over i32::MAX")?;
        let child = match command.process_group(id).spawn() {
            Ok(child) => child,
            Err(error) => {
                let _ = guard.kill();
                let _ = guard.wait();
                return Err(error).with_context(|| format!("{program} did not start"));
            }
        };
        let group = Pid::from_raw(id);
        let running = Running { group, grace };
        registry.add_group(running);
        Ok(Self {
            child,
            guard,
            running,
            is_stopped: false,
            _temporary: temporary,
        })
    }

    /// Returns the started program's exit status, if it has ended.
    ///
    /// # Errors
    /// Fails if the system does not say.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits until the started program has ended.
    ///
    /// # Errors
    /// Fails if the system does not say.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }

    /// Returns the group's id.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.running.group.as_raw()
    }

    /// Asks the group to end, and ends it if it does not.
    pub fn stop(&mut self) {
        if self.is_stopped {
            return;
        }
        self.is_stopped = true;
        // Where a signal ends this whole process, that does the rest, and this waits here for it.
        let mut registry = registry::lock();
        let Running { group, grace } = self.running;
        group::signal(group, Signal::SIGTERM);
        let child = &mut self.child;
        let _ = poll(grace, || {
            let has_ended = child.try_wait()?.is_some();
            Ok((has_ended && !group::has_members(group)).then_some(()))
        });
        group::signal(group, Signal::SIGKILL);
        let _ = poll(registry::LAST_BREATH, || {
            Ok((!group::has_members(group)).then_some(()))
        });
        let _ = self.child.wait();
        let _ = self.guard.wait();
        registry.remove_group(group);
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A program that answers each line of its standard input with a line on its standard output.
#[derive(Debug)]
pub struct Responder {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _process: ProcessGroup,
}

impl Responder {
    /// Starts `command`; its errors go to the terminal.
    ///
    /// # Errors
    /// Fails if it cannot be started.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = ProcessGroup::spawn(command)?;
        let input = process.child.stdin.take();
        let output = process.child.stdout.take();
        let (input, output) = input.zip(output).context("it has no pipes")?;
        Ok(Self {
            input,
            output: BufReader::new(output),
            _process: process,
        })
    }

    /// Returns the answer to `line`.
    ///
    /// # Errors
    /// Fails if the program has ended.
    pub fn ask(&mut self, line: &str) -> Result<String> {
        writeln!(self.input, "{line}")?;
        let mut answer = String::new();
        if self.output.read_line(&mut answer)? == 0 {
            bail!("the program has ended");
        }
        Ok(answer)
    }
}

/// Runs `command` to its end, with its output on the terminal.
///
/// # Errors
/// Fails if it cannot be started.
pub fn run(command: &mut Command) -> Result<ExitStatus> {
    ProcessGroup::start(command.stdin(Stdio::null()), COMMAND_GRACE)?.wait()
}

/// Returns cargo, not told of the package that it is started from: build scripts that look at such variables would be run
/// again, and what they build compiled again, each time that cargo is called from here and then by hand.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new("cargo");
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

/// The output of a command.
#[derive(Debug)]
pub struct Printed {
    /// True if it succeeded.
    pub status: ExitStatus,
    /// On standard output.
    pub stdout: String,
    /// On standard error.
    pub stderr: String,
}

/// Runs `command` to its end and returns what it has printed.
///
/// # Errors
/// Fails if it cannot be started.
pub fn capture(command: &mut Command) -> Result<Printed> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = ProcessGroup::start(command, COMMAND_GRACE)?;
    let stderr = process.child.stderr.take();
    let stdout = process.child.stdout.take();
    let stderr = thread::spawn(move || read(stderr));
    let stdout = read(stdout)?;
    let Ok(stderr) = stderr.join() else {
        bail!("reading the standard error of a command panicked");
    };
    Ok(Printed {
        stderr: stderr?,
        stdout,
        status: process.wait()?,
    })
}

/// Runs `command` to its end, with its errors on the terminal; returns what it has printed on standard output.
///
/// # Errors
/// Fails if it cannot be started.
pub fn capture_stdout(command: &mut Command) -> Result<(ExitStatus, String)> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut process = ProcessGroup::start(command, COMMAND_GRACE)?;
    let stdout = read(process.child.stdout.take())?;
    Ok((process.wait()?, stdout))
}

fn read(pipe: Option<impl Read>) -> Result<String> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes)?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
