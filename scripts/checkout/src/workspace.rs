//! The places in a checkout, and the pinned tools that set-up puts into it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// A checkout of the project.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
}

/// Files that a checkout has, and other projects do not have together.
const MARKS: [&str; 3] = [
    "Cargo.toml",
    "wrangler/tail-ingest.toml",
    "scripts/checkout/Cargo.toml",
];

/// Addresses that no proxy can reach for this machine.
const LOOPBACK: &str = "127.0.0.1,localhost,::1";

/// A Worker that is compiled from Rust: its name and its crate's folder.
pub const RUST_WORKERS: [(&str, &str); 4] = [
    ("log-writer", "log-writer"),
    ("tail-ingest", "tail-ingest"),
    ("queue-consumer", "producers/queue-consumer"),
    ("triggers-api", "producers/triggers-api"),
];

/// Every Worker of the system. The first is the one that answers HTTP in local development.
pub const WORKERS: [&str; 5] = [
    "triggers-api",
    "queue-consumer",
    "event-workflow",
    "tail-ingest",
    "log-writer",
];

impl Workspace {
    /// Finds the checkout that the current folder is in.
    ///
    /// # Errors
    /// Fails if it is in none.
    pub fn find() -> Result<Self> {
        let here = std::env::current_dir().context("the current folder is gone")?;
        Self::around(&here).with_context(|| {
            format!(
                "{} is not in a checkout of Tailrace\nhint: change to the folder that you cloned",
                here.display()
            )
        })
    }

    /// Returns the checkout that `folder` is in.
    #[must_use]
    pub fn around(folder: &Path) -> Option<Self> {
        folder
            .ancestors()
            .find(|folder| MARKS.iter().all(|mark| folder.join(mark).is_file()))
            .map(|root| Self {
                root: root.to_owned(),
            })
    }

    /// The top level.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The Workers' configurations, and the npm package that pins wrangler.
    #[must_use]
    pub fn wrangler_dir(&self) -> PathBuf {
        self.root.join("wrangler")
    }

    /// Returns the folder into which set-up installs the tools from crates.io.
    #[must_use]
    pub fn tools_dir(&self) -> PathBuf {
        self.root.join(".tools")
    }

    /// Returns what the commands keep between runs: local databases, logs, rendered configurations.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.root.join(".tailrace")
    }

    /// The folder of the end-to-end tests, with the Workers that only they run.
    #[must_use]
    pub fn harness_dir(&self) -> PathBuf {
        self.root.join("scripts/harness")
    }

    /// The programs of the npm packages.
    #[must_use]
    pub fn npm_bin_dir(&self) -> PathBuf {
        self.wrangler_dir().join("node_modules/.bin")
    }

    /// `program` with the pinned tools first on its `PATH`, and wrangler kept from asking or reporting anything.
    ///
    /// # Errors
    /// Fails if `PATH` holds a folder whose name holds the path separator.
    pub fn command(&self, program: &str) -> Result<Command> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(
            [self.npm_bin_dir(), self.tools_dir().join("bin")]
                .into_iter()
                .chain(std::env::split_paths(&path)),
        )
        .context("PATH cannot be extended")?;
        let own = self.npm_bin_dir().join(program);
        let mut command = if own.exists() {
            Command::new(own)
        } else {
            Command::new(program)
        };
        command
            .env("PATH", path)
            .env("CI", "1")
            .env("NO_COLOR", "1")
            .env("WRANGLER_SEND_METRICS", "false")
            .env("WRANGLER_HIDE_BANNER", "true")
            // Its collector of traces would be a part of every run that is tested or measured.
            .env("X_LOCAL_OBSERVABILITY", "false")
            // wrangler is 15 MB of JavaScript: what Node has compiled of it is kept for the next start.
            .env("NODE_COMPILE_CACHE", self.state_dir().join("node-cache"));
        for name in ["NO_PROXY", "no_proxy"] {
            let others = std::env::var(name).unwrap_or_default();
            let separator = if others.is_empty() { "" } else { "," };
            command.env(name, format!("{others}{separator}{LOOPBACK}"));
        }
        command.current_dir(&self.root);
        Ok(command)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_checkout_is_found_from_any_folder_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("checkout");
        let below = root.join("docs/deep");
        fs::create_dir_all(&below).unwrap();
        assert!(Workspace::around(&below).is_none());
        for mark in MARKS {
            fs::create_dir_all(root.join(mark).parent().unwrap()).unwrap();
            fs::write(root.join(mark), "").unwrap();
        }
        for inside in [&root, &below] {
            assert_eq!(Workspace::around(inside).unwrap().root(), root);
        }
        assert!(Workspace::around(folder.path()).is_none());
    }

    #[test]
    fn no_program_asks_a_proxy_for_this_machine() {
        let root = PathBuf::from("checkout");
        let command = Workspace { root }.command("wrangler").unwrap();
        for name in ["NO_PROXY", "no_proxy"] {
            let mut variables = command.get_envs();
            let value = variables.find(|(it, _)| *it == name).and_then(|(_, it)| it);
            assert!(value.unwrap().to_str().unwrap().ends_with(LOOPBACK));
        }
    }
}
