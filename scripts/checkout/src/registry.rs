//! The things that this process cleans up when it ends early: process groups and temporary folders.

use std::fs;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::group;

const INTERVAL: Duration = Duration::from_millis(20);

/// The time within which a process ends that was killed, unless the system does not let it.
pub(crate) const LAST_BREATH: Duration = Duration::from_secs(2);

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    groups: Vec::new(),
    folders: Vec::new(),
});

/// The process groups that run now and the temporary folders that exist now.
pub(crate) struct Registry {
    groups: Vec<Running>,
    folders: Vec<PathBuf>,
}

/// A process group, and how long it gets to end by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Running {
    pub(crate) group: Pid,
    pub(crate) grace: Duration,
}

/// Locks the registry. Whoever starts a process or makes a folder holds the lock until it is registered: an interrupt
/// comes before or after, never between.
pub(crate) fn lock() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    pub(crate) fn add_group(&mut self, running: Running) {
        self.groups.push(running);
    }

    pub(crate) fn remove_group(&mut self, group: Pid) {
        self.groups.retain(|running| running.group != group);
    }

    pub(crate) fn add_folder(&mut self, folder: &Path) {
        self.folders.push(folder.to_owned());
    }

    pub(crate) fn remove_folder(&mut self, folder: &Path) {
        self.folders.retain(|known| known != folder);
    }

    /// Waits until no group has a member any more for which `is_over` does not say that it got its time.
    fn wait_for_groups(&self, mut is_over: impl FnMut(&Running) -> bool) {
        let mut is_pending =
            |running: &Running| group::has_members(running.group) && !is_over(running);
        while self.groups.iter().any(&mut is_pending) {
            sleep(INTERVAL);
        }
    }
}

/// Ends every process group and removes every folder, for a process that is about to end. `hurry` says that the groups
/// get no more time. Afterwards nothing can be registered any more: who tries waits until the process has ended.
pub(crate) fn clean_up(mut hurry: impl FnMut() -> bool) {
    let registry = lock();
    for running in &registry.groups {
        group::signal(running.group, Signal::SIGTERM);
    }
    let started = Instant::now();
    let mut has_hurry = false;
    registry.wait_for_groups(|running| {
        has_hurry |= hurry();
        has_hurry || started.elapsed() > running.grace
    });
    for running in &registry.groups {
        group::signal(running.group, Signal::SIGKILL);
    }
    // A process that is still ending may still write.
    let killed = Instant::now();
    registry.wait_for_groups(|_| killed.elapsed() > LAST_BREATH);
    for folder in &registry.folders {
        // What cannot be removed now is removed by a later run.
        let _ = fs::remove_dir_all(folder);
    }
    mem::forget(registry);
}
