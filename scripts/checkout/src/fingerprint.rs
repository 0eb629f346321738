//! A fingerprint of what something was made from, to know whether it must be made again. It is the same wherever the
//! checkout lies, and whatever compiled this code: deployments compare it across machines.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// A fingerprint in the making.
#[derive(Debug)]
pub struct Fingerprint {
    root: PathBuf,
    hash: Sha256,
}

impl Fingerprint {
    /// Begins a fingerprint of things in the folder `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            hash: Sha256::new(),
        }
    }

    /// Adds a text, in which mentions of the root do not count.
    pub fn add_text(&mut self, text: &str) {
        let text = text.replace(&*self.root.to_string_lossy(), "");
        self.add_bytes(text.as_bytes());
    }

    /// Adds the name and contents of a file, or of a folder with all that is in it but hidden files. A path that does not
    /// exist counts as such.
    ///
    /// # Errors
    /// Fails if something cannot be read.
    pub fn add_path(&mut self, path: &Path) -> Result<()> {
        let name = path.strip_prefix(&self.root).unwrap_or(path);
        self.add_bytes(name.to_string_lossy().as_bytes());
        let problem = || format!("{} cannot be read", path.display());
        if path.is_dir() {
            let entries = path.read_dir().with_context(problem)?;
            let mut entries = entries
                .collect::<Result<Vec<_>, _>>()
                .with_context(problem)?;
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                if !entry.file_name().to_string_lossy().starts_with('.') {
                    self.add_path(&entry.path())?;
                }
            }
        } else if path.exists() {
            self.add_bytes(&fs::read(path).with_context(problem)?);
        }
        Ok(())
    }

    /// Returns the fingerprint, as 16 hexadecimal digits: a tag of a Worker's version has room for 25 characters.
    #[must_use]
    pub fn finish(self) -> String {
        let digest = self.hash.finalize();
        let number = digest
            .iter()
            .take(8)
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("{number:016x}")
    }

    /// Adds `bytes` behind their length, so that no two lists of things look the same.
    fn add_bytes(&mut self, bytes: &[u8]) {
        self.hash.update((bytes.len() as u64).to_le_bytes());
        self.hash.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(root: &Path) -> String {
        let mut fingerprint = Fingerprint::new(root);
        fingerprint.add_text(&format!("main = \"{}/a/b\"", root.display()));
        for name in ["a", "missing"] {
            fingerprint.add_path(&root.join(name)).unwrap();
        }
        fingerprint.finish()
    }

    #[test]
    fn a_copy_elsewhere_has_the_same_and_a_change_another() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for root in [here.path(), there.path()] {
            fs::create_dir(root.join("a")).unwrap();
            fs::write(root.join("a/b"), "text").unwrap();
            fs::write(root.join("a/.hidden"), root.to_string_lossy().as_bytes()).unwrap();
        }
        assert_eq!(of(here.path()), of(there.path()));
        // Computed by another program: no release of Rust may come to something else.
        assert_eq!(of(here.path()), "54bc161c31ca797c");
        fs::write(there.path().join("a/b"), "texts").unwrap();
        assert_ne!(of(here.path()), of(there.path()));
        fs::write(there.path().join("a/b"), "text").unwrap();
        fs::write(there.path().join("missing"), "").unwrap();
        assert_ne!(of(here.path()), of(there.path()));
    }
}
