//! A fingerprint of the files that something is made from, to know whether it must be made again.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A fingerprint of the contents and names of `paths`, folders with all that is in them. A path that is not there counts
/// as such.
pub(crate) fn fingerprint(paths: &[PathBuf], extra: &[&str]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    extra.hash(&mut hasher);
    for path in paths {
        add(path, &mut hasher)?;
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn add(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    path.hash(hasher);
    if path.is_dir() {
        let mut entries = path
            .read_dir()
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            add(&entry.path(), hasher)?;
        }
    } else if path.exists() {
        fs::read(path)
            .with_context(|| format!("{} cannot be read", path.display()))?
            .hash(hasher);
    }
    Ok(())
}
