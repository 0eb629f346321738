//! The calls of Cloudflare's API that wrangler has no command for, or none whose answer a program can read. The pinned Node
//! makes them, so that xtask need not be compiled with TLS.

use std::fmt;

use anyhow::{Context, Result, bail};
use checkout::{Workspace, process};
use serde_json::Value;

use super::account::Account;
use super::hints;
use super::wrangler::Wrangler;
use crate::step::detail;

const SCRIPT: &str = include_str!("api.mjs");

/// Entries of a page of a list.
const PER_PAGE: usize = 100;

/// Cloudflare's API, with the credentials that wrangler has.
pub(crate) struct Api<'a> {
    workspace: &'a Workspace,
    account: &'a Account,
    token: Option<String>,
}

/// An answer of the API that is not a success.
#[derive(Debug)]
pub(crate) struct ApiError {
    call: String,
    status: u64,
    code: Option<u64>,
    message: String,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.map(|code| format!(" [code: {code}]"));
        let text = format!("{}{}", self.message, code.unwrap_or_default());
        let (call, status, hint) = (&self.call, self.status, hints::find(&text));
        write!(
            f,
            "Cloudflare's API refuses {call} with {status}: {text}{hint}"
        )
    }
}

impl std::error::Error for ApiError {}

/// Returns whether the API says that something does not exist.
pub(crate) fn is_missing(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<ApiError>();
    error.is_some_and(|error| error.status == 404)
}

/// Returns the API's code for an error; `None` where the error is another one.
pub(crate) fn code_of(error: &anyhow::Error) -> Option<u64> {
    error.downcast_ref::<ApiError>()?.code
}

impl<'a> Api<'a> {
    /// Takes the token from the environment, else from wrangler's login.
    pub(crate) fn new(workspace: &'a Workspace, account: &'a Account) -> Result<Self> {
        let variable = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
        let mut token = variable("CLOUDFLARE_API_TOKEN");
        if token.is_none() && variable("CLOUDFLARE_API_KEY").is_none() {
            let wrangler = Wrangler::new(workspace, Some(account.id()));
            let text = wrangler.run(&["auth", "token", "--json"])?;
            let value: Value = serde_json::from_str(text.trim()).context("wrangler's token")?;
            token = value
                .get("token")
                .and_then(Value::as_str)
                .map(str::to_owned);
        }
        Ok(Self {
            workspace,
            account,
            token,
        })
    }

    /// Returns the account's id.
    pub(crate) fn account_id(&self) -> &str {
        self.account.id()
    }

    /// Returns the result of `GET path` in the account.
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        self.call("GET", path, None)
    }

    /// Returns the result of sending `body` to `path` in the account with `method`.
    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        self.call(method, path, Some(body.to_string()))
    }

    /// Deletes what is at `path` in the account.
    pub(crate) fn delete(&self, path: &str) -> Result<()> {
        self.call("DELETE", path, None).map(|_| ())
    }

    /// Returns the entries of all pages of the list at `path`.
    pub(crate) fn list(&self, path: &str) -> Result<Vec<Value>> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut entries = Vec::new();
        for page in 1.. {
            let page = format!("{path}{separator}per_page={PER_PAGE}&page={page}");
            let result = self.get(&page)?;
            let more = result.as_array().cloned().unwrap_or_default();
            let is_last = more.len() < PER_PAGE;
            entries.extend(more);
            if is_last {
                break;
            }
        }
        Ok(entries)
    }

    fn call(&self, method: &str, path: &str, body: Option<String>) -> Result<Value> {
        let call = format!("{method} {path}");
        detail(&call);
        let mut command = self.workspace.command("node")?;
        command
            .args(["--input-type=module", "--eval", SCRIPT, "--", method])
            .arg(format!("/accounts/{}/{path}", self.account.id()))
            .args(body)
            .env("NODE_USE_ENV_PROXY", "1")
            .envs(self.token.iter().map(|token| ("TAILRACE_API_TOKEN", token)));
        let printed = process::capture(&mut command)?;
        if !printed.status.success() {
            let problem = printed.stderr.trim();
            bail!(
                "{call} is not answered: {problem}{}",
                hints::find("fetch failed")
            );
        }
        let answer: Value = serde_json::from_str(&printed.stdout)
            .with_context(|| format!("the answer to {call}"))?;
        let status = answer.get("status").and_then(Value::as_u64);
        let status = status.unwrap_or_default();
        let text = answer.get("text").and_then(Value::as_str);
        let text = text.unwrap_or_default();
        let body: Value = serde_json::from_str(text).unwrap_or_default();
        if (200..300).contains(&status) {
            return Ok(body.get("result").cloned().unwrap_or_default());
        }
        let error = body.get("errors").and_then(|errors| errors.get(0));
        let part = |key| error.and_then(|error| error.get(key));
        let message = part("message").and_then(Value::as_str);
        bail!(ApiError {
            call,
            status,
            code: part("code").and_then(Value::as_u64),
            message: message.unwrap_or("it gives no reason").to_owned(),
        })
    }
}

/// Returns the text at `key` of a JSON object; an empty one where there is none.
pub(crate) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the entries of the list at `key` of a JSON object.
pub(crate) fn entries<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    let list = value.get(key).and_then(Value::as_array);
    list.into_iter().flatten()
}
