//! Processor time of the runtime's processes, all their threads together, read from outside: clocks inside a Worker are
//! coarse, and in production they stand still while it computes.

use std::time::Duration;

use anyhow::{Context, Result};

/// Processor time that the process `id` has used so far.
///
/// # Errors
/// Fails if there is no such process.
#[cfg(target_os = "linux")]
pub fn of_process(id: i32) -> Result<Duration> {
    use nix::time::{clock_getcpuclockid, clock_gettime};
    let clock = clock_getcpuclockid(nix::unistd::Pid::from_raw(id))
        .with_context(|| format!("no process {id}"))?;
    Ok(clock_gettime(clock)?.into())
}

/// Processor time of another process can be read on Linux alone.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn of_process(_id: i32) -> Result<Duration> {
    None.context("the bench reads processor times, for which it needs Linux")
}

/// Processor time that the workerd processes of the process group `group` have used so far.
///
/// # Errors
/// Fails if there is none.
pub fn of_workerd(group: i32) -> Result<Duration> {
    let processes = checkout::group::processes(group, "workerd");
    anyhow::ensure!(
        !processes.is_empty(),
        "no workerd in the process group {group}"
    );
    processes.into_iter().map(of_process).sum()
}
