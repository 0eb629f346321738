//! Runs the pinned wrangler, and makes sense of what it says when it fails.

use anyhow::{Result, bail};
use checkout::{Workspace, process};

use super::hints;
use crate::step::detail;

/// The pinned wrangler.
pub(crate) struct Wrangler<'a> {
    workspace: &'a Workspace,
    account: Option<&'a str>,
}

/// The output of a run of wrangler.
pub(crate) struct Answer {
    pub(crate) succeeded: bool,
    pub(crate) stdout: String,
    stderr: String,
}

impl<'a> Wrangler<'a> {
    /// Returns a wrangler that acts on the account with the id `account`, or on none.
    pub(crate) fn new(workspace: &'a Workspace, account: Option<&'a str>) -> Self {
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
            .env("FORCE_COLOR", "0");
        if let Some(account) = self.account {
            command.env("CLOUDFLARE_ACCOUNT_ID", account);
        }
        if self.account.is_some() {
            detail(format!("wrangler {}", arguments.join(" ")));
        }
        let printed = process::capture(&mut command)?;
        Ok(Answer {
            succeeded: printed.status.success(),
            stdout: printed.stdout,
            stderr: printed.stderr,
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
        format!("{complaint}{}", hints::find(complaint))
    }
}

/// Returns `text` without the escape sequences that colour it: wrangler colours its errors even where it is asked not to.
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
    fn a_missing_subdomain_is_explained() {
        let answer = Answer {
            succeeded: false,
            stdout: String::new(),
            stderr:
                "[ERROR] A request failed.\n\n  workers.api.error.subdomain_required [code: 10063]"
                    .to_owned(),
        };
        assert!(answer.complaint().contains("open Workers & Pages once"));
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
