//! Ids that were looked up, so that a command need not ask for them each time: the account of a credential, and its
//! databases. Kept by the API's address and a hash of the credential. What is wrong here costs one more question: a 403 or
//! 404 has the ids looked up again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::credentials::{Credential, variable};

/// The file's name, below the user's cache folder.
const FILE: &str = "tailrace/ids.json";

/// Credentials that are remembered. A login's token changes every hour, so old ones have to go.
const ENTRIES: usize = 16;

/// The ids that one credential sees.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Ids {
    /// The only account that the credential sees, where one was looked up.
    #[serde(default)]
    pub account: Option<Account>,
    /// The ids of databases, by `account/name`.
    #[serde(default)]
    pub databases: BTreeMap<String, String>,
}

/// An account.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
}

/// The file: the newest entry last.
#[derive(Default, Deserialize, Serialize)]
struct File(Vec<(String, Ids)>);

/// Returns the key of a credential at the API of `base`.
#[must_use]
pub fn key(base: &str, credential: &Credential) -> String {
    format!("{base} {}", credential.fingerprint())
}

/// Returns what is remembered under `key`.
#[must_use]
pub fn load(key: &str) -> Ids {
    let mut entries = read().0.into_iter();
    entries
        .rfind(|(known, _)| known == key)
        .map(|(_, ids)| ids)
        .unwrap_or_default()
}

/// Remembers `ids` under `key`. Where that cannot be written, the next run asks again.
pub fn store(key: &str, ids: &Ids) {
    let mut file = read();
    file.0.retain(|(known, _)| known != key);
    file.0.push((key.to_owned(), ids.clone()));
    let surplus = file.0.len().saturating_sub(ENTRIES);
    file.0.drain(..surplus);
    let written = || -> Option<()> {
        let path = path()?;
        let folder = path.parent()?;
        std::fs::create_dir_all(folder).ok()?;
        // In one step, so that another run reads the old text or the new one.
        let new = folder.join(format!("ids.{}.tmp", std::process::id()));
        std::fs::write(&new, serde_json::to_vec(&file).ok()?).ok()?;
        std::fs::rename(&new, &path).ok()
    };
    let _ = written();
}

fn read() -> File {
    path()
        .and_then(|path| std::fs::read(path).ok())
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default()
}

fn path() -> Option<PathBuf> {
    let folder = variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
        .or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache")))?;
    Some(folder.join(FILE))
}
