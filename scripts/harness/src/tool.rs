//! The operator's tool, for whoever measures it or drives its page.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use checkout::{Workspace, process};
use serde_json::Value;

/// Builds `tailrace`, unoptimised as `cargo tailrace` does; returns where it is.
///
/// # Errors
/// Fails if it does not compile, with what cargo says.
pub fn build_tool(workspace: &Workspace) -> Result<PathBuf> {
    let mut cargo = process::cargo();
    // For the whole workspace, cargo takes nearly all packages as the tests have them; for one it compiles them again.
    cargo
        .args(["build", "--quiet", "--workspace", "--bin", "tailrace"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(workspace.root());
    let printed = process::capture(&mut cargo)?;
    if !printed.status.success() {
        bail!("the operator's tool does not compile\n{}", printed.stderr);
    }
    let path = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    };
    let mut paths = printed.stdout.lines().filter_map(path);
    paths
        .next_back()
        .context("cargo does not say where the tool is")
}

/// `tailrace ui` for a local system; dropping it stops it.
#[derive(Debug)]
pub struct Page {
    server: Child,
    url: String,
}

impl Page {
    /// Starts the server for the system on `port`; returns once it has said where it is.
    ///
    /// # Errors
    /// Fails if it does not start.
    pub fn start(tool: &Path, port: u16) -> Result<Self> {
        let server = Command::new(tool)
            .args(["ui", "--no-browser", "--listen", "127.0.0.1:0", "--local"])
            .arg(port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut page = Self {
            server,
            url: String::new(),
        };
        let printed = page.server.stdout.take().context("no output")?;
        BufReader::new(printed).read_line(&mut page.url)?;
        page.url.truncate(page.url.trim_end().len());
        let is_url = page.url.starts_with("http://127.0.0.1:");
        ensure!(is_url, "tailrace ui says {:?}", page.url);
        Ok(page)
    }

    /// Returns the address that lets a browser in.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the id of the server's process.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.server.id()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
