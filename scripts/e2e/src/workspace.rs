//! Where things are in a checkout, and the pinned tools that set-up puts into it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// A checkout of the project.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
}

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
    /// The checkout that this code was compiled in.
    ///
    /// # Errors
    /// When it is no longer there.
    pub fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = root.canonicalize().with_context(|| {
            format!(
                "the checkout at {} is gone: build again where it is now",
                root.display()
            )
        })?;
        Ok(Self { root })
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

    /// Where set-up installs the tools that come from crates.io.
    #[must_use]
    pub fn tools_dir(&self) -> PathBuf {
        self.root.join(".tools")
    }

    /// What the commands keep between runs: local databases, logs, rendered configurations.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.root.join(".tailrace")
    }

    /// The programs of the npm packages.
    #[must_use]
    pub fn npm_bin_dir(&self) -> PathBuf {
        self.wrangler_dir().join("node_modules/.bin")
    }

    /// `program` with the pinned tools first on its `PATH`, and wrangler kept from asking or reporting anything.
    ///
    /// # Errors
    /// When `PATH` holds a folder whose name holds the path separator.
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
            .current_dir(&self.root);
        Ok(command)
    }
}
