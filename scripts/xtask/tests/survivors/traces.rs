//! Everything that a command has left on this machine, or still has there: processes, ports, temporary folders.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use tempfile::TempDir;

/// A folder for temporary files. Whatever is started below a command has the folder, or one in it, in its environment.
pub(crate) struct Traces {
    folder: TempDir,
}

/// A process.
#[derive(Debug)]
pub(crate) struct Process {
    id: String,
    /// Its name, without a folder.
    pub(crate) program: String,
    environment: String,
}

impl Process {
    pub(crate) fn has_variable(&self, variable: &str) -> bool {
        self.environment.split('\0').any(|it| it == variable)
    }
}

impl Traces {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Returns the folder, to be a command's `TMPDIR`.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the processes that run, but the one that the test has started.
    pub(crate) fn processes(&self, started: u32) -> Vec<Process> {
        let mark = self.folder.path().to_string_lossy().into_owned();
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let ids = entries.filter_map(|entry| entry.file_name().into_string().ok());
        ids.filter(|id| id.parse().is_ok_and(|id: u32| id != started))
            .filter_map(|id| {
                // A process that ends meanwhile is not there any more, or has nothing to show.
                let read = |name: &str| {
                    let bytes = fs::read(format!("/proc/{id}/{name}")).unwrap_or_default();
                    String::from_utf8_lossy(&bytes).into_owned()
                };
                let (environment, line) = (read("environ"), read("cmdline"));
                let program = line.split('\0').next()?.rsplit('/').next()?.to_owned();
                let is_marked = environment.contains(&mark) || line.contains(&mark);
                is_marked.then_some(Process {
                    id,
                    program,
                    environment,
                })
            })
            .collect()
    }

    /// Returns the names of what is in the folder.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap().flatten();
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }

    /// Returns whether a file of that name below the folder holds `text`.
    pub(crate) fn has_text(&self, name: &str, text: &str) -> bool {
        has_text(self.folder.path(), name, text)
    }
}

fn has_text(folder: &Path, name: &str, text: &str) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| {
        if path.is_dir() {
            return has_text(&path, name, text);
        }
        path.ends_with(name) && fs::read_to_string(&path).is_ok_and(|it| it.contains(text))
    })
}

/// Returns the ports on which one of `processes` listens.
pub(crate) fn ports(processes: &[Process]) -> BTreeSet<u16> {
    let mut own = BTreeSet::new();
    for process in processes {
        let folder = fs::read_dir(format!("/proc/{}/fd", process.id));
        for entry in folder.into_iter().flatten().flatten() {
            let target = fs::read_link(entry.path()).unwrap_or_default();
            own.insert(target.to_string_lossy().into_owned());
        }
    }
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|it| fs::read_to_string(it).unwrap_or_default());
    let lines = tables.iter().flat_map(|table| table.lines().skip(1));
    lines
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (address, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            let is_own = *state == LISTENING && own.contains(&format!("socket:[{inode}]"));
            let (_, port) = address.rsplit_once(':')?;
            is_own.then(|| u16::from_str_radix(port, 16).ok()).flatten()
        })
        .collect()
}

/// The state of a socket that listens, as the system writes it.
const LISTENING: &str = "0A";

pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
