//! A child process that takes its whole process group with it: wrangler starts workerd and esbuild, and none of them may
//! outlive the test or command that started them.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::poll::poll;

/// How long a process group gets to end by itself once asked to.
const GRACE: Duration = Duration::from_secs(5);

/// The groups that run now: an interrupted command drops nothing, but must still end them.
static RUNNING: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// Ends every process group of this process at once, for when it is interrupted.
pub fn end_all() {
    for group in RUNNING
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
    {
        let _ = killpg(*group, Signal::SIGKILL);
    }
}

/// A running process group; dropping it ends it.
#[derive(Debug)]
pub struct ProcessGroup {
    child: Child,
    group: Pid,
}

impl ProcessGroup {
    /// Starts `command` as the leader of a new process group.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .process_group(0)
            .spawn()
            .with_context(|| format!("{program} did not start"))?;
        let id = i32::try_from(child.id()).context("a process id over i32::MAX")?;
        let group = Pid::from_raw(id);
        RUNNING
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(group);
        Ok(Self { child, group })
    }

    /// The leader's exit status, if it has ended.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// The group's id, which is its leader's process id.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.group.as_raw()
    }

    /// Asks the group to end, and ends it if it does not.
    pub fn stop(&mut self) {
        // A group that has ended already answers ESRCH to each of these.
        let _ = killpg(self.group, Signal::SIGTERM);
        let child = &mut self.child;
        let ended = poll(GRACE, || Ok(child.try_wait()?)).ok().flatten();
        let _ = killpg(self.group, Signal::SIGKILL);
        if ended.is_none() {
            let _ = self.child.wait();
        }
        RUNNING
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|group| *group != self.group);
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The most memory that any process named `program` of the group `group` has had, in bytes; 0 where the system does not
/// tell (it is read from `/proc`).
///
/// # Errors
/// When `/proc` is there but cannot be read.
pub fn peak_memory_bytes(group: i32, program: &str) -> Result<u64> {
    let mut peak = 0;
    for process in processes(group, program)? {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let kilobytes: u64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|text| text.trim().strip_suffix("kB")?.trim().parse().ok())
            .unwrap_or_default();
        peak = peak.max(kilobytes * 1024);
    }
    Ok(peak)
}

/// The ids of the processes named `program` in the group `group`; none where there is no `/proc`.
///
/// # Errors
/// When `/proc` is there but cannot be read.
pub fn processes(group: i32, program: &str) -> Result<Vec<i32>> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let Some(process) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        // `PID (NAME) STATE PARENT GROUP …`; a process may end while it is looked at.
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let Some((head, tail)) = stat.rsplit_once(')') else {
            continue;
        };
        let its_name = head.split_once('(').map(|(_, name)| name);
        let its_group = tail
            .split_whitespace()
            .nth(2)
            .and_then(|id| id.parse().ok());
        if its_name == Some(program) && its_group == Some(group) {
            found.push(process);
        }
    }
    Ok(found)
}
