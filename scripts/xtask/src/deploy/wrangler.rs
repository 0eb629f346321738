//! Runs the pinned wrangler, and makes sense of what it says when it fails.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use checkout::Workspace;

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

/// How the API, or wrangler for it, words that it does not let somebody in: 6003 and 6111 are malformed credentials, 7003
/// an account that is not there.
const REFUSALS: [&str; 7] = [
    "Authentication error",
    "Unable to authenticate",
    "[code: 6003]",
    "[code: 6111]",
    "[code: 7003]",
    "[code: 9109]",
    "[code: 10000]",
];

impl Answer {
    /// Returns what went wrong, in wrangler's words, with what to do about the usual causes.
    pub(crate) fn complaint(&self) -> String {
        let text = plain(&[self.stdout.trim(), self.stderr.trim()].join("\n"));
        // From the first error on; what comes before is progress.
        let complaint = text.split_once("[ERROR]").map_or(&*text, |(_, rest)| rest);
        let complaint = complaint
            .split("If you think this is a bug")
            .next()
            .unwrap_or_default()
            .trim();
        let hint = if REFUSALS.iter().any(|text| complaint.contains(text)) {
            "\nThe token is not valid, lacks a permission (docs/operations.md lists those that are needed), or is not for \
             the account that CLOUDFLARE_ACCOUNT_ID names."
        } else if complaint.contains("fetch failed") || complaint.contains("ENOTFOUND") {
            "\nCloudflare's API cannot be reached: check the network."
        } else {
            ""
        };
        format!("{complaint}{hint}")
    }

    /// Returns whether wrangler says that what was asked for is not there.
    pub(crate) fn is_missing(&self) -> bool {
        [&self.stdout, &self.stderr]
            .iter()
            .any(|text| text.contains("does not exist"))
    }
}

/// `text` without the escape sequences that colour it: wrangler colours its errors even where it is asked not to.
fn plain(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain += part.split_once('m').map_or(part, |(_, rest)| rest);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_the_error_without_colours_and_progress() {
        let answer = Answer {
            succeeded: false,
            stdout: "Uploading...\n".to_owned(),
            stderr: "\u{1b}[31m✘ \u{1b}[41;97m[\u{1b}[41;97mERROR\u{1b}[0m] \u{1b}[1mNo such thing.\u{1b}[0m\n\n  \
                     If you think this is a bug, please open an issue"
                .to_owned(),
        };
        assert_eq!(answer.complaint(), "No such thing.");
    }

    #[test]
    fn a_refused_token_or_account_says_what_to_check() {
        for code in [6003, 7003, 9109, 10000] {
            let answer = Answer {
                succeeded: false,
                stdout: String::new(),
                stderr: format!("[ERROR] A request failed.\n\n  Some words [code: {code}]"),
            };
            let complaint = answer.complaint();
            assert!(
                complaint.contains("CLOUDFLARE_ACCOUNT_ID") && complaint.contains("permission"),
                "{complaint}"
            );
        }
    }
}
