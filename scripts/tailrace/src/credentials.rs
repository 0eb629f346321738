//! The credential for the API: `CLOUDFLARE_API_TOKEN`, else what wrangler's own login answers. Never from flags, which end
//! up in shell histories and process lists, and never written to disk.
//!
//! wrangler keeps its login in profiles, in files or in the system's keyring, and renews it: only wrangler can read all of
//! that, so it is asked (`wrangler auth token --json`), in the current folder, because profiles are bound to folders.

use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::{Error, checkout};

/// The longest that wrangler may take to answer. It renews an expired login on the way.
const WRANGLER_LIMIT: Duration = Duration::from_secs(20);

/// The key to the account. Its secret is only seen by the client, which puts it into headers.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A bearer token: an API token, or the token of a login.
    Token(String),
    /// The account owner's global key.
    Key {
        /// Whose key it is.
        email: String,
        /// The key.
        key: String,
    },
}

impl Credential {
    /// Returns the headers that carry the credential.
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Token(token) => vec![("authorization", format!("Bearer {token}"))],
            Self::Key { email, key } => {
                vec![("x-auth-email", email.clone()), ("x-auth-key", key.clone())]
            }
        }
    }

    /// Returns `text` without the secret, should a server ever echo it.
    pub(crate) fn redact(&self, text: &str) -> String {
        let (Self::Token(secret) | Self::Key { key: secret, .. }) = self;
        if secret.is_empty() {
            return text.to_owned();
        }
        text.replace(secret, "[token]")
    }

    /// Returns a hash that tells credentials apart and leads back to none.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for (name, value) in self.headers() {
            hash.update(name);
            hash.update([0]);
            hash.update(value);
            hash.update([0]);
        }
        let mut text = String::new();
        for byte in hash.finalize() {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(…)")
    }
}

/// The source of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `CLOUDFLARE_API_TOKEN`.
    Environment,
    /// wrangler, which may have another one when this one has expired.
    Wrangler,
}

/// Reads the credential; `profile` is the profile of wrangler's login, where one is configured.
///
/// # Errors
/// [`Error::NoToken`] where nothing has one, [`Error::BadToken`] where it cannot be one, [`Error::NoLogin`] where wrangler
/// has none to give.
pub async fn read(profile: Option<&str>) -> Result<(Credential, Origin), Error> {
    if let Some(token) = variable("CLOUDFLARE_API_TOKEN") {
        return Ok((checked(Credential::Token(token))?, Origin::Environment));
    }
    let credential = ask_wrangler(profile).await?;
    Ok((checked(credential)?, Origin::Wrangler))
}

/// Asks wrangler for the credential of its login.
///
/// # Errors
/// As [`read`].
pub async fn ask_wrangler(profile: Option<&str>) -> Result<Credential, Error> {
    let wrangler = find_wrangler().ok_or(Error::NoToken)?;
    wrangler.ask(profile, WRANGLER_LIMIT).await
}

/// Reads the answer of `wrangler auth token --json`. A kind of credential that is not known is not guessed at.
fn read_answer(stdout: &[u8]) -> Option<Credential> {
    #[derive(Deserialize)]
    #[serde(tag = "type", rename_all = "snake_case")]
    enum Answer {
        Oauth { token: String },
        ApiToken { token: String },
        ApiKey { key: String, email: String },
    }
    Some(match serde_json::from_slice(stdout).ok()? {
        Answer::Oauth { token } | Answer::ApiToken { token } => Credential::Token(token),
        Answer::ApiKey { key, email } => Credential::Key { email, key },
    })
}

/// Returns the first line of wrangler's complaint, without its colours and marks.
fn complaint(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let text = anstream::adapter::strip_str(&text).to_string();
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.map_or_else(
        || "it failed without a word".to_owned(),
        |line| {
            line.trim_start_matches("✘ ")
                .trim_start_matches("[ERROR] ")
                .to_owned()
        },
    )
}

/// A wrangler to ask, and the `PATH` it needs.
struct Wrangler {
    program: PathBuf,
    path: Option<OsString>,
}

