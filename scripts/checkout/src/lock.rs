//! A file that says who uses something, and keeps others from it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};

/// A held lock; dropping it, or the end of the process, gives it back.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The result of asking for a lock.
#[derive(Debug)]
pub enum Claim {
    /// It is held now.
    Taken(Lock),
    /// Somebody else holds it, and has said this of himself.
    HeldBy(String),
}

impl Lock {
    /// Takes the lock at `path`, and writes `owner` into it for others to read.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn claim(path: &Path, owner: &str) -> Result<Claim> {
        let problem = || format!("{} cannot be locked", path.display());
        let file = open(path).with_context(problem)?;
        match file.try_lock() {
            Ok(()) => Ok(Claim::Taken(Self::take(file, owner).with_context(problem)?)),
            Err(TryLockError::WouldBlock) => {
                let owner = fs::read_to_string(path).unwrap_or_default();
                Ok(Claim::HeldBy(owner))
            }
            Err(TryLockError::Error(error)) => Err(error).with_context(problem),
        }
    }

    /// Takes the lock at `path` as [`Lock::claim`] does, once nobody else holds it any more; `tell` is told who does.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn wait(path: &Path, owner: &str, tell: impl FnOnce(&str)) -> Result<Self> {
        let problem = || format!("{} cannot be locked", path.display());
        match Self::claim(path, owner)? {
            Claim::Taken(lock) => Ok(lock),
            Claim::HeldBy(other) => {
                tell(&other);
                let file = open(path).with_context(problem)?;
                file.lock().with_context(problem)?;
                Self::take(file, owner).with_context(problem)
            }
        }
    }

    fn take(mut file: File, owner: &str) -> io::Result<Self> {
        file.set_len(0)?;
        file.write_all(owner.as_bytes())?;
        Ok(Self { _file: file })
    }
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_was_first_until_that_one_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below/lock");
        let first = Lock::claim(&path, "process 1").unwrap();
        let second = Lock::claim(&path, "process 2").unwrap();
        assert!(matches!(second, Claim::HeldBy(owner) if owner == "process 1"));
        drop(first);
        let third = Lock::claim(&path, "process 3").unwrap();
        assert!(matches!(third, Claim::Taken(_)));
    }

    #[test]
    fn who_waits_is_told_for_whom_and_gets_it_then() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::claim(&path, "process 1").unwrap();
        let mut told = String::new();
        let waited = Lock::wait(&path, "process 2", |owner| {
            owner.clone_into(&mut told);
            drop(first);
        });
        waited.unwrap();
        assert_eq!(told, "process 1");
        assert_eq!(fs::read_to_string(&path).unwrap(), "process 2");
    }
}
