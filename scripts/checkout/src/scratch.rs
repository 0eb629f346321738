//! Temporary folders that are removed in any case: when they are dropped, on a signal, and after SIGKILL or a power
//! failure by the next run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{interrupt, registry};

/// The beginning of the names of all these folders.
const PREFIX: &str = "tailrace.";

/// The file in a folder that its owner holds locked.
const OWNER: &str = ".owner";

/// The age at which a folder without that file counts as left over: making one takes less than a millisecond.
const UNFINISHED: Duration = Duration::from_secs(600);

/// A temporary folder; dropping it removes it.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    /// Locked as long as the folder is used.
    owner: File,
}

impl Scratch {
    /// Makes a new folder, and removes those that earlier runs have left.
    ///
    /// # Errors
    /// Fails if the system's folder for temporary files cannot be written.
    pub fn new() -> Result<Self> {
        Self::below(&std::env::temp_dir())
    }

    fn below(parent: &Path) -> Result<Self> {
        interrupt::watch();
        remove_left_over(parent);
        let mut registry = registry::lock();
        let path = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(parent)
            .with_context(|| format!("no folder can be made in {}", parent.display()))?
            .keep();
        registry.add_folder(&path);
        drop(registry);
        // Under its name only once it is locked, so that nobody takes the folder for a left-over one.
        let unlocked = path.join(".new-owner");
        let owner = File::create(&unlocked)?;
        owner.lock()?;
        fs::rename(&unlocked, path.join(OWNER))?;
        Ok(Self { path, owner })
    }

    /// Returns the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let mut registry = registry::lock();
        // What cannot be removed now is removed by a later run.
        let _ = fs::remove_dir_all(&self.path);
        let _ = self.owner.unlock();
        registry.remove_folder(&self.path);
    }
}

/// Removes the folders in `parent` whose owner is gone.
pub fn remove_left_over(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_ours && is_left_over(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_left_over(folder: &Path) -> bool {
    match File::open(folder.join(OWNER)) {
        Ok(owner) => owner.try_lock().is_ok(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => fs::metadata(folder)
            .and_then(|it| it.modified())
            .is_ok_and(|made| made.elapsed().is_ok_and(|age| age > UNFINISHED)),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_owner_and_not_before() {
        let parent = tempfile::tempdir().unwrap();
        let held = Scratch::below(parent.path()).unwrap();
        let left = Scratch::below(parent.path()).unwrap();
        let left_path = left.path().to_owned();
        fs::write(left_path.join("file"), "text").unwrap();
        // As after SIGKILL: the lock is given back, the folder stays.
        left.owner.unlock().unwrap();
        remove_left_over(parent.path());
        assert!(held.path().exists());
        assert!(!left_path.exists());
        let path = held.path().to_owned();
        drop(held);
        assert!(!path.exists());
    }

    #[test]
    fn other_folders_are_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["tailrace-someone", "tailrace.just-made", "other"] {
            fs::create_dir(parent.path().join(name)).unwrap();
        }
        remove_left_over(parent.path());
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 3);
    }
}