impl Wrangler {
    /// Asks for the credential of the login, for no longer than `limit`.
    async fn ask(&self, profile: Option<&str>, limit: Duration) -> Result<Credential, Error> {
        let failed = |reason: String| Error::NoLogin {
            wrangler: self.program.display().to_string(),
            reason,
        };
        let mut command = tokio::process::Command::new(&self.program);
        command
            .args(["auth", "token", "--json"])
            .args(profile.map(|name| format!("--profile={name}")))
            .env("WRANGLER_SEND_METRICS", "false")
            .env("FORCE_COLOR", "0")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        let output = tokio::time::timeout(limit, command.output())
            .await
            .map_err(|_| failed(format!("no answer within {} s", limit.as_secs_f64())))?
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(complaint(&output.stderr)));
        }
        read_answer(&output.stdout).ok_or_else(|| {
            let known = "its answer is not understood; this tool knows the answer of wrangler 4";
            failed(known.to_owned())
        })
    }
}

/// Returns the wrangler of `TAILRACE_WRANGLER`, else the checkout's, else the one on `PATH`. Never npx, which downloads.
fn find_wrangler() -> Option<Wrangler> {
    if let Some(program) = variable("TAILRACE_WRANGLER") {
        return Some(Wrangler {
            program: program.into(),
            path: None,
        });
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(root) = checkout::find() {
        let bin = root.join("wrangler/node_modules/.bin");
        let program = bin.join("wrangler");
        if program.is_file() {
            // Its Node is beside it, and the machine's may be too old for it.
            let folders = std::iter::once(bin).chain(std::env::split_paths(&path));
            return Some(Wrangler {
                program,
                path: std::env::join_paths(folders).ok(),
            });
        }
    }
    std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("wrangler"))
        .find(|program| Path::is_file(program))
        .map(|program| Wrangler {
            program,
            path: None,
        })
}

/// Returns the credential if it can stand in a header: pasted with a line end in it, it would look like a network that
/// does not answer.
fn checked(credential: Credential) -> Result<Credential, Error> {
    let printable = |(_, value): &(&str, String)| {
        value
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ')
    };
    let (Credential::Token(secret) | Credential::Key { key: secret, .. }) = &credential;
    if credential.headers().iter().all(printable) && !secret.contains(' ') {
        Ok(credential)
    } else {
        Err(Error::BadToken)
    }
}

/// Returns a variable of the environment; a blank one counts as not set.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_never_shows_itself() {
        let token = Credential::Token("s3cret-value".to_owned());
        let key = Credential::Key {
            email: "a@b.example".to_owned(),
            key: "s3cret-value".to_owned(),
        };
        for credential in [token, key] {
            assert_eq!(format!("{credential:?}"), "Credential(…)");
            assert_eq!(credential.redact("bad s3cret-value!"), "bad [token]!");
            assert!(!credential.fingerprint().contains("s3cret"));
        }
    }

    #[test]
    fn every_answer_of_wrangler_is_read_and_no_other_guessed() {
        let token = |text: &str| Some(Credential::Token(text.to_owned()));
        for (answer, expected) in [
            (r#"{"type": "oauth", "token": "abc"}"#, token("abc")),
            (r#"{"type": "api_token", "token": "abc"}"#, token("abc")),
            (
                r#"{"type": "api_key", "key": "k", "email": "a@b.example"}"#,
                Some(Credential::Key {
                    email: "a@b.example".to_owned(),
                    key: "k".to_owned(),
                }),
            ),
            (r#"{"type": "service_key", "key": "k"}"#, None),
            ("", None),
        ] {
            assert_eq!(read_answer(answer.as_bytes()), expected, "{answer}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_wrangler_that_hangs_is_ended_at_its_limit() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("wrangler");
        let pid = folder.path().join("pid");
        let script = format!("#!/bin/sh\necho $$ > {}\nexec sleep 600\n", pid.display());
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let wrangler = Wrangler {
            program,
            path: None,
        };
        let limit = Duration::from_millis(300);
        let error = wrangler.ask(None, limit).await.unwrap_err();
        assert!(
            error.to_string().contains("no answer within 0.3 s"),
            "{error}"
        );
        // It does not go on behind our back. (Where it had not begun yet, it never will.)
        let Ok(pid) = std::fs::read_to_string(pid) else {
            return;
        };
        let is_running = || {
            let program = std::fs::read_link(format!("/proc/{}/exe", pid.trim()));
            program.is_ok_and(|program| program.ends_with("sleep"))
        };
        for _ in 0..100 {
            if !is_running() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it is still running");
    }

    #[test]
    fn wranglers_complaint_is_its_first_line() {
        let stderr = "\u{1b}[31m✘ \u{1b}[41;97m[ERROR]\u{1b}[0m \u{1b}[1mNot logged in.\u{1b}[0m\n\n\nLogs were written to";
        assert_eq!(complaint(stderr.as_bytes()), "Not logged in.");
    }
}
