//! Runs the pinned wrangler, and makes sense of what it says when it fails.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use e2e::Workspace;

use super::account::Account;

/// How wrangler is run.
pub(crate) struct Wrangler<'a> {
    workspace: &'a Workspace,
    account: Option<&'a Account>,
}

/// What a run of wrangler has printed.
pub(crate) struct Answer {
    pub(crate) succeeded: bool,
    pub(crate) stdout: String,
    stderr: String,
}

impl<'a> Wrangler<'a> {
    /// A wrangler that acts on `account`, or on none.
    pub(crate) fn new(workspace: &'a Workspace, account: Option<&'a Account>) -> Self {
        Self { workspace, account }
    }

    /// Runs it to its end, whatever that is. It gets no input, so it asks nothing, and the token only through its
    /// environment.
    pub(crate) fn output(&self, arguments: &[&str]) -> Result<Answer> {
        let mut command = self.workspace.command("wrangler")?;
        command
            .args(arguments)
            // So that messages need not be picked from escape sequences, and no log files pile up.
            .env("WRANGLER_WRITE_LOGS", "false")
            .env("FORCE_COLOR", "0")
            .stdin(Stdio::null());
        if let Some(account) = self.account {
            command.env("CLOUDFLARE_ACCOUNT_ID", account.to_string());
        }
        let output = command.output().context("wrangler did not start")?;
        Ok(Answer {
            succeeded: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs it and returns what it has printed on standard output.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String> {
        let answer = self.output(arguments)?;
        if !answer.succeeded {
            bail!(
                "wrangler {} failed: {}",
                arguments.join(" "),
                answer.complaint()
            );
        }
        Ok(answer.stdout)
    }
}

impl Answer {
    /// What went wrong, in wrangler's words, with what to do about the usual causes.
    pub(crate) fn complaint(&self) -> String {
        let text = [self.stdout.trim(), self.stderr.trim()].join("\n");
        // From the first error on; what comes before is progress.
        let start = text.find("[ERROR]").unwrap_or(0);
        let complaint = text.get(start..).unwrap_or_default();
        let mut complaint = complaint.trim_start_matches("[ERROR]").trim().to_owned();
        let hint = if complaint.contains("Authentication error")
            || complaint.contains("Unable to authenticate")
        {
            "\nThe token is not valid, or lacks a permission: docs/operations.md lists those that are needed."
        } else if complaint.contains("fetch failed") || complaint.contains("ENOTFOUND") {
            "\nCloudflare's API cannot be reached: check the network."
        } else {
            ""
        };
        complaint += hint;
        complaint
    }

    /// Whether wrangler says that what was asked for is not there.
    pub(crate) fn is_missing(&self) -> bool {
        [&self.stdout, &self.stderr]
            .iter()
            .any(|text| text.contains("does not exist"))
    }
}
